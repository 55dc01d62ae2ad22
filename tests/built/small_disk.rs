//! A disk that can fill up: a file system of a few kilobytes in memory.

use std::{fs, io::Write, path::PathBuf, process::Command};

use tempfile::tempdir;

/// A small file system of its own, unmounted on drop.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Of 64 kilobytes.
    pub(crate) fn mount() -> Option<Self> {
        Self::mount_of("64k")
    }

    /// `size` as `mount` takes it.
    pub(crate) fn mount_of(size: &str) -> Option<Self> {
        let mount_point = tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(mount_point.path())
            .status();
        if mounted.is_ok_and(|it| it.success()) {
            return Some(Self(mount_point));
        }
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: a full disk, because no tmpfs can be mounted here"
        );
        None
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.path().join("audit")
    }

    pub(crate) fn fill(&self, bytes: usize) {
        // Writes as much as there is room for.
        let _ = fs::write(self.0.path().join("ballast"), vec![0; bytes]);
    }

    pub(crate) fn enlarge(&self) {
        let larger = Command::new("mount")
            .args(["-o", "remount,size=8m"])
            .arg(self.0.path())
            .status();
        assert!(larger.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
