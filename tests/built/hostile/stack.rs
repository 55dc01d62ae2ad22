//! The built program in front of a NinjaOne of this process, with a configuration file and ports of its own.

use std::{
    collections::BTreeMap, fmt::Write as _, fs, net::SocketAddr, os::unix::fs::PermissionsExt,
    path::Path, sync::Arc, time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use ninjaone_proxy::{
    app::sandbox,
    audit::files,
    sandbox::{
        DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID, Ninja, Options, seen::Seen,
    },
};
use serde_json::Value;
use tempfile::TempDir;

use super::wire::get;
use crate::program::{Program, free_address, log_level, says_where_it_listens};

const SEED: u64 = 1;
/// No test is to be slowed down by a limit that it does not test.
const PLENTY: &str = "\"1000000/s\"";

/// A setting: section, key, and its value as TOML.
pub(crate) type Setting<'a> = (&'a str, &'a str, &'a str);

/// The program, and where it listens.
pub(crate) struct Proxied {
    pub(crate) program: Program,
    dir: TempDir,
    pub(crate) callers: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Proxied {
    /// In front of whatever answers at `ninjaone`.
    pub(crate) fn start(ninjaone: SocketAddr, settings: &[Setting]) -> Self {
        Self::start_with(ninjaone, DEFAULT_CLIENT_SECRET, settings)
    }

    pub(crate) fn start_with(ninjaone: SocketAddr, secret: &str, settings: &[Setting]) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("hostile-")
            .tempdir()
            .unwrap();
        write_private(&dir.path().join("client.secret"), secret.as_bytes());
        let sealed_with = [[0x9d; 16], [0x4e; 16]].concat();
        write_private(&dir.path().join("store.key"), &sealed_with);
        let file = dir.path().join("config.toml");
        let level = level(settings);
        let chosen = (!says_where_it_listens(&level)).then(|| (free_address(), free_address()));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let places = chosen.unwrap_or((any, any));
        let toml = configuration(ninjaone, places, &level, settings);
        fs::write(&file, toml).unwrap();
        let mut program = Program::start(&file);
        // The admin listener is the last one: then the others are known too.
        let admin = chosen.map_or_else(|| program.address("admin"), |(_, admin)| admin);
        program.accepts_at(admin);
        let callers = chosen.map_or_else(|| program.address("callers"), |(callers, _)| callers);
        Self {
            program,
            dir,
            callers,
            admin,
        }
    }

    /// The lines of the audit log, once they are at least so many.
    pub(crate) async fn audit(&self, at_least: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let enough = eventually(Duration::from_secs(15), async || {
            lines = self.lines();
            lines.len() >= at_least
        });
        assert!(enough.await, "{} lines only", lines.len());
        lines
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for file in files::list(&self.dir.path().join("audit")).unwrap() {
            let text = fs::read(file.path).unwrap();
            let text = String::from_utf8(text).expect("UTF-8");
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            lines.extend(whole.split('\n').map(str::to_owned));
        }
        lines
    }

    /// The outcome lines, read, once they are at least so many.
    pub(crate) async fn outcomes(&self, at_least: usize) -> Vec<Value> {
        let mut outcomes = Vec::new();
        let enough = eventually(Duration::from_secs(15), async || {
            let lines = self.lines();
            let read = lines
                .iter()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            outcomes = read.filter(|line| line["type"] == "outcome").collect();
            outcomes.len() >= at_least
        });
        assert!(enough.await, "{} outcomes only", outcomes.len());
        outcomes
    }

    async fn status(&self) -> Value {
        let status = get(self.admin, "/status", "").await;
        serde_json::from_slice(&status.body).unwrap()
    }

    /// Waits for the service's token.
    pub(crate) async fn has_token(&self) {
        let valid = eventually(Duration::from_secs(15), async || {
            let status = self.status().await;
            let identities = status["tenants"][0]["identities"].as_array().unwrap();
            let service = identities.iter().find(|it| it["identity"] == "service");
            service.unwrap()["state"] == "valid"
        });
        assert!(valid.await, "{}", self.status().await);
    }

    /// How many connections of callers are open.
    pub(crate) async fn connections(&self) -> u64 {
        let status = self.status().await;
        let listeners = status["listeners"].as_array().unwrap();
        let callers = listeners.iter().find(|it| it["role"] == "callers");
        callers.unwrap()["connections"].as_u64().unwrap()
    }

    /// SIGTERM, and the end with exit code 0.
    pub(crate) async fn stop(mut self) {
        self.program.terminate().await;
    }
}

fn level(settings: &[Setting]) -> String {
    let mut settings = settings.iter();
    let set = settings.find_map(|(section, key, value)| {
        let is_level = (*section, *key) == ("telemetry.log", "level");
        is_level.then(|| value.trim_matches('"').to_owned())
    });
    set.unwrap_or_else(log_level)
}

/// `places` are for callers and for the admin.
fn configuration(
    ninjaone: SocketAddr,
    places: (SocketAddr, SocketAddr),
    level: &str,
    settings: &[Setting],
) -> String {
    let (callers, admin) = (format!("[\"{}\"]", places.0), format!("\"{}\"", places.1));
    let level = format!("\"{level}\"");
    let service = format!(
        "{{ client_id = \"{DEFAULT_CLIENT_ID}\", client_secret = {{ file = \"client.secret\" }} }}"
    );
    let url = format!("\"http://{ninjaone}\"");
    let user = format!("{{ client_id = \"{NATIVE_CLIENT_ID}\" }}");
    let mut sections: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    let usual = [
        ("listen", "http", callers.as_str()),
        ("listen", "workers", "1"),
        // What hangs on purpose is not waited for.
        ("listen", "drain", "\"1s\""),
        ("admin", "listen", admin.as_str()),
        ("audit", "path", "\"audit\""),
        ("store", "path", "\"store\""),
        ("store", "seal", "{ file = \"store.key\" }"),
        ("telemetry.log", "format", "\"json\""),
        ("telemetry.log", "level", level.as_str()),
        ("limits.caller", "rate", PLENTY),
        ("limits.caller", "concurrency", "4096"),
        ("limits.upstream", "rate", PLENTY),
        ("limits.upstream", "concurrency", "64"),
        ("tenant.sandbox", "url", url.as_str()),
        ("tenant.sandbox", "service", service.as_str()),
        ("tenant.sandbox", "user", user.as_str()),
        ("caller.reporting", "allow", "[\"read\"]"),
        ("caller.reporting", "deny", "[\"secrets\"]"),
        ("caller.operator", "allow", "[\"all\"]"),
    ];
    for (section, key, value) in usual.into_iter().chain(settings.iter().copied()) {
        sections.entry(section).or_default().insert(key, value);
    }
    let mut toml = String::new();
    for (section, values) in &sections {
        writeln!(toml, "[{section}]").unwrap();
        if let Some(caller) = section.strip_prefix("caller.") {
            writeln!(toml, "key = \"sha256:{}\"", sha256(&key(caller))).unwrap();
        }
        for (key, value) in values {
            writeln!(toml, "{key} = {value}").unwrap();
        }
    }
    toml
}

fn sha256(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The program in front of the sandbox's NinjaOne.
pub(crate) struct Stack {
    pub(crate) ninja: Ninja,
    pub(crate) proxy: Proxied,
}

impl Stack {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(settings: &[Setting]) -> Self {
        let ninja = Ninja::start(Options::default()).unwrap();
        let proxy = Proxied::start(ninja.address(), settings);
        Self { ninja, proxy }
    }

    /// What reached NinjaOne, less the calls for tokens.
    pub(crate) fn arrived(&self) -> Vec<Arc<Seen>> {
        let mut seen = self.ninja.seen();
        seen.retain(|it| &*it.target != b"/ws/oauth/token");
        seen
    }
}

/// The key of a caller that the sandbox knows: `reporting` may read, `operator` may do everything.
pub(crate) fn key(caller: &str) -> String {
    let keys = sandbox::keys(SEED);
    let (_, key) = keys.into_iter().find(|(name, _)| *name == caller).unwrap();
    key
}

/// Waits until `done`, for at most `longest`; whether it came to be.
pub(crate) async fn eventually(longest: Duration, mut done: impl AsyncFnMut() -> bool) -> bool {
    const LOOK_AGAIN: Duration = Duration::from_millis(10);
    let ends = tokio::time::Instant::now() + longest;
    while !done().await {
        if tokio::time::Instant::now() >= ends {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    true
}
