//! A make-believe NinjaOne, a configuration for it, and the program at work.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use ninjaone_proxy::sandbox::{Client, Ninja, Options};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ninjaone-proxy");

pub(crate) const OPERATOR_KEY: &str = "operator-key-of-at-least-32-characters";

/// `printf %s operator-key-of-at-least-32-characters | sha256sum`
fn operator_digest() -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, OPERATOR_KEY.as_bytes());
    digest
        .as_ref()
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn digest(text: &[u8]) -> aws_lc_rs::digest::Digest {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text)
}

pub(crate) struct World {
    pub(crate) ninja: Ninja,
    pub(crate) dir: TempDir,
    /// Of this machine, free a moment ago.
    pub(crate) redirect: String,
    pub(crate) admin: SocketAddr,
    _runtime: Runtime,
}

pub(crate) const NATIVE: &str = "client_id = \"sandbox-native\"";
pub(crate) const WEB: &str =
    "client_id = \"sandbox-web\"\nclient_secret = { file = \"web.secret\" }";
pub(crate) const SINGLE_PAGE: &str = "client_id = \"sandbox-spa\"\nplatform = \"single-page\"";

impl World {
    /// With these settings of `[tenant.acme.user]`; the redirect is added.
    pub(crate) fn new(user: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let redirect = format!("http://{}/callback", free());
        let mut clients = Client::known();
        for client in &mut clients {
            client.redirects.push(redirect.clone());
        }
        let ninja = {
            let _guard = runtime.enter();
            Ninja::start(Options {
                clients,
                ..Options::default()
            })
            .unwrap()
        };
        let world = Self {
            ninja,
            dir: tempfile::tempdir().unwrap(),
            redirect,
            admin: free(),
            _runtime: runtime,
        };
        private(&world.path("store.key"), digest(b"store").as_ref());
        private(
            &world.path("service.secret"),
            b"sandbox-secret-not-a-real-one",
        );
        private(
            &world.path("web.secret"),
            b"sandbox-web-secret-not-a-real-one",
        );
        private(&world.path("operator.key"), OPERATOR_KEY.as_bytes());
        world.configure(user, &format!("redirect = \"{}\"", world.redirect));
        world
    }

    pub(crate) fn configure(&self, user: &str, redirect: &str) {
        let (ninja, admin, digest) = (self.ninja.address(), self.admin, operator_digest());
        let text = format!(
            "[listen]\nhttp = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"{admin}\"\n\
             [[admin.access]]\nrole = \"operator\"\nkey = \"sha256:{digest}\"\n\
             [audit]\npath = \"audit\"\n[store]\npath = \"store\"\nseal = {{ file = \"store.key\" }}\n\
             [tenant.acme]\nurl = \"http://{ninja}\"\n\
             service = {{ client_id = \"sandbox-client\", client_secret = {{ file = \"service.secret\" }} }}\n\
             [tenant.acme.user]\n{user}\n{redirect}\n"
        );
        private(&self.path("config.toml"), text.as_bytes());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .arg("--config")
            .arg(self.path("config.toml"))
            .args(arguments);
        command
    }

    /// `--json login` with these arguments, and its first object.
    pub(crate) fn login(&self, arguments: &[&str]) -> (Login, Value) {
        let mut all = vec!["--json", "login"];
        all.extend(arguments);
        let mut login = Login::start(self.command(&all));
        let first = login.next();
        (login, first)
    }

    /// The exit code of a command, and what it prints as JSON.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, Value) {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let output = self.command(&all).output().unwrap();
        let printed = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code().unwrap(), printed)
    }
}

/// A running `login`.
pub(crate) struct Login {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Login {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// The next object that it prints.
    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or(Value::Null)
    }

    pub(crate) fn paste(&mut self, line: &str) {
        writeln!(self.input.as_ref().unwrap(), "{line}").unwrap();
    }

    /// The last object, and the exit code.
    pub(crate) fn end(mut self) -> (i32, Value) {
        drop(self.input.take());
        let last = self.next();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        (self.child.wait().unwrap().code().unwrap_or(-1), last)
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name]
        .as_str()
        .unwrap_or_else(|| panic!("{object} has no {name}"))
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

pub(crate) fn private(path: &Path, content: &[u8]) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(content).unwrap();
}
