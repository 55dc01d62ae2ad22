//! A file that is written to see whether a directory can be written, and removed again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::files::{PRIVATE_MODE, write_new};

/// Removed when dropped. A failure to remove it shows in the next run.
pub(super) struct ProbeFile(PathBuf);

impl ProbeFile {
    /// Writes and syncs it.
    pub(super) fn write(directory: &Path) -> io::Result<Self> {
        let path = directory.join(format!(".doctor-{}", std::process::id()));
        write_new(&path, b"may be removed\n", PRIVATE_MODE)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ProbeFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
