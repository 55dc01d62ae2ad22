//! The sandbox's temporary directory: private to its user, and gone when the sandbox ends, or at the start of the next one.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

use crate::random;

const NAME_PREFIX: &str = "njp-sandbox-";
/// Of a directory that has no lock yet.
const UNFINISHED_PREFIX: &str = ".njp-sandbox-";
/// Locked for as long as the sandbox lives.
const LOCK_FILE: &str = "sandbox.lock";
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A temporary directory. It is removed with everything in it when this is dropped.
pub(crate) struct SandboxDirectory {
    path: PathBuf,
    /// The kernel gives the lock back however the process ends.
    _lock: File,
}

impl SandboxDirectory {
    /// Makes one in `$TMPDIR` or `/tmp`, after it has removed those of sandboxes that were killed.
    ///
    /// # Errors
    /// There is no temporary directory that can be written.
    pub(crate) fn make() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        remove_leftovers(&parent);
        let explained = |error: io::Error| {
            let text = format!(
                "the sandbox cannot keep its files in {}: {error}; set TMPDIR to a directory that you can write",
                parent.display()
            );
            io::Error::new(error.kind(), text)
        };
        Self::make_in(&parent).map_err(explained)
    }

    fn make_in(parent: &Path) -> io::Result<Self> {
        let id = format!("{:08x}", random::random_u64() >> 32);
        let unfinished = parent.join(format!("{UNFINISHED_PREFIX}{id}"));
        DirBuilder::new().mode(DIRECTORY_MODE).create(&unfinished)?;
        let lock = new_file(&unfinished.join(LOCK_FILE))?;
        lock.try_lock()?;
        // Its name is final only now, so that no other sandbox takes it for a leftover.
        let path = parent.join(format!("{NAME_PREFIX}{id}"));
        fs::rename(&unfinished, &path)?;
        Ok(Self { path, _lock: lock })
    }

    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only its user can read. Directories on the way to it are made.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        if let Some(directory) = path.parent() {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(DIRECTORY_MODE)
                .create(directory)?;
        }
        new_file(&path)?.write_all(content)?;
        Ok(path)
    }
}

impl Drop for SandboxDirectory {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the directory of a sandbox that ends.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(%error, path = %path.display(), "the sandbox's files could not be removed");
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    options.open(path)
}

/// What cannot be removed stays: it is in nobody's way.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(NAME_PREFIX) && is_leftover(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether it is our user's, and no process holds its lock.
fn is_leftover(path: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else {
        return false;
    };
    let is_own = found.is_dir() && found.uid() == geteuid().as_raw();
    is_own && File::open(path.join(LOCK_FILE)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_private_and_goes_with_its_sandbox() {
        let parent = tempfile::tempdir().unwrap();
        let made = SandboxDirectory::make_in(parent.path()).unwrap();
        let file = made.write("callers.d/one.toml", b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(made.path()), mode(&file)), (0o700, 0o600));
        drop(made);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_next_sandbox_removes_what_a_killed_one_left_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let alive = SandboxDirectory::make_in(parent.path()).unwrap();
        let killed = parent.path().join("njp-sandbox-dead");
        fs::create_dir(&killed).unwrap();
        new_file(&killed.join(LOCK_FILE)).unwrap();
        let other = parent.path().join("njp-sandbox-without-a-lock");
        fs::create_dir(&other).unwrap();
        remove_leftovers(parent.path());
        assert!(alive.path().exists() && other.exists());
        assert!(!killed.exists());
    }
}
