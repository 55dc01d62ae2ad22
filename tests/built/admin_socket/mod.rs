//! The admin socket and the commands that ask it: who may look, who may change something, and what is on record of it.

mod access;
mod asking;
mod callers;
mod commands;
mod unreachable;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use crate::{directory::Directory, program::PROGRAM, proxy::Proxy, settings::Settings};

/// An account that every Debian has and that owns nothing (`nobody`).
const NOBODY: &str = "65534";

/// A running proxy with an admin socket, and nothing open to anybody on its admin listener.
struct Guarded {
    proxy: Proxy,
    settings: Settings,
}

impl Guarded {
    fn start(access: &str) -> Self {
        Self::start_with(access, |_| {})
    }

    /// The same with more settings.
    fn start_with(access: &str, add: impl FnOnce(&mut Settings)) -> Self {
        let directory = Directory::new();
        // Others reach the socket; what they may do there is what is tested.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        directory.write("acme.secret", "a-client-secret-of-some-length");
        let mut settings = Settings::usual().with(&[
            ("admin", "anonymous", "false"),
            ("admin", "socket", "\"admin.sock\""),
            ("admin", "access", access),
        ]);
        add(&mut settings);
        // Nothing listens there: no test here is about NinjaOne.
        settings.tenant("127.0.0.1:9".parse().unwrap(), "client");
        let proxy = Proxy::start(directory, settings.clone());
        Self { proxy, settings }
    }

    fn socket(&self) -> PathBuf {
        self.proxy.directory.join("admin.sock")
    }

    /// Writes the configuration with other access; nothing else tells the proxy.
    fn rewrite(&mut self, setting: &str, value: &str) {
        self.settings.set("admin", setting, value);
        self.proxy.directory.configure(&self.settings.toml());
    }

    /// A command of the user that runs the tests, who knows the socket and no configuration.
    fn command(&self, arguments: &[&str]) -> Told {
        Told::of(&mut self.naming_the_socket(Command::new(PROGRAM), arguments))
    }

    /// The same by somebody else.
    fn command_of_nobody(&self, arguments: &[&str]) -> Told {
        let mut other = Command::new("setpriv");
        other.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        other.arg(PROGRAM);
        Told::of(&mut self.naming_the_socket(other, arguments))
    }

    fn naming_the_socket(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .args(arguments)
            .env("NJP_ADMIN", self.socket())
            .env("HOME", "/nonexistent")
            .env_remove("XDG_CONFIG_HOME");
        command
    }
}

/// What a command said, and how it ended.
struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Told {
    fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        Self {
            code: status.code().unwrap(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }
}
