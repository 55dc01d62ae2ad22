//! The store of logins in a directory, shared by all processes of one machine. A slot has four files, named after it:
//!
//! | | |
//! |---|---|
//! | `.login` | the login, sealed |
//! | `.last` | its backup, read if it is damaged |
//! | `.seen` | the high-water mark, sealed: the highest revision that was written. An older login was rolled back |
//! | `.lock` | empty; whoever locks it may write |

use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Found,
    directory::Directory,
    error::{Step, StoreError},
    seal_key::SealKeys,
    slot_files::{Files, Login, Names, State},
    stored_login::{Kept, Slot},
};

/// How often a reader without the lock tries if it meets a writer midway.
const LOOKS_MAX: usize = 4;

/// Logins in a directory. Clones share them.
#[derive(Clone)]
pub struct FileStore(Arc<Shared>);

struct Shared {
    directory: PathBuf,
    seals: SealKeys,
}

/// Identifies the version of a slot's login file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRevision {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStore {
    pub(super) fn open(directory: &Path, seals: SealKeys) -> Result<Self, StoreError> {
        // A trailing slash would make the system follow a symbolic link.
        let directory: PathBuf = directory.components().collect();
        Directory::make(&directory)?;
        Directory::open(&directory)?;
        Ok(Self(Arc::new(Shared { directory, seals })))
    }

    pub(super) fn read(&self, slot: &Slot) -> Result<Option<Found>, StoreError> {
        let files = self.files(slot)?;
        let mut seen = files.look();
        for _ in 1..LOOKS_MAX {
            match &seen {
                Ok(State {
                    login:
                        Some(Login {
                            damage: Some(_), ..
                        }),
                    ..
                })
                | Err(_) => seen = files.look(),
                Ok(_) => break,
            }
        }
        Ok(seen?.found())
    }

    pub(super) fn revision(&self, slot: &Slot) -> Result<Option<FileRevision>, StoreError> {
        let path = self.0.directory.join(Names::of(slot).login);
        match fs::symlink_metadata(&path) {
            Ok(about) => Ok(Some(FileRevision {
                inode: about.ino(),
                bytes: about.size(),
                modified: (about.mtime(), about.mtime_nsec()),
                changed: (about.ctime(), about.ctime_nsec()),
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(Step::Inspect, &path, error)),
        }
    }

    pub(super) fn is_sealed_by_first_key(&self, slot: &Slot) -> Result<bool, StoreError> {
        Ok(self.files(slot)?.all_by_first_key())
    }

    pub(super) fn try_lock(&self, slot: &Slot) -> Result<Option<FileLock>, StoreError> {
        let files = self.files(slot)?;
        let Some(lock) = files.directory.lock(&files.names.lock)? else {
            return Ok(None);
        };
        // A process that died during a write left it. If this fails, the next write tries again and reports it.
        let _ = files.directory.remove(&files.names.draft);
        Ok(Some(FileLock { files, lock }))
    }

    pub(super) fn lock_path(&self, slot: &Slot) -> PathBuf {
        self.0.directory.join(Names::of(slot).lock)
    }

    fn files(&self, slot: &Slot) -> Result<Files, StoreError> {
        Ok(Files {
            directory: Directory::open(&self.0.directory)?,
            names: Names::of(slot),
            slot: slot.clone(),
            seals: self.0.seals.clone(),
        })
    }
}

/// The lock of one slot on disk.
pub struct FileLock {
    files: Files,
    lock: File,
}

impl FileLock {
    pub(super) fn slot(&self) -> &Slot {
        &self.files.slot
    }

    pub(super) fn read(&self) -> Result<Option<Found>, StoreError> {
        Ok(self.files.look()?.found())
    }

    pub(super) fn write(&self, kept: &Kept) -> Result<(), StoreError> {
        let state = self.files.look()?;
        let newest = state.newest();
        self.files.put(kept, newest, state.seen.is_some())
    }

    pub(super) fn start_anew(&self, kept: &Kept) -> Result<(), StoreError> {
        let has_seen = matches!(self.files.seen(), Ok(Some(_)));
        self.files.put(kept, self.files.newest_readable(), has_seen)
    }

    pub(super) fn reseal(&self) -> Result<bool, StoreError> {
        let state = self.files.look()?;
        if self.files.all_by_first_key() {
            return Ok(false);
        }
        let newest = state.newest();
        match (state.login, state.seen) {
            (Some(login), _) => self.files.put(&login.record.kept, newest, true)?,
            (None, Some(seen)) => self.files.put_seen(seen)?,
            (None, None) => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn forget(&self) -> Result<(), StoreError> {
        self.files.forget()
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing is not enough while a child process that is being spawned still has a copy of the descriptor.
        let _ = self.lock.unlock();
    }
}
