//! The builder of worlds: a NinjaOne in the test's process, the built program in front of it with a configuration file of
//! its own, and callers.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
    time::Duration,
};

use ninjaone_proxy::{
    app::wiring::builtin_operations,
    config::{self, Config, sources::Sources},
    ninjaone::operation::Scope,
    random,
    sandbox::{Client, Ninja, Options, Platform, faults::Faults},
    secret::Secret,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    hostile::Hostile,
    person::{self, Person},
    place::Place,
    program::{Log, Program, Stderr, free_address, log_level, plain_http, says_where_it_listens},
    record::{self, Arrival},
    wire::{Answered, PATIENCE},
    written::Written,
};

pub(crate) const CLIENT_ID: &str = "journeys-client";
/// Of the application that a person logs in to.
pub(crate) const PERSON_ID: &str = "journeys-person";
const HOUR: Duration = Duration::from_hours(1);

/// What is behind the product.
pub(crate) enum Behind {
    Sandbox(Ninja),
    Hostile(Hostile),
}

/// A world that is still being planned.
pub(crate) struct Plan {
    /// Settings by section and key, as TOML.
    settings: BTreeMap<String, BTreeMap<String, String>>,
    callers: Vec<(String, String)>,
    /// TOML that comes last.
    more: String,
    token_life: Duration,
    scopes: Option<Vec<Scope>>,
    hostile: Option<Hostile>,
    /// On before the product starts.
    faults: Option<Faults>,
    person: Option<Person>,
    /// Of the sandbox: where it listens and what it proves itself with.
    options: Options,
    /// Of the program, beside that of the test.
    environment: Vec<(String, String)>,
    stderr: Stderr,
}

impl Plan {
    /// A setting of the configuration; `value` is TOML.
    pub(crate) fn set(mut self, section: &str, key: &str, value: &str) -> Self {
        let section = self.settings.entry(section.to_owned()).or_default();
        section.insert(key.to_owned(), value.to_owned());
        self
    }

    /// A caller with a key of its own; `rules` is TOML.
    pub(crate) fn caller(mut self, name: &str, rules: &str) -> Self {
        self.callers.retain(|(known, _)| known != name);
        self.callers.push((name.to_owned(), rules.to_owned()));
        self
    }

    /// TOML at the end of the configuration.
    pub(crate) fn also(mut self, toml: &str) -> Self {
        writeln!(self.more, "{toml}").unwrap();
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
    pub(crate) fn sandbox(mut self, options: Options) -> Self {
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
    pub(crate) fn person(mut self, person: Person) -> Self {
        person::configure(&mut self.settings);
        self.person = Some(person);
        self
    }

    pub(crate) async fn start(self) -> World {
        let world = self.build();
        world.has_token().await;
        world
    }

    /// Waits until the product listens, and not for its first token.
    pub(crate) fn build(mut self) -> World {
        let says_where = self.says_where_it_listens();
        if !says_where {
            let (callers, admin) = (free_address(), free_address());
            self = self.set("listen", "http", &format!("[\"{callers}\"]")).set(
                "admin",
                "listen",
                &format!("\"{admin}\""),
            );
        }
        let chosen = self.settings.clone();
        let audit = chosen["audit"]["path"].trim_matches('"').to_owned();
        let secret = format!("client-secret-canary-{:016x}", random::number());
        let behind = match self.hostile {
            Some(hostile) => Behind::Hostile(hostile),
            None => Behind::Sandbox(sandbox(&secret, self.token_life, self.scopes, self.options)),
        };
        if let (Behind::Sandbox(ninja), Some(faults)) = (&behind, self.faults) {
            ninja.faults().set(faults);
        }
        let written = Written::new(&behind, &secret, self.settings, self.callers, &self.more);
        person::write_key(&written);
        if let Some(person) = self.person.filter(|it| *it != Person::LoggedOut) {
            person::log_in(person, &behind, &configuration(&written));
        }
        let environment = self.environment;
        let mut program = Program::start_with(&written.file(), self.stderr, &environment);
        let listeners = if says_where {
            program.listens("admin")
        } else {
            listeners_chosen(&chosen)
        };
        let admin = plain_http(&listeners, "admin").expect("an admin listener");
        program.accepts_at(admin);
        let answered = Answered::default();
        World {
            place: Place {
                callers: plain_http(&listeners, "callers").expect("a listener for callers"),
                admin,
                keys: written.keys.clone(),
                answered: answered.clone(),
            },
            program: Some(program),
            audit: written.dir.path().join(&audit),
            behind,
            written,
            answered,
        }
    }

    fn says_where_it_listens(&self) -> bool {
        let log = self.settings.get("telemetry.log");
        let level = log.and_then(|it| it.get("level")).expect("a level");
        matches!(self.stderr, Stderr::Read) && says_where_it_listens(level.trim_matches('"'))
    }
}

fn sandbox(
    secret: &str,
    token_life: Duration,
    scopes: Option<Vec<Scope>>,
    options: Options,
) -> Ninja {
    let client = Client {
        id: CLIENT_ID.to_owned(),
        secret: Secret::new(secret.to_owned()),
        ..Client::default()
    };
    let client = Client {
        scopes: scopes.unwrap_or_else(|| client.scopes.clone()),
        ..client
    };
    let person = Client {
        id: PERSON_ID.to_owned(),
        platform: Platform::Native,
        ..client.clone()
    };
    let options = Options {
        clients: vec![client, person],
        token_life,
        ..options
    };
    Ninja::start(options).unwrap()
}

/// Role and address of what a log that is silent about it does not tell.
fn listeners_chosen(
    settings: &BTreeMap<String, BTreeMap<String, String>>,
) -> Vec<(String, String)> {
    let chosen = [("callers", "listen", "http"), ("admin", "admin", "listen")];
    let listeners = chosen.into_iter().map(|(role, section, key)| {
        let address = settings[section][key].trim_matches(['[', ']', '"']);
        (role.to_owned(), format!("http://{address}"))
    });
    listeners.collect()
}

/// What is written, as the program reads it.
fn configuration(written: &Written) -> Config {
    let sources = Sources {
        file: written.file(),
        environment: Vec::new(),
    };
    let (config, _) = config::load(&sources, &builtin_operations())
        .unwrap_or_else(|problems| panic!("{:?}", problems.as_slice()));
    config
}

/// A running world. It must be ended with [`World::end`], which audits it.
pub(crate) struct World {
    place: Place,
    program: Option<Program>,
    audit: PathBuf,
    pub(crate) behind: Behind,
    pub(crate) written: Written,
    pub(crate) answered: Answered,
}

impl std::ops::Deref for World {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl World {
    /// Two callers are there from the start: `reports` may read, `operator` may do everything.
    pub(crate) fn plan() -> Plan {
        let plan = Plan {
            settings: BTreeMap::new(),
            callers: Vec::new(),
            more: String::new(),
            token_life: HOUR,
            scopes: None,
            hostile: None,
            faults: None,
            person: None,
            options: Options::default(),
            environment: Vec::new(),
            stderr: Stderr::Read,
        };
        plan.set("listen", "http", "[\"127.0.0.1:0\"]")
            .set("listen", "workers", "2")
            .set("listen", "drain", "\"5s\"")
            .set("admin", "listen", "\"127.0.0.1:0\"")
            .set("audit", "path", "\"audit\"")
            .set("telemetry.log", "format", "\"json\"")
            .set("telemetry.log", "level", &format!("\"{}\"", log_level()))
            .set("limits.caller", "rate", "\"5000/s\"")
            .set("limits.caller", "concurrency", "2000")
            .set("limits.upstream", "rate", "\"5000/s\"")
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
    pub(crate) fn ninja(&self) -> &Ninja {
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
        self.program.as_mut().expect("a running program")
    }

    pub(crate) fn program_id(&self) -> u32 {
        self.program.as_ref().expect("a running program").id()
    }

    /// What the program has said on stderr.
    pub(crate) fn log(&self) -> &Log {
        &self.program.as_ref().expect("a running program").log
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.program
            .as_ref()
            .expect("a running program")
            .signal(signal);
    }

    pub(crate) fn place(&self) -> Place {
        self.place.clone()
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
        let seen = self.ninja().seen();
        let api = seen.iter().filter(|it| record::is_api(&it.target));
        api.map(|it| format!("{it:?}")).collect()
    }

    /// What is written, read again.
    pub(crate) fn config(&self) -> Config {
        configuration(&self.written)
    }

    /// Requests to NinjaOne's API, whatever is there.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        record::arrivals(&self.behind)
    }

    /// What `GET /status` says.
    pub(crate) async fn status(&self) -> Value {
        self.admin("/status").await.json()
    }

    /// Every identity has a token.
    pub(crate) async fn has_token(&self) {
        until("a token", async || {
            let status = self.status().await;
            let all = identities(&status);
            all.iter().all(|(_, it)| it["state"] == "valid")
        })
        .await;
    }

    /// How many connections of callers are open.
    pub(crate) async fn connections(&self) -> u64 {
        let status = self.status().await;
        let listeners = status["listeners"].as_array().unwrap();
        let of_callers = listeners.iter().find(|it| it["role"] == "callers");
        of_callers.unwrap()["connections"].as_u64().unwrap()
    }

    /// Writes another configuration file, whole at once.
    pub(crate) fn rewrite(&self, change: impl FnOnce(&str) -> String) {
        let file = self.written.file();
        let toml = change(&fs::read_to_string(&file).unwrap());
        let fresh = file.with_extension("new");
        fs::write(&fresh, toml).unwrap();
        fs::rename(fresh, file).unwrap();
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
            lines = record::lines(&self.audit_path());
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
            let lines = record::lines(&self.audit_path());
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
        self.program = None;
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
        self.program = None;
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
        self.program = None;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        assert!(
            self.program.is_none() || std::thread::panicking(),
            "the world was not ended"
        );
    }
}

/// Every identity of every tenant, with the tenant's name.
pub(crate) fn identities(status: &Value) -> Vec<(String, Value)> {
    let tenants = status["tenants"].as_array().unwrap().iter();
    let all = tenants.flat_map(|tenant| {
        let name = tenant["name"].as_str().unwrap();
        let own = tenant["identities"].as_array().unwrap().iter();
        own.map(move |it| (name.to_owned(), it.clone()))
    });
    all.collect()
}

/// Looks again and again until `done`, at most fifteen seconds.
pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let reached = tokio::time::timeout(PATIENCE, looking).await;
    assert!(reached.is_ok(), "waited in vain for {what}");
}
