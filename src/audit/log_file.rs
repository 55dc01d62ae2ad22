//! File names of the audit log: `audit-<number of the first line, 12 digits>.jsonl`, so that they sort in the order of the chain.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// Held by the process that writes.
pub const LOCK_NAME: &str = "audit.lock";

const PREFIX: &str = "audit-";
const SUFFIX: &str = ".jsonl";
const DIGITS_MIN: usize = 12;

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogFile {
    /// The number of its first line, by its name.
    pub first_seq: u64,
    pub name: String,
    pub path: PathBuf,
}

impl LogFile {
    /// The file whose first line has the number `first`.
    #[must_use]
    pub fn starting_at(directory: &Path, first_seq: u64) -> Self {
        let name = format!("{PREFIX}{first_seq:0DIGITS_MIN$}{SUFFIX}");
        let path = directory.join(&name);
        Self {
            first_seq,
            name,
            path,
        }
    }
}

/// Opens a file of the log to be read. A FIFO in its place is refused without blocking.
///
/// # Errors
/// It cannot be opened, or is not a file.
pub fn open_for_reading(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}

/// All files of the log in `directory`, first lines first.
///
/// # Errors
/// The directory cannot be read.
pub fn list_log_files(directory: &Path) -> io::Result<Vec<LogFile>> {
    let mut files = Vec::new();
    for item in fs::read_dir(directory)? {
        let name = item?.file_name();
        if let Some(first) = name.to_str().and_then(first_seq) {
            files.push(LogFile::starting_at(directory, first));
        }
    }
    files.sort();
    Ok(files)
}

fn first_seq(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let first = digits.parse().ok()?;
    let canonical = format!("{first:0DIGITS_MIN$}");
    (digits == canonical).then_some(first)
}
