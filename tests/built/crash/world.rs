//! A NinjaOne, a store with a login in it, and the directories that programs are started from.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use ninjaone_proxy::{
    app::wiring,
    clock::Reading,
    config::{self, Config, read::sources::Sources},
    credentials::{
        login::completion::store_login,
        store::{
            LoginStore,
            stored_login::{StoredAccessToken, StoredLogin},
        },
    },
    sandbox::{
        DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID, Sandbox, SandboxOptions,
        faults::Faults,
    },
};

use crate::{
    directory::Directory,
    key::{hex, seal},
    settings::Settings,
    wait::until_within,
};

/// Longest that a test waits for anything.
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(1);

/// Of the only caller.
pub(crate) const KEY: &str = "njp_main_a-key-that-only-these-tests-know";

pub(crate) struct World {
    pub(crate) ninja: Sandbox,
    directory: Directory,
    config: OnceLock<Config>,
    since: Mutex<Since>,
}

/// How things stood when the login began.
#[derive(Default)]
struct Since {
    generation: u64,
    rotations: u64,
}

impl World {
    /// NinjaOne's access tokens live for `life`.
    pub(crate) fn new(life: Duration) -> Self {
        let options = SandboxOptions {
            token_life: life,
            ..SandboxOptions::default()
        };
        let directory = Directory::new();
        directory.write("store.key", hex(&seal()));
        directory.write("acme.secret", DEFAULT_CLIENT_SECRET);
        Self {
            ninja: Sandbox::start(options).unwrap(),
            directory,
            config: OnceLock::new(),
            since: Mutex::default(),
        }
    }

    /// Somebody logs in. The access token is on record if `with_access`; otherwise the first renewal is due at once.
    pub(crate) async fn log_in(&self, with_access: bool) {
        let login = self.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
        let config = self.config();
        let (tenant, user) = (&config.tenants[0], config.tenants[0].user.as_ref().unwrap());
        let application = wiring::user_application(&wiring::endpoint(&tenant.origin), user);
        let now = Reading::now();
        let access =
            with_access.then(|| StoredAccessToken::dated(login.access_token, now, login.life));
        let kept = StoredLogin {
            generation: 1,
            client_id: application.client_id,
            host: application.endpoint.authority(),
            scopes: Vec::new(),
            logged_in_at: now.at,
            refreshed_at: now.at,
            refresh_token: Some(login.refresh_token),
            access_token: access,
            renewal_marker: None,
            ended: None,
        };
        let store = open(config);
        store_login(&store, &wiring::login_slot(&tenant.name), kept)
            .await
            .unwrap();
        *self.since.lock().unwrap() = Since {
            generation: self.kept().generation,
            rotations: self.ninja.counts().rotations,
        };
    }

    /// The login on record, which can be read whatever has happened.
    #[track_caller]
    pub(crate) fn kept(&self) -> StoredLogin {
        let config = self.config();
        let slot = wiring::login_slot(&config.tenants[0].name);
        let found = open(config).read(&slot);
        let found = found.unwrap_or_else(|error| panic!("the store is not readable: {error}"));
        found.expect("never logged out").login
    }

    fn config(&self) -> &Config {
        self.config.get_or_init(|| self.house("config").config())
    }

    /// The generation of the login that NinjaOne takes now: one more for each exchange.
    pub(crate) fn newest(&self) -> u64 {
        let since = self.since.lock().unwrap();
        since.generation + self.ninja.counts().rotations - since.rotations
    }

    /// What was answered to each request to the API, oldest first.
    pub(crate) fn api_requests(&self) -> Vec<Option<u16>> {
        let seen = self.ninja.requests();
        let api = seen.iter().filter(|it| it.target.starts_with(b"/v2/"));
        api.map(|it| it.status()).collect()
    }

    pub(crate) fn trouble(&self, json: &str) {
        let faults = Faults::parse(json.as_bytes()).unwrap();
        self.ninja.faults().set(faults);
    }

    pub(crate) fn no_trouble(&self) {
        self.ninja.faults().clear();
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.directory.join("store")
    }

    /// All names that the store gives to its files, and the directory's own.
    pub(crate) fn store_files(&self) -> Vec<PathBuf> {
        let names = ["login", "last", "seen", "lock", "draft"];
        let files = names.map(|it| self.store_path().join(format!("acme.user.{it}")));
        [vec![self.store_path()], files.into()].concat()
    }

    /// A directory to start a program from. All of one world share the store.
    pub(crate) fn house(&self, name: &str) -> House {
        House {
            directory: self.directory.join(name),
            around: self.directory.path().to_owned(),
            ninja: self.ninja.address(),
            refresh_at: "80%".to_owned(),
            keepalive: "12h".to_owned(),
            with_service: false,
        }
    }
}

fn open(config: &Config) -> LoginStore {
    let store = config.store.as_ref().expect("a store");
    wiring::open_store(store).unwrap_or_else(|error| panic!("{error}"))
}

/// A directory with a configuration.
#[derive(Clone)]
pub(crate) struct House {
    directory: PathBuf,
    around: PathBuf,
    ninja: SocketAddr,
    refresh_at: String,
    keepalive: String,
    with_service: bool,
}

impl House {
    pub(crate) fn refresh_at(mut self, text: &str) -> Self {
        text.clone_into(&mut self.refresh_at);
        self
    }

    pub(crate) fn keepalive(mut self, text: &str) -> Self {
        text.clone_into(&mut self.keepalive);
        self
    }

    /// With a service identity beside the user's.
    pub(crate) fn with_service(mut self) -> Self {
        self.with_service = true;
        self
    }

    pub(crate) fn audit(&self) -> PathBuf {
        self.directory.join("audit")
    }

    /// Writes the configuration; gives the directory that it is in.
    pub(crate) fn write(&self) -> Directory {
        let directory = Directory::at(self.directory.clone());
        directory.configure(&self.settings().toml());
        directory
    }

    fn config(&self) -> Config {
        let sources = Sources {
            file: self.write().config(),
            environment: Vec::new(),
        };
        let loaded = config::load(&sources, &wiring::builtin_operations());
        loaded
            .unwrap_or_else(|problems| panic!("{:?}", problems.as_slice()))
            .0
    }

    fn settings(&self) -> Settings {
        let within = |name: &str| self.around.join(name).display().to_string();
        let seal = format!("{{ file = \"{}\" }}", within("store.key"));
        let store = format!("\"{}\"", within("store"));
        let user = |text: &str| format!("\"{text}\"");
        let url = format!("\"http://{}\"", self.ninja);
        let mut settings = Settings::usual().with(&[
            ("listen", "connections_per_peer", "4000"),
            ("listen", "workers", "1"),
            ("limits.caller", "concurrency", "2500"),
            ("limits.upstream", "concurrency", "2500"),
            // Where it listens is read in the log.
            ("telemetry.log", "level", "\"info\""),
            ("store", "path", &store),
            ("store", "seal", &seal),
            ("tenant.acme", "url", &url),
            ("tenant.acme.user", "client_id", &user(NATIVE_CLIENT_ID)),
            ("tenant.acme.user", "refresh_at", &user(&self.refresh_at)),
            ("tenant.acme.user", "keepalive", &user(&self.keepalive)),
        ]);
        if self.with_service {
            let secret = within("acme.secret");
            let service = format!(
                "{{ client_id = \"{DEFAULT_CLIENT_ID}\", client_secret = {{ file = \"{secret}\" }} }}"
            );
            settings.set("tenant.acme", "service", &service);
        }
        settings.caller("main", KEY, "allow = [\"all\"]");
        settings
    }
}

/// Whether there is time for what takes minutes.
pub(crate) fn is_long() -> bool {
    std::env::var_os("NJP_LONG").is_some_and(|it| it == "1")
}

/// Waits longer than other tests: many programs run at a time, each under the eyes of `strace`.
pub(crate) async fn until(what: &str, done: impl AsyncFnMut() -> bool) {
    until_within(WAIT_MAX, what, done).await;
}

/// Does the same in several worlds at a time, each on a thread of its own.
pub(crate) fn abreast<I, T, F>(
    each: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> F + Sync,
) -> Vec<T>
where
    I: Send,
    T: Send,
    F: Future<Output = T>,
{
    let run = &|one: I| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(work(one))
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = each
            .into_iter()
            .map(|one| scope.spawn(move || run(one)))
            .collect();
        let results = running.into_iter().map(std::thread::ScopedJoinHandle::join);
        results
            .map(|it| it.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
