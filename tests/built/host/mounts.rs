//! A secret on a mount that cannot be changed, as Kubernetes and Docker make them.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::{directory::Directory, program::PROGRAM};

/// A read-only tmpfs with a secret behind `..data`, as the kubelet lays it out; unmounted on drop.
struct SecretVolume(TempDir);

impl SecretVolume {
    fn mount(mode: u32) -> Option<Self> {
        let volume = Self(tempfile::tempdir().unwrap());
        let (at, mount) = (volume.path(), |arguments: &[&str]| {
            let done = Command::new("mount")
                .args(arguments)
                .arg(volume.path())
                .output();
            done.is_ok_and(|it| it.status.success())
        });
        if !mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
            let _ = writeln!(
                std::io::stderr(),
                "NOT TESTED: a read-only mount, because no tmpfs can be mounted here"
            );
            return None;
        }
        fs::create_dir(at.join("..2026_11_28")).unwrap();
        let file = at.join("..2026_11_28/acme.secret");
        fs::write(&file, "a client secret of the tests").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        symlink("..2026_11_28", at.join("..data")).unwrap();
        symlink("..data/acme.secret", at.join("acme.secret")).unwrap();
        assert!(mount(&["-o", "remount,ro"]));
        Some(volume)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SecretVolume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn check(secret: &str, credentials: Option<&Path>) -> Output {
    let directory = Directory::new();
    directory.configure(&format!(
        "[tenant.acme]\nregion = \"eu\"\nservice = {{ client_id = \"x\", client_secret = {secret} }}\n"
    ));
    let mut command = Command::new(PROGRAM);
    command
        .args(["config", "check", "--config"])
        .arg(directory.config());
    if let Some(credentials) = credentials {
        command.env("CREDENTIALS_DIRECTORY", credentials);
    }
    command.output().unwrap()
}

#[test]
fn a_secret_file_of_a_read_only_mount_is_refused_with_a_way_that_works_there() {
    for mode in [0o440, 0o444] {
        let Some(volume) = SecretVolume::mount(mode) else {
            return;
        };
        let at = volume.path().display();

        let refused = check(&format!("{{ file = \"{at}/acme.secret\" }}"), None);

        assert_eq!(refused.status.code(), Some(78));
        let said = String::from_utf8(refused.stderr).unwrap();
        // However it is broken into lines.
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("(mode {mode:04o})")), "{said}");
        assert!(
            !said.contains("chmod"),
            "it cannot be changed there: {said}"
        );
        assert!(said.contains("{ credential = \"acme.secret\" }"), "{said}");
        assert!(
            said.contains(&format!("CREDENTIALS_DIRECTORY={at}")),
            "{said}"
        );
        assert!(said.contains("/run/secrets"), "{said}");
        assert!(said.contains("defaultMode"), "{said}");

        // What it says works.
        let taken = check("{ credential = \"acme.secret\" }", Some(volume.path()));
        let said = String::from_utf8(taken.stderr).unwrap();
        assert_eq!(taken.status.code(), Some(0), "{said}");
    }
}
