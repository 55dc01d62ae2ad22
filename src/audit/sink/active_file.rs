//! The file that is being written: complete lines only, and checks that nobody else changes, moves or deletes it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use crate::{
    audit::log_file::LogFile,
    files::{PRIVATE_MODE, SAFE_OPEN_FLAGS, foreign_owner},
};

use super::{day::Day, sink_error::SinkError};

/// A file of the log, open for appending.
pub struct ActiveFile {
    file: File,
    log_file: LogFile,
    device: u64,
    inode: u64,
    /// What we wrote, all of it whole lines.
    bytes: u64,
    /// The day that it belongs to; none until the first line.
    pub(super) day: Option<Day>,
    /// Written to since the last sync.
    dirty: bool,
    /// Half a line is at its end and could not be cut off yet.
    torn: bool,
}

impl ActiveFile {
    /// Opens an existing file, or makes an empty one.
    pub(super) fn open(log_file: LogFile) -> io::Result<Self> {
        let file = open_private(&log_file.path)?;
        let found = file.metadata()?;
        Ok(Self {
            file,
            log_file,
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            day: None,
            dirty: false,
            torn: false,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.log_file.name
    }

    pub(super) fn path(&self) -> &Path {
        &self.log_file.path
    }

    pub(super) fn first_seq(&self) -> u64 {
        self.log_file.first_seq
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Cuts off everything after `bytes`.
    pub(super) fn truncate_to(&mut self, bytes: u64) -> Result<(), SinkError> {
        self.file
            .set_len(bytes)
            .and_then(|()| self.file.sync_all())
            .map_err(|source| self.io_error("cut back", source))?;
        self.bytes = bytes;
        self.torn = false;
        Ok(())
    }

    /// Writes `lines` whole. If that fails, what was written of them is cut off again.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        self.repair_tail()?;
        self.dirty = true;
        // `write_all` completes a short write.
        if let Err(source) = (&self.file).write_all(lines) {
            self.torn = true;
            let error = self.io_error("write to", source);
            // If it cannot be cut now, that comes before the next write.
            let _ = self.repair_tail();
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// Makes what was written durable. After an error nobody can say what is on disk: the file must not be used again.
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        if !self.dirty {
            return Ok(());
        }
        self.file
            .sync_data()
            .map_err(|source| self.io_error("sync", source))?;
        self.dirty = false;
        Ok(())
    }

    /// Sees whether the file at our path is still the one that we wrote, and holds what we wrote.
    pub(super) fn inspect(&mut self) -> Result<(), SinkError> {
        self.repair_tail()?;
        let name = || self.log_file.name.clone();
        let ours = self
            .file
            .metadata()
            .map_err(|source| self.io_error("look at", source))?;
        let there = match fs::symlink_metadata(&self.log_file.path) {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(SinkError::Deleted {
                    name: name(),
                    is_lost: ours.nlink() == 0,
                });
            }
            Err(source) => return Err(self.io_error("look at", source)),
        };
        if (there.dev(), there.ino()) != (self.device, self.inode) {
            return Err(SinkError::Replaced { name: name() });
        }
        match ours.len() {
            found_bytes if found_bytes < self.bytes => Err(SinkError::Shrunk {
                name: name(),
                expected_bytes: self.bytes,
                found_bytes,
            }),
            found_bytes if found_bytes > self.bytes => Err(SinkError::Grown { name: name() }),
            _ => Ok(()),
        }
    }

    fn repair_tail(&mut self) -> Result<(), SinkError> {
        if self.torn {
            self.truncate_to(self.bytes)?;
        }
        Ok(())
    }

    fn io_error(&self, doing: &'static str, source: io::Error) -> SinkError {
        SinkError::Io {
            doing,
            name: self.log_file.name.clone(),
            source,
        }
    }
}

/// Opens a file that is ours alone: no link is followed, and nothing but a regular file of our own user will do.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(PRIVATE_MODE)
        .custom_flags(SAFE_OPEN_FLAGS.bits().cast_signed())
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if foreign_owner(&found).is_some() {
        return Err(io::Error::other("owned by another user"));
    }
    Ok(file)
}
