//! Errors of the store. Each message says what is wrong with which file and what to do, and holds no secret.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::shell_word::shell_word;

use super::stored_login::Slot;

/// Why an operation of the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Other users have permissions on a file, or can write to the directory.
    #[error(
        "{} can be used by others (mode {mode:04o}): make sure that nobody else has changed it, then run: chmod go= {}",
        .path.display(), shell_word(&.path.to_string_lossy())
    )]
    NotPrivate { path: PathBuf, mode: u32 },

    #[error(
        "{} belongs to user {owner}, not to user {ours} who runs this program: run it as user {owner}, or run: chown {ours} {}",
        .path.display(), shell_word(&.path.to_string_lossy())
    )]
    WrongOwner {
        path: PathBuf,
        owner: u32,
        ours: u32,
    },

    #[error("{} is a symbolic link, which the store never follows: name the real place", .0.display())]
    Symlink(PathBuf),

    /// A pipe, a device, a socket, a directory.
    #[error("{} is not a regular file: find out who put it there, and remove it", .0.display())]
    NotAFile(PathBuf),

    #[error("{} is not a directory: name a directory for the store", .0.display())]
    NotADirectory(PathBuf),

    #[error(
        "{} has {links} names: find the others with find -samefile, and remove them",
        .path.display()
    )]
    HardLinked { path: PathBuf, links: u64 },

    #[error(
        "{} was sealed with a key that is not among ours (its id is {key_id}): add that key after the first, or log in again",
        .path.display()
    )]
    WrongKey { path: PathBuf, key_id: String },

    #[error(
        "{} was sealed with another passphrase: give that passphrase, or log in again",
        .0.display()
    )]
    WrongPassphrase(PathBuf),

    /// Truncated, overwritten, or changed in any bit.
    #[error("{} is damaged or was tampered with: restore the whole directory, or log in again", .0.display())]
    Tampered(PathBuf),

    #[error(
        "{} is an older state (revision {found}, but {seen} was written): restore the newest file, or log in again",
        .path.display()
    )]
    RolledBack {
        path: PathBuf,
        found: u64,
        seen: u64,
    },

    /// There should be a login, but its file is gone. Not the same as logged out.
    #[error("{} is missing, although it holds a login: restore it, or log in again", .0.display())]
    Missing(PathBuf),

    /// Without the high-water mark, nobody can tell whether the login is the newest.
    #[error("{} is missing, and without it nobody can tell whether the login beside it is the newest: restore it, or log in again", .0.display())]
    HighWaterMarkMissing(PathBuf),

    #[error(
        "{} was written by a newer program (format {version}): use that program",
        .path.display()
    )]
    NewerFormat { path: PathBuf, version: u8 },

    #[error("{} is longer than {longest} bytes: this is not one of our logins", .path.display())]
    TooLong { path: PathBuf, longest: usize },

    #[error("{} has been locked by another process for more than {waited_ms} ms: see what it is doing", .path.display())]
    Busy { path: PathBuf, waited_ms: u64 },

    #[error("cannot {step} {}: {}", .path.display(), .cause)]
    Io {
        step: FileOperation,
        path: PathBuf,
        cause: IoCause,
    },

    /// The system gives no random bytes, or the cipher refuses to work.
    #[error("cannot seal {}: the system provides no randomness or no memory", .0.display())]
    CannotSeal(PathBuf),
}

impl StoreError {
    /// The error's name, for status and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotPrivate { .. } => "not-private",
            Self::WrongOwner { .. } => "wrong-owner",
            Self::Symlink(_) => "symlink",
            Self::NotAFile(_) => "not-a-file",
            Self::NotADirectory(_) => "not-a-directory",
            Self::HardLinked { .. } => "hard-linked",
            Self::WrongKey { .. } => "wrong-key",
            Self::WrongPassphrase(_) => "passphrase-wrong",
            Self::Tampered(_) => "tampered",
            Self::RolledBack { .. } => "rolled-back",
            Self::Missing(_) => "missing",
            Self::HighWaterMarkMissing(_) => "seen-missing",
            Self::NewerFormat { .. } => "newer-format",
            Self::TooLong { .. } => "too-long",
            Self::Busy { .. } => "busy",
            Self::Io { .. } => "io",
            Self::CannotSeal(_) => "cannot-seal",
        }
    }

    pub(super) fn io(step: FileOperation, path: &Path, error: impl Into<io::Error>) -> Self {
        Self::Io {
            step,
            path: path.to_owned(),
            cause: IoCause::from(error.into()),
        }
    }

    /// The runtime is shutting down: the work on this slot did not start, or its result was lost.
    pub(in crate::credentials) fn interrupted(slot: &Slot) -> Self {
        Self::Io {
            step: FileOperation::Open,
            path: slot.to_string().into(),
            cause: IoCause {
                kind: io::ErrorKind::Interrupted,
                code: None,
            },
        }
    }

    /// Whether the content of a file is at fault, so that its backup can replace it.
    pub(super) fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Missing(_)
                | Self::Tampered(_)
                | Self::TooLong { .. }
                | Self::WrongKey { .. }
                | Self::WrongPassphrase(_)
                | Self::NewerFormat { .. }
        )
    }
}

/// The file operation that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileOperation {
    Create,
    Open,
    Inspect,
    Protect,
    Read,
    Write,
    /// Sync of a file or directory. Until then, a crash can undo what was written.
    Sync,
    Rename,
    Remove,
    Lock,
}

impl fmt::Display for FileOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "make",
            Self::Open => "open",
            Self::Inspect => "inspect",
            Self::Protect => "protect",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "make durable",
            Self::Rename => "put in place",
            Self::Remove => "remove",
            Self::Lock => "lock",
        })
    }
}

/// The operating system's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoCause {
    pub kind: io::ErrorKind,
    /// `errno`, where the system gave one.
    pub code: Option<i32>,
}

impl From<io::Error> for IoCause {
    fn from(error: io::Error) -> Self {
        Self {
            kind: error.kind(),
            code: error.raw_os_error(),
        }
    }
}

impl fmt::Display for IoCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => io::Error::from_raw_os_error(code).fmt(f),
            None => self.kind.fmt(f),
        }
    }
}
