//! A sandbox, a configuration for it, and the running program.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use ninjaone_proxy::sandbox::{
    Client, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox, SandboxOptions, WEB_CLIENT_SECRET,
};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    directory::Directory,
    key::{hash, seal},
    program::{PROGRAM, free_address},
    settings::Settings,
};

pub(crate) const OPERATOR_KEY: &str = "operator-key-of-at-least-32-characters";

pub(crate) struct World {
    pub(crate) ninja: Sandbox,
    pub(crate) directory: Directory,
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
        let redirect = format!("http://{}/callback", free_address());
        let mut clients = Client::defaults();
        for client in &mut clients {
            client.redirects.push(redirect.clone());
        }
        let ninja = {
            let _guard = runtime.enter();
            Sandbox::start(SandboxOptions {
                clients,
                ..SandboxOptions::default()
            })
            .unwrap()
        };
        let world = Self {
            ninja,
            directory: Directory::new(),
            redirect,
            admin: free_address(),
            _runtime: runtime,
        };
        let directory = &world.directory;
        directory.write("store.key", seal());
        directory.write("acme.secret", DEFAULT_CLIENT_SECRET);
        directory.write("web.secret", WEB_CLIENT_SECRET);
        directory.write("operator.key", OPERATOR_KEY);
        world.configure(user, &format!("redirect = \"{}\"", world.redirect));
        world
    }

    pub(crate) fn configure(&self, user: &str, redirect: &str) {
        let (admin, operator) = (self.admin, hash(OPERATOR_KEY));
        let mut settings = Settings::usual().with(&[
            ("admin", "listen", &format!("\"{admin}\"")),
            ("store", "path", "\"store\""),
            ("store", "seal", "{ file = \"store.key\" }"),
        ]);
        settings.tenant(self.ninja.address(), DEFAULT_CLIENT_ID);
        settings.also(&format!(
            "[[admin.access]]\nrole = \"operator\"\nkey = \"{operator}\""
        ));
        settings.also(&format!("[tenant.acme.user]\n{user}\n{redirect}"));
        self.directory.configure(&settings.toml());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.directory.path())
            .arg("--config")
            .arg(self.directory.config())
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
