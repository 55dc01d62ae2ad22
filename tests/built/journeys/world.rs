//! The builder of worlds: a NinjaOne in the test's process, the built program in front of it with a configuration file of
//! its own, and callers.

use std::{
    collections::HashSet, fs, net::SocketAddr, path::PathBuf, process::Command, time::Duration,
};

use ninjaone_proxy::{
    app::wiring::builtin_operations,
    config::{self, Config, read::sources::Sources},
    ninjaone::operation::Scope,
    random,
    sandbox::{Client, ClientPlatform, Sandbox, SandboxOptions, faults::Faults},
    secret::Secret,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    audit_log,
    directory::Directory,
    key::new_key,
    program::{Log, Program, Stderr},
    proxy::Proxy,
    settings::Settings,
    wait::until,
    wire::Answered,
};

use super::{
    hostile::Hostile,
    proxy_client::ProxyClient,
    record::{self, Arrival},
    user_login::{self, UserLogin},
};

pub(crate) const CLIENT_ID: &str = "journeys-client";
/// Of the application that the user logs in to.
pub(crate) const USER_CLIENT_ID: &str = "journeys-person";
const HOUR: Duration = Duration::from_hours(1);

/// What is behind the product.
pub(crate) enum Behind {
    Sandbox(Sandbox),
    Hostile(Hostile),
}

impl Behind {
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Sandbox(ninja) => ninja.address(),
            Self::Hostile(hostile) => hostile.address,
        }
    }
}

/// A world that is still being planned.
pub(crate) struct Plan {
    settings: Settings,
    /// Names and rules.
    callers: Vec<(String, String)>,
    /// TOML that comes last.
    more: Vec<String>,
    token_life: Duration,
    scopes: Option<Vec<Scope>>,
    hostile: Option<Hostile>,
    /// On before the product starts.
    faults: Option<Faults>,
    user: Option<UserLogin>,
    /// Of the sandbox: where it listens and what it proves itself with.
    options: SandboxOptions,
    /// Of the program, beside that of the test.
    environment: Vec<(String, String)>,
    stderr: Stderr,
    /// What becomes the program, if it is not started as it is.
    program: Option<Command>,
}

impl Plan {
    /// Started by a command that becomes the program.
    pub(crate) fn program(mut self, command: Command) -> Self {
        self.program = Some(command);
        self
    }

    /// A setting of the configuration; `value` is TOML.
    pub(crate) fn set(mut self, section: &str, key: &str, value: &str) -> Self {
        self.settings.set(section, key, value);
        self
    }

    /// A caller with a key of its own; `rules` is TOML.
    pub(crate) fn caller(mut self, name: &str, rules: &str) -> Self {
        self.callers.retain(|(known, _)| known != name);
        self.callers.push((name.to_owned(), rules.to_owned()));
        self
    }

    /// A sealed store.
    pub(crate) fn store(self) -> Self {
        self.set("store", "path", "\"store\"")
            .set("store", "seal", "{ file = \"store.key\" }")
    }

    /// TOML at the end of the configuration.
    pub(crate) fn also(mut self, toml: &str) -> Self {
        self.more.push(toml.to_owned());
        self
    }

    /// A variable of the program's environment.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn token_life(mut self, life: Duration) -> Self {
        self.token_life = life;
        self
    }

    pub(crate) fn scopes(mut self, scopes: &[Scope]) -> Self {
        self.scopes = Some(scopes.to_vec());
        self
    }

    /// Something else than the sandbox behind the product.
    pub(crate) fn behind(mut self, hostile: Hostile) -> Self {
        self.hostile = Some(hostile);
        self
    }

    /// A sandbox that is not the usual one; its clients and the life of its tokens stay the plan's.
    pub(crate) fn sandbox(mut self, options: SandboxOptions) -> Self {
        self.options = options;
        self
    }

    /// Another stderr than a pipe that is read: there is no log to look at then.
    pub(crate) fn stderr(mut self, stderr: Stderr) -> Self {
        self.stderr = stderr;
        self
    }

    pub(crate) fn faults(mut self, json: &str) -> Self {
        self.faults = Some(Faults::parse(json.as_bytes()).unwrap());
        self
    }

    /// A user identity beside the service.
    pub(crate) fn user(mut self, user: UserLogin) -> Self {
        user_login::configure(&mut self.settings);
        self.user = Some(user);
        self
    }

    pub(crate) async fn start(self) -> World {
        let world = self.build();
        world.has_token().await;
        world
    }

    /// Waits until the product listens, and not for its first token.
    pub(crate) fn build(mut self) -> World {
        self.settings.choose_addresses(&self.stderr);
        let secret = format!("client-secret-canary-{:016x}", random::random_u64());
        let behind = match self.hostile {
            Some(hostile) => Behind::Hostile(hostile),
            None => Behind::Sandbox(sandbox(&secret, self.token_life, self.scopes, self.options)),
        };
        if let (Behind::Sandbox(ninja), Some(faults)) = (&behind, self.faults) {
            ninja.faults().set(faults);
        }
        let directory = Directory::new();
        directory.write("acme.secret", &secret);
        user_login::write_key(&directory);
        let mut settings = self.settings;
        settings.tenant(behind.address(), CLIENT_ID);
        let mut keys = Vec::new();
        for (name, rules) in self.callers {
            let key = new_key(&name);
            settings.caller(&name, &key, &rules);
            keys.push((name, key));
        }
        for toml in self.more {
            settings.also(&toml);
        }
        directory.configure(&settings.toml());
        if let Some(user) = self.user.filter(|it| *it != UserLogin::LoggedOut) {
            user_login::log_in(user, &behind, &configuration(&directory));
        }
        let audit = settings.get("audit", "path").expect("an audit log");
        let audit = directory.join(audit);
        let environment = self.environment;
        let config = directory.config();
        let program = match self.program {
            Some(command) => Program::start_by(command, &config),
            None => Program::start_with(&config, self.stderr, &environment),
        };
        let proxy = Proxy::listening(program, directory, &settings);
        let answered = Answered::default();
        World {
            client: ProxyClient {
                at: proxy.addresses,
                keys,
                answered: answered.clone(),
            },
            proxy,
            is_over: false,
            audit,
            behind,
            secret,
            answered,
        }
    }
}

fn sandbox(
    secret: &str,
    token_life: Duration,
    scopes: Option<Vec<Scope>>,
    options: SandboxOptions,
) -> Sandbox {
    let client = Client {
        id: CLIENT_ID.to_owned(),
        secret: Secret::new(secret.to_owned()),
        ..Client::default()
    };
    let client = Client {
        scopes: scopes.unwrap_or_else(|| client.scopes.clone()),
        ..client
    };
    let user = Client {
        id: USER_CLIENT_ID.to_owned(),
        platform: ClientPlatform::Native,
        ..client.clone()
    };
    let options = SandboxOptions {
        clients: vec![client, user],
        token_life,
        ..options
    };
    Sandbox::start(options).unwrap()
}

/// What is written, as the program reads it.
fn configuration(directory: &Directory) -> Config {
    let sources = Sources {
        file: directory.config(),
        environment: Vec::new(),
    };
    let (config, _) = config::load(&sources, &builtin_operations())
        .unwrap_or_else(|problems| panic!("{:?}", problems.as_slice()));
    config
}

/// A running world. It must be ended with [`World::end`], which audits it.
pub(crate) struct World {
    client: ProxyClient,
    proxy: Proxy,
    /// The program was ended by the test.
    is_over: bool,
    audit: PathBuf,
    pub(crate) behind: Behind,
    /// Of the service identity.
    pub(crate) secret: String,
    pub(crate) answered: Answered,
}

impl std::ops::Deref for World {
    type Target = ProxyClient;

    fn deref(&self) -> &ProxyClient {
        &self.client
    }
}

impl World {
    /// Two callers are there from the start: `reports` may read, `operator` may do everything.
    pub(crate) fn plan() -> Plan {
        let plan = Plan {
            settings: Settings::usual(),
            callers: Vec::new(),
            more: Vec::new(),
            token_life: HOUR,
            scopes: None,
            hostile: None,
            faults: None,
            user: None,
            options: SandboxOptions::default(),
            environment: Vec::new(),
            stderr: Stderr::Read,
            program: None,
        };
        plan.set("listen", "workers", "2")
            .set("listen", "drain", "\"5s\"")
            .set("limits.caller", "concurrency", "2000")
            .set("limits.upstream", "concurrency", "64")
            .set("retry", "backoff", "{ from = \"1ms\", to = \"5ms\" }")
            .caller("reports", "allow = [\"read\"]")
            .caller("operator", "allow = [\"all\"]")
    }

    pub(crate) async fn new() -> Self {
        Self::plan().start().await
    }

    pub(crate) async fn in_front_of(hostile: Hostile) -> Self {
        Self::plan().behind(hostile).start().await
    }

    #[track_caller]
    pub(crate) fn ninja(&self) -> &Sandbox {
        match &self.behind {
            Behind::Sandbox(ninja) => ninja,
            Behind::Hostile(_) => panic!("no sandbox in this world"),
        }
    }

    #[track_caller]
    pub(crate) fn hostile(&self) -> &Hostile {
        match &self.behind {
            Behind::Hostile(hostile) => hostile,
            Behind::Sandbox(_) => panic!("a sandbox is in this world"),
        }
    }

    pub(crate) fn program(&mut self) -> &mut Program {
        &mut self.proxy.program
    }

    /// Ends the program by SIGTERM and starts another one on what it left.
    pub(crate) async fn start_again(&mut self) {
        self.proxy.start_again().await;
        self.client.at = self.proxy.addresses;
        self.has_token().await;
    }

    pub(crate) fn program_id(&self) -> u32 {
        self.proxy.program.id()
    }

    /// What the program has said on stderr.
    pub(crate) fn log(&self) -> &Log {
        &self.proxy.program.log
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.proxy.program.signal(signal);
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.proxy.directory
    }

    pub(crate) fn client(&self) -> ProxyClient {
        self.client.clone()
    }

    /// Switches faults on, as `POST /sandbox/faults` would.
    pub(crate) fn trouble(&self, json: &str) {
        let faults = Faults::parse(json.as_bytes()).unwrap();
        self.ninja().faults().set(faults);
    }

    pub(crate) fn no_trouble(&self) {
        self.ninja().faults().clear();
    }

    /// The requests that reached NinjaOne's API, as `GET /v2/devices 200`.
    pub(crate) fn saw(&self) -> Vec<String> {
        let seen = self.ninja().requests();
        let api = seen.iter().filter(|it| record::is_api(&it.target));
        api.map(|it| format!("{it:?}")).collect()
    }

    /// What is written, read again.
    pub(crate) fn config(&self) -> Config {
        configuration(self.directory())
    }

    /// Requests to NinjaOne's API, whatever is there.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        record::arrivals(&self.behind)
    }

    /// Every identity has a token.
    pub(crate) async fn has_token(&self) {
        self.proxy.has_token().await;
    }

    /// Writes another configuration file, whole at once.
    pub(crate) fn rewrite(&self, change: impl FnOnce(&str) -> String) {
        let toml = fs::read_to_string(self.directory().config()).unwrap();
        self.directory().configure(&change(&toml));
    }

    /// Sends SIGHUP, and waits until the configuration was loaded again or refused.
    pub(crate) async fn reload(&self) {
        let tries = async || self.status().await["config"]["tries"].as_u64().unwrap();
        let before = tries().await;
        self.signal(Signal::HUP);
        until("the reload", async || tries().await > before).await;
    }

    pub(crate) fn audit_path(&self) -> PathBuf {
        self.audit.clone()
    }

    /// Every line of the audit log, once nothing waits to be written and each answer that was given has its own.
    pub(crate) async fn lines(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        until("the lines of what was answered", async || {
            let status = self.status().await;
            lines = audit_log::lines(&self.audit_path());
            let outcomes = lines.iter().filter(|it| it["type"] == "outcome");
            let ended: HashSet<_> = outcomes.filter_map(|it| it["request"].as_str()).collect();
            let answered = self.answered.all();
            status["audit"]["queued"] == 0 && answered.iter().all(|it| ended.contains(it.as_str()))
        })
        .await;
        lines
    }

    /// The one outcome line of a request, once it is there.
    pub(crate) async fn outcome(&self, id: &str) -> serde_json::Value {
        let mut found = None;
        until("an outcome", async || {
            let lines = audit_log::lines(&self.audit_path());
            found = lines
                .into_iter()
                .find(|line| line["type"] == "outcome" && line["request"] == id);
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// For a test that has ended the program itself, and looked at what it left.
    pub(crate) fn gone(mut self) {
        self.is_over = true;
    }

    /// Ends the product with SIGTERM and audits the world.
    pub(crate) async fn end(self) {
        self.end_then(|| ()).await;
    }

    /// The same, and looks at what is on disk afterwards.
    pub(crate) async fn end_then(mut self, look: impl FnOnce()) {
        let told = [
            self.admin("/metrics").await.text(),
            self.admin("/status").await.text(),
        ];
        self.program().terminate().await;
        let log = self.log().text();
        self.is_over = true;
        record::audit(&self, &told, &log);
        look();
    }
}

impl World {
    /// SIGTERM to a program of which a part hangs: it is gone in time, whatever its exit code says.
    pub(crate) async fn ends_by_signal(mut self, longest: Duration) {
        let program = self.program();
        program.signal(Signal::TERM);
        program.ends_within(longest).await;
        self.is_over = true;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        assert!(
            self.is_over || std::thread::panicking(),
            "the world was not ended"
        );
    }
}
