//! The built program in front of a server of the test's own.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use ninjaone_proxy::random;
use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running program, killed when dropped.
pub(crate) struct Proxy {
    child: Child,
    dir: TempDir,
    pub(crate) callers: SocketAddr,
    pub(crate) key: String,
}

/// What a caller got: status 0 for nothing.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Proxy {
    /// `tenant`: its URL and whatever else is said of it, as TOML. `listen`: more of that section.
    pub(crate) fn start(tenant: &str, listen: &str) -> Self {
        Self::at_level(tenant, listen, "info")
    }

    pub(crate) fn at_level(tenant: &str, listen: &str, level: &str) -> Self {
        // The log does not tell it at every level.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let callers = free.local_addr().unwrap();
        drop(free);
        let dir = tempfile::Builder::new().prefix("wire-").tempdir().unwrap();
        let key = format!(
            "njp_main_{:016x}{:016x}canary",
            random::number(),
            random::number()
        );
        let hash = hex(digest(&SHA256, key.as_bytes()).as_ref());
        write_private(&dir.path().join("acme.secret"), "client-secret-canary");
        let toml = format!(
            "[listen]\nhttp = [\"{callers}\"]\n{listen}\n[admin]\nlisten = \"\"\n[audit]\npath = \"audit\"\n\
             [limits.caller]\nrate = \"5000/s\"\nconcurrency = 500\n[limits.upstream]\nrate = \"5000/s\"\nconcurrency = 500\n\
             [telemetry.log]\nformat = \"json\"\nlevel = \"{level}\"\n\
             [tenant.acme]\n{tenant}\nservice = {{ client_id = \"wire\", client_secret = {{ file = \"acme.secret\" }} }}\n\
             [caller.main]\nkey = \"sha256:{hash}\"\nallow = [\"all\"]\n"
        );
        fs::write(dir.path().join("config.toml"), toml).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ninjaone-proxy"))
            .args(["run", "--config"])
            .arg(dir.path().join("config.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let proxy = Self {
            child,
            dir,
            callers,
            key,
        };
        until("the program to listen", || {
            TcpStream::connect(callers).is_ok()
        });
        proxy
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.callers).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// A request on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Answer {
        let (host, key) = (self.callers, &self.key);
        let mut socket = self.connect();
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {key}\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        Answer::read(&mut socket)
    }

    /// Whether the answer comes: a program that is stuck gives none.
    pub(crate) fn is_alive(&self) -> bool {
        self.get("/v2/users").status == 200
    }

    /// Until there is a token.
    pub(crate) fn get_once_ready(&self, target: &str) -> Answer {
        let mut answer = self.get(target);
        until("a token", || {
            if answer.status == 503 {
                answer = self.get(target);
            }
            answer.status != 503
        });
        answer
    }

    /// The audit log, once it has a line that `fits`.
    pub(crate) fn line(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        until("a line in the audit log", || {
            found = self.lines().into_iter().rev().find(&fits);
            found.is_some()
        });
        found.unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let mut text = String::new();
        for file in fs::read_dir(self.dir.path().join("audit")).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|it| it == "jsonl") {
                text.push_str(&fs::read_to_string(file).unwrap());
            }
        }
        let lines = text.lines();
        lines
            .filter_map(|it| serde_json::from_str(it).ok())
            .collect()
    }

    /// Resident memory in KiB, as the kernel counts it.
    pub(crate) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).unwrap();
        let line = status.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// Everything up to the end of the connection.
    pub(crate) fn read(socket: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // What came before a reset counts.
        let _ = socket.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).and_then(|it| it.parse().ok());
        Self {
            status: status.unwrap_or_default(),
            text,
        }
    }

    pub(crate) fn body(&self) -> &str {
        self.text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
    }

    pub(crate) fn code(&self) -> String {
        let problem: Value = serde_json::from_str(self.body()).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Looks again and again; panics when it takes too long.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
