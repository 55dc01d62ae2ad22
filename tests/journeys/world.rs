//! The builder of worlds: a NinjaOne, the product in front of it with a configuration file of its own, and callers.

use std::{
    collections::BTreeMap, fmt::Write as _, fs, future::pending, net::SocketAddr, path::PathBuf,
    time::Duration,
};

use ninjaone_proxy::{
    app::{
        entrances::Inherited,
        program::{Program, Record},
        reload::{Reloader, known_operations},
    },
    config::{self, Config, sources::Sources},
    ninjaone::operation::Scope,
    random,
    sandbox::{Client, Ninja, Options, Platform, faults::Faults},
    secret::Secret,
};

use crate::{
    hostile::Hostile,
    person::{self, Person},
    place::Place,
    record::{self, Arrival, LogMark},
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

    /// Does not wait for the first token.
    pub(crate) fn build(self) -> World {
        let log = record::listen_to_log();
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
        let sources = Sources {
            file: written.file(),
            environment: Vec::new(),
        };
        let (config, _) = config::load(&sources, &known_operations())
            .unwrap_or_else(|problems| panic!("{:?}", problems.as_slice()));
        if let Some(person) = self.person.filter(|it| *it != Person::LoggedOut) {
            person::log_in(person, &behind, &config);
        }
        let mut inherited = Inherited::of_process();
        let program = Program::start(&config, &Record::Configured, &mut inherited).unwrap();
        let reloader = Reloader::new(sources, &config);
        let answered = Answered::default();
        World {
            place: Place::of(&program, &written, &answered),
            program: Some(program),
            reloader,
            behind,
            written,
            answered,
            log,
        }
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

impl Place {
    fn of(program: &Program, written: &Written, answered: &Answered) -> Self {
        let address = |role: &str| -> SocketAddr {
            let found = program
                .status
                .listeners
                .iter()
                .find(|(known, address)| *known == role && address.starts_with("http://"));
            let (_, address) = found.expect("a listener");
            address.trim_start_matches("http://").parse().unwrap()
        };
        Self {
            callers: address("callers"),
            admin: address("admin"),
            keys: written.keys.clone(),
            answered: answered.clone(),
        }
    }
}

/// A running world. It must be ended with [`World::end`], which audits it.
pub(crate) struct World {
    place: Place,
    pub(crate) program: Option<Program>,
    pub(crate) reloader: Reloader,
    pub(crate) behind: Behind,
    pub(crate) written: Written,
    pub(crate) answered: Answered,
    log: LogMark,
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
        };
        plan.set("listen", "http", "[\"127.0.0.1:0\"]")
            .set("listen", "workers", "2")
            .set("listen", "drain", "\"5s\"")
            .set("admin", "listen", "\"127.0.0.1:0\"")
            .set("audit", "path", "\"audit\"")
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

    pub(crate) fn program(&self) -> &Program {
        self.program.as_ref().expect("a running program")
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
        let sources = Sources {
            file: self.written.file(),
            environment: Vec::new(),
        };
        let (config, _) = config::load(&sources, &known_operations())
            .unwrap_or_else(|problems| panic!("{:?}", problems.as_slice()));
        config
    }

    /// Requests to NinjaOne's API, whatever is there.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        record::arrivals(&self.behind)
    }

    pub(crate) async fn has_token(&self) {
        until("a token", async || {
            let rules = self.program().status.rules.load_full();
            rules.credentials.iter().all(|it| it.current().is_some())
        })
        .await;
    }

    /// Writes another configuration file, whole at once.
    pub(crate) fn rewrite(&self, change: impl FnOnce(&str) -> String) {
        let file = self.written.file();
        let toml = change(&fs::read_to_string(&file).unwrap());
        let fresh = file.with_extension("new");
        fs::write(&fresh, toml).unwrap();
        fs::rename(fresh, file).unwrap();
    }

    /// Loads the configuration again, as a signal would.
    pub(crate) async fn reload(&mut self) {
        let program = self.program.as_mut().expect("a running program");
        self.reloader.reload(program).await;
    }

    pub(crate) fn audit_path(&self) -> PathBuf {
        self.written.dir.path().join("audit")
    }

    /// Every line of the audit log so far.
    pub(crate) async fn lines(&self) -> Vec<serde_json::Value> {
        self.program().status.ledger.flush().await.unwrap();
        record::lines(&self.audit_path())
    }

    /// The one outcome line of a request, once it is there.
    pub(crate) async fn outcome(&self, id: &str) -> serde_json::Value {
        let mut found = None;
        until("an outcome", async || {
            found = self
                .lines()
                .await
                .into_iter()
                .find(|line| line["type"] == "outcome" && line["request"] == id);
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Drains the product and audits the world.
    pub(crate) async fn end(self) {
        self.end_then(|| ()).await;
    }

    /// The same, and looks at what is on disk afterwards.
    pub(crate) async fn end_then(mut self, look: impl FnOnce()) {
        let told = [
            self.admin("/metrics").await.text(),
            self.admin("/status").await.text(),
        ];
        let program = self.program.take().unwrap();
        program.drain("the test is over", pending()).await;
        record::audit(&self, &told, &self.log);
        look();
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
