//! The directory that a program is started in: its configuration, its secrets, and what it writes.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

pub(crate) struct Directory {
    path: PathBuf,
    /// Removed when dropped; none for a directory that is somebody else's.
    _own: Option<TempDir>,
}

impl Directory {
    /// In memory where that is possible: a busy disk is not what is tested.
    pub(crate) fn new() -> Self {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("built-");
        let in_memory = builder.tempdir_in("/dev/shm");
        let own = in_memory.unwrap_or_else(|_| builder.tempdir().unwrap());
        Self {
            path: own.path().to_owned(),
            _own: Some(own),
        }
    }

    /// This one, which stays.
    pub(crate) fn at(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        Self { path, _own: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the configuration is.
    pub(crate) fn config(&self) -> PathBuf {
        self.join("config.toml")
    }

    /// Where the audit log is, unless a test chose another directory.
    pub(crate) fn audit(&self) -> PathBuf {
        self.join("audit")
    }

    /// Writes the configuration, whole at once.
    pub(crate) fn configure(&self, toml: &str) {
        let fresh = self.join("config.new");
        write_private(&fresh, toml);
        fs::rename(fresh, self.config()).unwrap();
    }

    /// Writes what nobody else may read.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        write_private(&self.join(name), bytes);
    }
}

/// Writes what nobody else may read.
pub(crate) fn write_private(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
