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
        chain::LinkedLines,
        log_file::{LOCK_NAME, LogFile},
        log_space::{LogSpace, SpaceLimits},
    },
    files::sync_directory,
};

use super::{
    active_file::{ActiveFile, open_private},
    day::Day,
    sink_error::SinkError,
    space_meter::SpaceMeter,
};

/// A file that has reached this size is followed by a new one.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

const DIRECTORY_MODE: u32 = 0o700;

/// A log in a directory: the file that is being written, and the lock that keeps other processes out.
pub struct DirectorySink {
    path: PathBuf,
    lock: File,
    active: Option<ActiveFile>,
    /// The file before the active one.
    previous_file: String,
    /// Why the file before it ended.
    rotation_reason: &'static str,
    file_bytes_max: u64,
    space: SpaceMeter,
}

impl DirectorySink {
    /// Takes over a directory that is locked.
    pub(super) fn new(
        path: PathBuf,
        lock: File,
        active: ActiveFile,
        previous_file: String,
        file_bytes_max: u64,
        space: SpaceLimits,
    ) -> Self {
        Self {
            space: SpaceMeter::new(&path, space),
            path,
            lock,
            active: Some(active),
            previous_file,
            rotation_reason: "start",
            file_bytes_max,
        }
    }

    /// The file that is being written.
    #[must_use]
    pub fn active_path(&self) -> Option<&Path> {
        self.active.as_ref().map(ActiveFile::path)
    }

    /// Looks first whether the file is still there: what is written to one that is not is nowhere.
    pub(in crate::audit) fn append(&mut self, linked: &LinkedLines<'_>) -> Result<(), SinkError> {
        self.inspect()?;
        let active = self.active.as_mut().ok_or(SinkError::NoFile)?;
        active.append(linked.bytes())?;
        self.space.write(linked.bytes().len() as u64);
        Ok(())
    }

    /// The room that is left for the log.
    pub(in crate::audit) fn space(&mut self) -> LogSpace {
        self.space.measure(&self.path)
    }

    /// A file that fails here is never written again.
    pub(in crate::audit) fn sync(&mut self) -> Result<(), SinkError> {
        self.inspect()?;
        let active = self.active.as_mut().ok_or(SinkError::NoFile)?;
        active.sync().map_err(|error| self.abandon_file(error))
    }

    /// A file that fails here is never written again.
    pub(in crate::audit) fn inspect(&mut self) -> Result<(), SinkError> {
        let active = self.active.as_mut().ok_or(SinkError::NoFile)?;
        active.inspect().map_err(|error| match error {
            SinkError::Io { .. } => error,
            _ => self.abandon_file(error),
        })
    }

    pub(in crate::audit) fn rotate_if_due(
        &mut self,
        first: u64,
        day: Day,
    ) -> Result<(), SinkError> {
        if let Some(why) = self
            .active
            .as_ref()
            .and_then(|it| self.rotation_due(it, day))
        {
            self.sync()?;
            self.close_active(why);
        }
        if self.active.is_none() {
            self.active = Some(self.start_file(first)?);
        }
        if let Some(active) = &mut self.active {
            active.day.get_or_insert(day);
        }
        Ok(())
    }

    pub(in crate::audit) fn pending_rotation(&self) -> Option<(&str, &'static str)> {
        let active = self.active.as_ref()?;
        (active.bytes() == 0 && active.first_seq() > 1)
            .then_some((&*self.previous_file, self.rotation_reason))
    }

    fn rotation_due(&self, active: &ActiveFile, day: Day) -> Option<&'static str> {
        if active.bytes() == 0 {
            return None;
        }
        if active.day.is_some_and(|its_day| its_day < day) {
            return Some("day");
        }
        (active.bytes() >= self.file_bytes_max).then_some("size")
    }

    fn abandon_file(&mut self, error: SinkError) -> SinkError {
        self.close_active(error.kind());
        error
    }

    fn close_active(&mut self, why: &'static str) {
        if let Some(active) = self.active.take() {
            active.name().clone_into(&mut self.previous_file);
            self.rotation_reason = why;
        }
    }

    fn start_file(&mut self, first: u64) -> Result<ActiveFile, SinkError> {
        self.ensure_locked()?;
        let log_file = LogFile::starting_at(&self.path, first);
        let name = log_file.name.clone();
        let active = ActiveFile::open(log_file)
            .and_then(|active| sync_directory(&self.path).map(|()| active))
            .map_err(|source| io_error("start", &name, source))?;
        // An empty one is ours: we made it and then could not write.
        if active.bytes() > 0 {
            return Err(SinkError::AlreadyExists { name });
        }
        Ok(active)
    }

    /// Whoever deletes the directory or the lock must not let a second writer in.
    fn ensure_locked(&mut self) -> Result<(), SinkError> {
        let lock_path = self.path.join(LOCK_NAME);
        let ours = self
            .lock
            .metadata()
            .map_err(|source| io_error("look at", LOCK_NAME, source))?;
        let held = fs::symlink_metadata(&lock_path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
        if held {
            return Ok(());
        }
        create_directory(&self.path)
            .map_err(|source| io_error("make the directory of", LOCK_NAME, source))?;
        self.lock = match lock_directory(&self.path) {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                return Err(SinkError::Locked {
                    name: LOCK_NAME.to_owned(),
                });
            }
            Err(source) => return Err(io_error("lock", LOCK_NAME, source)),
        };
        Ok(())
    }
}

fn io_error(doing: &'static str, name: &str, source: io::Error) -> SinkError {
    SinkError::Io {
        doing,
        name: name.to_owned(),
        source,
    }
}

/// Closing the file alone would not do: a program that is being started at this moment still has a copy of the descriptor, until
/// it has become another program, and the lock lasts as long as any copy.
impl Drop for DirectorySink {
    fn drop(&mut self) {
        // Without a lock there is nothing to let go of.
        let _ = self.lock.unlock();
    }
}

/// Makes the directory, for us alone, if it is not there.
pub(super) fn create_directory(directory: &Path) -> io::Result<()> {
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
pub(super) fn lock_directory(directory: &Path) -> io::Result<Option<File>> {
    let file = open_private(&directory.join(LOCK_NAME))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::audit::{log_space::SpaceLimits, sink::resume::resume};

    #[test]
    fn the_lock_ends_with_the_log_though_a_copy_of_its_descriptor_is_still_open() {
        let directory = tempfile::tempdir().unwrap();
        let open = || resume(directory.path(), FILE_BYTES_MAX, SpaceLimits::default());
        let log = open().unwrap().directory;
        // As a child has it between its fork and its exec.
        let _copy = log.lock.try_clone().unwrap();
        assert!(open().is_err(), "the lock is held");
        drop(log);
        assert!(open().is_ok());
    }
}
