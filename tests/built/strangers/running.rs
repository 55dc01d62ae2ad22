//! The built program, running.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use tempfile::TempDir;

use super::wire::{Answer, Wire};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ninjaone-proxy");
/// For what is known to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const CLIENT_ID: &str = "strangers-client";
pub(crate) const CLIENT_SECRET: &str = "a client secret of the tests";
/// Of the caller `main`, who may do everything.
pub(crate) const KEY: &str = "njp_main_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
/// Of another caller with the same rights.
pub(crate) const OTHER_KEY: &str = "njp_other_123456789abcdefghijklmnopqrstuvwxyzABCDEFGH";

/// Of somebody who may log people in.
pub(crate) const OPERATOR_KEY: &str = "njp_operator_3456789abcdefghijklmnopqrstuvwxyzABCDEFGHI";

/// A configuration that is still being written: TOML by section.
pub(crate) struct Plan {
    ninja: SocketAddr,
    listen: String,
    timeouts: String,
    concurrency: u32,
    /// Most file descriptors that the process may have.
    files: Option<u32>,
}

impl Plan {
    /// In front of the NinjaOne at `ninja`.
    pub(crate) fn before(ninja: SocketAddr) -> Self {
        Self {
            ninja,
            listen: String::new(),
            timeouts: String::new(),
            concurrency: 64,
            files: None,
        }
    }

    pub(crate) fn listen(mut self, toml: &str) -> Self {
        writeln!(self.listen, "{toml}").unwrap();
        self
    }

    pub(crate) fn timeouts(mut self, toml: &str) -> Self {
        writeln!(self.timeouts, "{toml}").unwrap();
        self
    }

    /// Requests that may be at NinjaOne at a time.
    pub(crate) fn concurrency(mut self, concurrency: u32) -> Self {
        self.concurrency = concurrency;
        self
    }

    pub(crate) fn files(mut self, files: u32) -> Self {
        self.files = Some(files);
        self
    }

    fn write(&self, dir: &Path) {
        let Self {
            ninja,
            listen,
            timeouts,
            concurrency,
            ..
        } = self;
        let (key, other, operator) = (hash(KEY), hash(OTHER_KEY), hash(OPERATOR_KEY));
        let toml = format!(
            "[listen]\nhttp = [\"127.0.0.1:0\"]\n{listen}\n[timeouts]\n{timeouts}\n\
             [admin]\nlisten = \"127.0.0.1:0\"\nprobes = \"127.0.0.1:0\"\naccess = [{{ key = \"{operator}\", role = \"operator\" }}]\n\
             [audit]\npath = \"audit\"\n[telemetry.log]\nformat = \"json\"\n\
             [limits.caller]\nrate = \"5000/s\"\nconcurrency = 500\n\
             [limits.upstream]\nrate = \"5000/s\"\nconcurrency = {concurrency}\n\
             [tenant.acme]\nurl = \"http://{ninja}\"\n\
             service = {{ client_id = \"{CLIENT_ID}\", client_secret = {{ file = \"acme.secret\" }} }}\n\
             [caller.main]\nkey = \"{key}\"\nallow = [\"all\"]\n\
             [caller.other]\nkey = \"{other}\"\nallow = [\"all\"]\n"
        );
        fs::write(dir.join("config.toml"), toml).unwrap();
        let secret = dir.join("acme.secret");
        fs::write(&secret, CLIENT_SECRET).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) async fn start(self) -> Running {
        let dir = TempDir::with_prefix("strangers-").unwrap();
        self.write(dir.path());
        let limit = self.files.map(|it| format!("ulimit -n {it}; "));
        let script = format!("{}exec \"$0\" \"$@\"", limit.unwrap_or_default());
        let mut child = Command::new("sh")
            .args(["-c", &script, PROGRAM, "run", "--config"])
            .arg(dir.path().join("config.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::default();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (callers, admin, probes) = log.addresses(&mut stderr);
        let kept = log.clone();
        std::thread::spawn(move || kept.read(&mut stderr));
        let running = Running {
            child,
            dir,
            log,
            callers,
            admin,
            probes,
        };
        until("the first answer", async || {
            running.get().await.is_some_and(|it| it.status == 200)
        })
        .await;
        running
    }
}

fn hash(key: &str) -> String {
    let hash = digest(&SHA256, key.as_bytes());
    hash.as_ref()
        .iter()
        .fold("sha256:".to_owned(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

/// What the program writes to stderr.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn line(&self, from: &mut impl BufRead) -> Option<String> {
        let mut line = String::new();
        let length = from.read_line(&mut line).unwrap_or_default();
        self.0.lock().unwrap().push(line.clone());
        (length > 0).then_some(line)
    }

    /// Of callers, admin and probes.
    fn addresses(&self, from: &mut impl BufRead) -> (SocketAddr, SocketAddr, SocketAddr) {
        let mut found = [None; 3];
        while found.iter().any(Option::is_none) {
            let Some(line) = self.line(from) else {
                panic!("the program does not listen: {:?}", self.0.lock().unwrap());
            };
            if !line.contains("listening") {
                continue;
            }
            let Some((_, rest)) = line.split_once("http://") else {
                continue;
            };
            let end = rest.find('"').unwrap();
            for (role, found) in ["callers", "admin", "probes"].iter().zip(&mut found) {
                if line.contains(&format!("\"{role}\"")) {
                    *found = Some(rest[..end].parse().unwrap());
                }
            }
        }
        let [callers, admin, probes] = found.map(Option::unwrap);
        (callers, admin, probes)
    }

    fn read(&self, from: &mut impl BufRead) {
        while self.line(from).is_some() {}
    }

    /// Lines that hold all of `words`.
    pub(crate) fn with(&self, words: &[&str]) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        let holds = |line: &&String| words.iter().all(|word| line.contains(word));
        lines.iter().filter(holds).cloned().collect()
    }
}

/// The program, killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) dir: TempDir,
    pub(crate) log: Log,
    pub(crate) callers: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) probes: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// A connection of a caller's.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::to(self.callers).await
    }

    /// None if the connection was closed instead.
    pub(crate) async fn get(&self) -> Option<Answer> {
        let mut wire = self.wire().await;
        wire.send(get("/v2/users", KEY)).await;
        wire.answer().await
    }

    pub(crate) async fn metric(&self, line: &str) -> u64 {
        let mut wire = Wire::to(self.admin).await;
        wire.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        let page = wire.answer().await.expect("metrics").text();
        let name = format!("ninjaone_proxy_{line} ");
        let value = page.lines().find_map(|it| it.strip_prefix(&name));
        value
            .unwrap_or_else(|| panic!("no {name} in {page}"))
            .parse()
            .unwrap()
    }

    /// The line of a request's end, as soon as it is written.
    pub(crate) async fn outcome(&self, id: &str) -> Value {
        self.outcome_where(|line| line["request"] == id).await
    }

    pub(crate) async fn outcome_where(&self, which: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        until("the outcome", async || {
            found = self
                .audit()
                .into_iter()
                .find(|line| line["type"] == "outcome" && which(line));
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    fn audit(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        for file in fs::read_dir(self.dir.path().join("audit")).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap_or_default();
            // The last line may be half written.
            lines.extend(text.lines().filter_map(|it| serde_json::from_str(it).ok()));
        }
        lines
    }
}

pub(crate) fn get(target: &str, key: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\r\n")
}

/// The head of a request that brings a body.
pub(crate) fn post(target: &str, key: &str, framing: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n{framing}\r\n\r\n")
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
