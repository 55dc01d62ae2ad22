//! Tries a directory as the first start would use it, and leaves nothing behind that was not there.

use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::probe_file::ProbeFile;

/// As the program makes its directories.
const DIRECTORY_MODE: u32 = 0o700;

/// A directory that is there for as long as this value is.
pub(super) struct DirectoryTrial {
    /// Made by us, the outermost first.
    made: Vec<PathBuf>,
}

impl DirectoryTrial {
    /// Makes what is missing of `directory`, and writes, syncs and removes a file in it.
    pub(super) fn run(directory: &Path) -> io::Result<Self> {
        let missing = directory.ancestors().take_while(|it| is_missing(it));
        let mut missing: Vec<&Path> = missing.collect();
        missing.reverse();
        let mut trial = Self { made: Vec::new() };
        for path in missing {
            match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
                Ok(()) => trial.made.push(path.to_owned()),
                // Somebody else was faster: it is theirs.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        drop(ProbeFile::write(directory)?);
        Ok(trial)
    }

    /// Whether the directory was there before.
    pub(super) const fn was_there(&self) -> bool {
        self.made.is_empty()
    }
}

impl Drop for DirectoryTrial {
    fn drop(&mut self) {
        for path in self.made.iter().rev() {
            // One that is not empty is in use by now.
            let _ = fs::remove_dir(path);
        }
    }
}

fn is_missing(path: &Path) -> bool {
    let is_named = !path.as_os_str().is_empty();
    let there = fs::symlink_metadata(path);
    is_named && matches!(there, Err(error) if error.kind() == ErrorKind::NotFound)
}
