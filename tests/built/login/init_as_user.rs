//! What `init` writes for an ordinary user serves as it is: the same user checks it and runs it, without a terminal, and finds
//! log and store in the state directory.

use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::program::{PROGRAM, Program};

use super::world::{NATIVE, World};

const SECRET: &str = "sandbox-secret-not-a-real-one";
/// `nobody`, if the tests run as root.
const ORDINARY: u32 = 65_534;

struct Home {
    directory: TempDir,
    program: PathBuf,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Others may not be let in to where it was built.
        let program = directory.path().join("ninjaone-proxy");
        fs::copy(PROGRAM, &program).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(directory.path(), Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
        Self { directory, program }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The program as the ordinary user, on ports that nobody else has.
    fn command(&self) -> Command {
        let mut command = if rustix::process::geteuid().is_root() {
            let user = ORDINARY.to_string();
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
            command.arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", self.path()).current_dir("/");
        command.env("NJP__LISTEN__HTTP", "[\"127.0.0.1:0\"]");
        command.env("NJP__ADMIN__LISTEN", "127.0.0.1:0");
        command.env("NJP__TELEMETRY__LOG__FORMAT", "json");
        command
    }

    fn typed(&self, arguments: &[&str], lines: &str) -> Output {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may have ended without reading.
        let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
        child.wait_with_output().unwrap()
    }
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn what_is_written_is_checked_and_run_by_the_same_user() {
    let world = World::new(NATIVE);
    let home = Home::new();
    let config = home.path().join(".config/ninjaone-proxy/config.toml");
    let state = home.path().join(".local/state/ninjaone-proxy");
    let typed = format!("{}\nsandbox-client\n{SECRET}\n", world.ninja.address());
    let arguments = ["init", "--user-client-id", "sandbox-native"];
    let written = home.typed(&arguments, &typed);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written));
    let said = text(&written);
    // They are found without --config.
    for command in [
        "\n  ninjaone-proxy login\n",
        "\n  ninjaone-proxy caller add my-script --allow read\n",
        "\n  ninjaone-proxy run\n",
    ] {
        assert!(said.contains(command), "{said}");
    }
    let text_of_it = fs::read_to_string(&config).unwrap();
    for (name, path) in [("[audit]", "audit"), ("store.key", "store")] {
        let line = format!("path = \"{}\"", state.join(path).display());
        assert!(
            text_of_it.contains(name) && text_of_it.contains(&line),
            "{text_of_it}"
        );
    }

    let checked = home.typed(&["config", "check"], "");
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked));
    let added = home.typed(&["caller", "add", "my-script", "--allow", "read"], "");
    assert_eq!(added.status.code(), Some(0), "{}", text(&added));
    let mut program = Program::start_by(home.command(), &config);
    program.address("callers");
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(program.terminate());
    let log = state.join("audit");
    assert_eq!(
        log.metadata().unwrap().uid(),
        config.metadata().unwrap().uid()
    );
    assert!(fs::read_dir(&log).unwrap().count() > 0);
}

#[test]
fn a_place_that_cannot_be_written_is_named_before_anything_is_asked() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = Home::new();
    let refused = home.typed(&["--config", "/etc/nobody/config.toml", "init"], "");
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    let said = text(&refused);
    assert!(said.contains("/etc/nobody cannot be written"), "{said}");
    assert!(!said.contains("Where is your NinjaOne"), "{said}");
}
