//! Writes the audit log to a directory: one writer at a time; a new file each day, at 64 MiB, and whenever the current one cannot
//! be trusted any more.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use crate::{
    audit::{
        chain::Linked,
        log_file::{LOCK_NAME, LogFile},
    },
    files::sync_directory,
};

use super::{
    active_file::{ActiveFile, open_private},
    day::Day,
    sink_error::SinkError,
};

/// A file that has reached this size is followed by a new one.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

const DIRECTORY_MODE: u32 = 0o700;

/// A log in a directory: the file that is being written, and the lock that keeps other processes out.
pub struct Directory {
    path: PathBuf,
    lock: File,
    active: Option<ActiveFile>,
    /// The file before the active one.
    before: String,
    /// Why the file before it ended.
    ended: &'static str,
    file_bytes_max: u64,
}

impl Directory {
    /// Takes over a directory that is locked.
    pub(super) fn new(
        path: PathBuf,
        lock: File,
        active: ActiveFile,
        before: String,
        file_bytes_max: u64,
    ) -> Self {
        Self {
            path,
            lock,
            active: Some(active),
            before,
            ended: "start",
            file_bytes_max,
        }
    }

    /// The file that is being written.
    #[must_use]
    pub fn active_path(&self) -> Option<&Path> {
        self.active.as_ref().map(ActiveFile::path)
    }

    /// Looks first whether the file is still there: what is written to one that is not is nowhere.
    pub(super) fn append(&mut self, linked: &Linked<'_>) -> Result<(), SinkError> {
        self.inspect()?;
        let active = self.active.as_mut().ok_or(SinkError::NoFile)?;
        active.append(linked.bytes())
    }

    /// A file that fails here is never written again.
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        self.inspect()?;
        let active = self.active.as_mut().ok_or(SinkError::NoFile)?;
        active.sync().map_err(|error| self.leave(error))
    }

    /// A file that fails here is never written again.
    pub(super) fn inspect(&mut self) -> Result<(), SinkError> {
        let active = self.active.as_mut().ok_or(SinkError::NoFile)?;
        active.inspect().map_err(|error| match error {
            SinkError::Io { .. } => error,
            _ => self.leave(error),
        })
    }

    pub(super) fn turn(&mut self, first: u64, day: Day) -> Result<(), SinkError> {
        if let Some(why) = self.active.as_ref().and_then(|it| self.is_over(it, day)) {
            self.sync()?;
            self.retire(why);
        }
        if self.active.is_none() {
            self.active = Some(self.start_file(first)?);
        }
        if let Some(active) = &mut self.active {
            active.day.get_or_insert(day);
        }
        Ok(())
    }

    pub(super) fn rotated(&self) -> Option<(&str, &'static str)> {
        let active = self.active.as_ref()?;
        (active.bytes() == 0 && active.first() > 1).then_some((&*self.before, self.ended))
    }

    fn is_over(&self, active: &ActiveFile, day: Day) -> Option<&'static str> {
        if active.bytes() == 0 {
            return None;
        }
        if active.day.is_some_and(|its_day| its_day < day) {
            return Some("day");
        }
        (active.bytes() >= self.file_bytes_max).then_some("size")
    }

    fn leave(&mut self, error: SinkError) -> SinkError {
        self.retire(error.kind());
        error
    }

    fn retire(&mut self, why: &'static str) {
        if let Some(active) = self.active.take() {
            active.name().clone_into(&mut self.before);
            self.ended = why;
        }
    }

    fn start_file(&mut self, first: u64) -> Result<ActiveFile, SinkError> {
        self.keep_lock()?;
        let log_file = LogFile::starting_at(&self.path, first);
        let name = log_file.name.clone();
        let active = ActiveFile::open(log_file)
            .and_then(|active| sync_directory(&self.path).map(|()| active))
            .map_err(|source| failed("start", &name, source))?;
        // An empty one is ours: we made it and then could not write.
        if active.bytes() > 0 {
            return Err(SinkError::InTheWay { name });
        }
        Ok(active)
    }

    /// Whoever deletes the directory or the lock must not open the door to a second writer.
    fn keep_lock(&mut self) -> Result<(), SinkError> {
        let lock_path = self.path.join(LOCK_NAME);
        let ours = self
            .lock
            .metadata()
            .map_err(|source| failed("look at", LOCK_NAME, source))?;
        let held = fs::symlink_metadata(&lock_path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
        if held {
            return Ok(());
        }
        create(&self.path).map_err(|source| failed("make the directory of", LOCK_NAME, source))?;
        self.lock = match lock(&self.path) {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                return Err(SinkError::Locked {
                    name: LOCK_NAME.to_owned(),
                });
            }
            Err(source) => return Err(failed("lock", LOCK_NAME, source)),
        };
        Ok(())
    }
}

fn failed(doing: &'static str, name: &str, source: io::Error) -> SinkError {
    SinkError::Io {
        doing,
        name: name.to_owned(),
        source,
    }
}

/// Makes the directory, for us alone, if it is not there.
pub(super) fn create(directory: &Path) -> io::Result<()> {
    let made = DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory);
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(io::Error::from(ErrorKind::NotADirectory))
        }
        other => other,
    }
}

/// Locks the directory; none if another process has.
pub(super) fn lock(directory: &Path) -> io::Result<Option<File>> {
    let file = open_private(&directory.join(LOCK_NAME))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
