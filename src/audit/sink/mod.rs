//! Where lines go.

pub mod directory;
pub mod file;
pub mod memory;
pub mod resume;

use std::{io, path::Path, sync::Arc};

use super::chain::Linked;

use self::{directory::Directory, memory::Memory};

/// The date of an RFC 3339 time in UTC, such as `2026-11-17`: dates sort as they follow each other.
pub type Day = [u8; DAY_LENGTH];

pub const DAY_LENGTH: usize = 10;

/// Why lines could not be written, or why what was written is no longer there.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("cannot {doing} {name}: {source}")]
    Io {
        doing: &'static str,
        name: String,
        source: io::Error,
    },
    #[error("{name} was deleted or moved away")]
    Deleted { name: String, is_lost: bool },
    #[error("{name} was replaced by another file")]
    Replaced { name: String },
    #[error("{name} was cut from {expected_bytes} to {found_bytes} bytes by somebody else")]
    Shrunk {
        name: String,
        expected_bytes: u64,
        found_bytes: u64,
    },
    #[error("somebody else wrote to {name}")]
    Grown { name: String },
    #[error("another process has locked {name}")]
    Locked { name: String },
    #[error("{name} is in the way of a new file")]
    InTheWay { name: String },
    #[error("no file is open")]
    NoFile,
}

impl SinkError {
    /// Whether what was written since the last sync may be nowhere any more. A file that was moved away still holds it, and
    /// who cuts or replaces one may have a copy: a line that stands twice would be as wrong as one that is missing.
    #[must_use]
    pub const fn loses_lines(&self) -> bool {
        match self {
            Self::Deleted { is_lost, .. } => *is_lost,
            Self::Io { .. } => true,
            Self::Replaced { .. }
            | Self::Shrunk { .. }
            | Self::Grown { .. }
            | Self::Locked { .. }
            | Self::InTheWay { .. }
            | Self::NoFile => false,
        }
    }

    /// The word for a `rotate` line.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::NoFile => "io-error",
            Self::Deleted { .. } => "deleted",
            Self::Replaced { .. } => "replaced",
            Self::Shrunk { .. } => "shrunk",
            Self::Grown { .. } => "grown",
            Self::Locked { .. } => "locked",
            Self::InTheWay { .. } => "in-the-way",
        }
    }
}

/// A place for lines.
pub enum Sink {
    Directory(Directory),
    Memory(Arc<Memory>),
}

impl Sink {
    /// Writes the lines whole, or none of them.
    pub(super) fn append(&mut self, linked: &Linked<'_>) -> Result<(), SinkError> {
        match self {
            Self::Directory(directory) => directory.append(linked),
            Self::Memory(memory) => {
                memory.append(linked);
                Ok(())
            }
        }
    }

    /// Makes everything that was written durable, and checks that it is still there.
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        match self {
            Self::Directory(directory) => directory.sync(),
            Self::Memory(_) => Ok(()),
        }
    }

    /// Checks that what was written is still there.
    pub(super) fn inspect(&mut self) -> Result<(), SinkError> {
        match self {
            Self::Directory(directory) => directory.inspect(),
            Self::Memory(_) => Ok(()),
        }
    }

    /// Turns to a new file when that is due. `first` is the number of the line to come.
    pub(super) fn turn(&mut self, first: u64, day: Day) -> Result<(), SinkError> {
        match self {
            Self::Directory(directory) => directory.turn(first, day),
            Self::Memory(_) => Ok(()),
        }
    }

    /// What the first line of a new file has to say: the file before, and why it ended.
    pub(super) fn rotated(&self) -> Option<(&str, &'static str)> {
        match self {
            Self::Directory(directory) => directory.rotated(),
            Self::Memory(_) => None,
        }
    }

    /// The file that is being written.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Directory(directory) => directory.active_path(),
            Self::Memory(_) => None,
        }
    }
}
