//! Why the audit log could not be written.

use std::io;

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
    AlreadyExists { name: String },
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
            | Self::AlreadyExists { .. }
            | Self::NoFile => false,
        }
    }

    /// Whether somebody else has changed a file of the log.
    #[must_use]
    pub const fn is_interference(&self) -> bool {
        match self {
            Self::Deleted { .. }
            | Self::Replaced { .. }
            | Self::Shrunk { .. }
            | Self::Grown { .. } => true,
            Self::Io { .. } | Self::Locked { .. } | Self::AlreadyExists { .. } | Self::NoFile => {
                false
            }
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
            Self::AlreadyExists { .. } => "in-the-way",
        }
    }
}
