//! An ordinary user without configured directories: on a terminal the log and the store are in the user's own state
//! directory, and every command finds them there; a service never goes there.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::{
    directory::write_private,
    key::{caller_toml, new_key, seal},
    program::{PROGRAM, Program},
    wire::Wire,
};

/// `nobody`, if the tests run as root.
const ORDINARY: u32 = 65_534;

/// Becomes the program as an ordinary user; its input is a terminal if asked for.
const AS_ORDINARY_USER: &str = r#"
import os, sys
if sys.argv[1] == "terminal":
    typed_at, terminal = os.openpty()
    os.set_inheritable(typed_at, True)
    os.dup2(terminal, 0)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
os.execv(sys.argv[2], sys.argv[2:])
"#;

/// The home of an ordinary user who has written a configuration without directories.
struct Home {
    directory: tempfile::TempDir,
    program: PathBuf,
    key: String,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Others may not be let in to where it was built.
        let program = directory.path().join("ninjaone-proxy");
        fs::copy(PROGRAM, &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let key = new_key("reports");
        let toml = format!(
            "[listen]\nhttp = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n[telemetry.log]\nformat = \"json\"\n\
             [store]\nseal = {{ file = \"store.key\" }}\n\
             [tenant.acme]\nurl = \"http://127.0.0.1:1\"\n\
             service = {{ client_id = \"one\", client_secret = {{ file = \"acme.secret\" }} }}\n{}",
            caller_toml("reports", &key, "allow = [\"read\"]")
        );
        let home = Self {
            directory,
            program,
            key,
        };
        write_private(&home.join("config.toml"), toml);
        write_private(&home.join("acme.secret"), "a-secret-that-nobody-asks-for");
        write_private(&home.join("store.key"), seal());
        if rustix::process::geteuid().is_root() {
            for name in ["", "config.toml", "acme.secret", "store.key"] {
                chown(home.join(name), Some(ORDINARY), Some(ORDINARY)).unwrap();
            }
        }
        home
    }

    fn join(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.join("config.toml")
    }

    fn state(&self) -> PathBuf {
        self.join(".local/state/ninjaone-proxy")
    }

    /// A command of this user's; `input` is `terminal` or something else.
    fn command(&self, input: &str) -> Command {
        let mut command = Command::new("python3");
        command.args(["-c", AS_ORDINARY_USER, input]);
        command.arg(&self.program);
        command.current_dir("/").env("HOME", self.directory.path());
        for name in [
            "XDG_STATE_HOME",
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "SYSTEMD_EXEC_PID",
            "LOGS_DIRECTORY",
            "STATE_DIRECTORY",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, mut command: Command) -> Program {
        // The tests' own output may be a terminal.
        command.stdout(Stdio::null());
        Program::start_by(command, &self.config())
    }

    fn typed(&self, input: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(input);
        command.args(arguments).arg("--config").arg(self.config());
        command.stdin(Stdio::null()).output().unwrap()
    }
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn is_within(path: &Path, text: &str) -> bool {
    text.contains(path.to_str().unwrap())
}

#[tokio::test]
async fn on_a_terminal_log_and_store_are_the_users_own_and_every_command_finds_them() {
    let home = Home::new();
    let audit = home.state().join("audit");
    let doctor = text(&home.typed("terminal", &["doctor", "--offline"]));
    assert!(is_within(&audit, &doctor), "{doctor}");
    assert!(
        doctor.contains("can be created (your own state directory"),
        "{doctor}"
    );
    assert!(!home.join(".local").exists(), "nothing is left behind");

    let mut program = home.run(home.command("terminal"));
    let callers = program.address("callers");
    let said = program
        .log
        .with(&["the audit log is in", audit.to_str().unwrap()]);
    assert_eq!(said.len(), 1, "{}", program.log.text());
    assert_eq!(program.log.with(&["the store is in"]).len(), 1);
    let mut wire = Wire::to(callers).await;
    wire.send(format!(
        "GET /v2/users HTTP/1.1\r\nHost: {callers}\r\nX-Api-Key: {}\r\n\r\n",
        home.key
    ))
    .await;
    let answer = wire.answer().await.expect("an answer");
    answer.refuses(503, "token-unavailable");

    // No terminal is needed any more to find it.
    let explained = home.typed("none", &["explain", answer.id()]);
    // A token may come later.
    assert_eq!(explained.status.code(), Some(75), "{}", text(&explained));
    program.terminate().await;
    let verified = home.typed("none", &["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    assert!(home.state().join("store").is_dir());
    let shown = text(&home.typed("none", &["config", "show"]));
    assert!(is_within(&audit, &shown), "{shown}");
}

/// The window is a service of the user's, and hands its variables down.
#[tokio::test]
async fn a_shell_in_a_terminal_window_is_no_service() {
    let home = Home::new();
    let mut command = home.command("terminal");
    command.envs([
        ("INVOCATION_ID", "0123456789abcdef"),
        ("JOURNAL_STREAM", "8:12345"),
        ("SYSTEMD_EXEC_PID", "1"),
    ]);

    let mut program = home.run(command);

    program.address("callers");
    assert!(home.state().join("audit").is_dir());
}

#[tokio::test]
async fn without_a_terminal_and_under_systemd_the_default_is_named_and_nothing_is_split() {
    let home = Home::new();
    let mut as_service = home.command("terminal");
    as_service.env("INVOCATION_ID", "0123456789abcdef");
    for command in [home.command("none"), as_service] {
        let mut program = home.run(command);
        let status = program.ends().await;
        let log = program.log.text();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(
            log.contains("which is not set") && log.contains(".path`"),
            "{log}"
        );
    }
    let doctor = home.typed("none", &["doctor", "--offline"]);
    let said = text(&doctor);
    assert_eq!(doctor.status.code(), Some(1), "{said}");
    for word in [
        "/var/log/ninjaone-proxy/audit cannot be written",
        "the default of `audit.path`, which is not set",
        "the default of `store.path`, which is not set",
    ] {
        assert!(said.contains(word), "{word:?} in:\n{said}");
    }
    assert!(!home.join(".local").exists());
}
