//! Where the audit log is written to: a directory, or memory.

pub mod active_file;
mod day;
pub mod directory;
pub mod memory;
pub mod resume;
mod sink_error;
mod space_meter;

use std::{path::Path, sync::Arc};

use super::{chain::LinkedLines, log_space::LogSpace};

use self::{directory::DirectorySink, memory::MemorySink};

pub use self::{
    day::{DAY_LENGTH, Day},
    sink_error::SinkError,
};

/// Where lines are written to.
pub enum Sink {
    Directory(Box<DirectorySink>),
    Memory(Arc<MemorySink>),
}

impl Sink {
    /// Writes the lines whole, or none of them.
    pub(super) fn append(&mut self, linked: &LinkedLines<'_>) -> Result<(), SinkError> {
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
    pub(super) fn rotate_if_due(&mut self, first: u64, day: Day) -> Result<(), SinkError> {
        match self {
            Self::Directory(directory) => directory.rotate_if_due(first, day),
            Self::Memory(_) => Ok(()),
        }
    }

    /// The room that is left; none in memory, where the oldest lines make room.
    pub(super) fn space(&mut self) -> Option<LogSpace> {
        match self {
            Self::Directory(directory) => Some(directory.space()),
            Self::Memory(_) => None,
        }
    }

    /// What the first line of a new file has to say: the file before, and why it ended.
    pub(super) fn pending_rotation(&self) -> Option<(&str, &'static str)> {
        match self {
            Self::Directory(directory) => directory.pending_rotation(),
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
