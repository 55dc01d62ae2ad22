//! What is said where a right or room is missing: whoever reads it can do it.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt,
    process::Command,
};

use crate::{directory::Directory, program::PROGRAM, settings::Settings, small_disk::SmallDisk};

/// An account that every Debian has and that owns nothing (`nobody`).
const NOBODY: &str = "65534";

/// A configuration that everybody may read, with a secret that is for its owner alone.
fn configured(audit: Option<&SmallDisk>) -> Directory {
    let directory = Directory::new();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    directory.write("acme.secret", "a-client-secret-of-some-length");
    let mut settings = Settings::usual();
    if let Some(disk) = audit {
        settings.set("audit", "path", &format!("\"{}\"", disk.log().display()));
    }
    settings.tenant("127.0.0.1:9".parse().unwrap(), "client");
    directory.configure(&settings.toml());
    fs::set_permissions(directory.config(), Permissions::from_mode(0o644)).unwrap();
    directory
}

/// What somebody who owns nothing is told on both streams; none where nobody can become another user.
fn told_to_nobody(directory: &Directory, arguments: &[&str]) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: what another user is told, because only root can become one"
        );
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    command.arg(PROGRAM).args(arguments);
    Some(told(&mut command, directory))
}

fn told(command: &mut Command, directory: &Directory) -> String {
    let command = command.arg("--config").arg(directory.config());
    let output = command.env("HOME", "/nonexistent").output().unwrap();
    assert!(!output.status.success());
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn whoever_may_not_read_a_secret_is_told_who_may() {
    let directory = configured(None);
    let Some(told) = told_to_nobody(&directory, &["config", "check"]) else {
        return;
    };
    let secret = directory.join("acme.secret").display().to_string();
    for words in [
        format!("the secret file {secret} cannot be read"),
        format!(
            "run it as the user of the proxy or as root (sudo), or give this user the right to read {secret}"
        ),
    ] {
        assert!(told.contains(&words), "{words}: {told}");
    }
}

#[test]
fn whoever_may_not_write_the_files_of_callers_is_told_who_may() {
    let directory = configured(None);
    let add = ["caller", "add", "bob", "--allow", "read"];
    let Some(told) = told_to_nobody(&directory, &add) else {
        return;
    };
    assert!(told.contains("callers.d/bob.toml: "), "{told}");
    assert!(told.contains("run it as their owner, or as root"), "{told}");
}

#[test]
fn a_full_disk_is_to_be_given_room_and_no_other_rights() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    fs::create_dir(disk.log()).unwrap();
    fs::set_permissions(disk.log(), Permissions::from_mode(0o700)).unwrap();
    disk.fill(64 << 10);
    let directory = configured(Some(&disk));
    let mut doctor = Command::new(PROGRAM);
    let told = told(doctor.args(["doctor", "--offline"]), &directory);
    let words = format!("Make room on the disk that {} is on", disk.log().display());
    assert!(told.contains(&words), "{told}");
}
