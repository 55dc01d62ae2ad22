//! The store of logins in a directory, shared by all processes of one machine. The order of
//! writes is in `slot_files`, the system calls are in `directory`. A slot has four files, named after it:
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
    directory::StoreDirectory,
    error::{FileOperation, StoreError},
    found_login::FoundLogin,
    seal_key::SealKeys,
    slot_files::{LoadedLogin, SlotFileNames, SlotFiles, SlotState},
    stored_login::{Slot, StoredLogin},
    token_files::{CallerTokenKey, REVOKED_FILE, TokenFiles},
};

/// How often a reader without the lock tries if it meets a writer midway.
const READ_ATTEMPTS_MAX: usize = 4;

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
        StoreDirectory::create(&directory)?;
        StoreDirectory::open(&directory)?;
        Ok(Self(Arc::new(Shared { directory, seals })))
    }

    pub(super) fn read(&self, slot: &Slot) -> Result<Option<FoundLogin>, StoreError> {
        let files = self.files(slot)?;
        let mut seen = files.load();
        for _ in 1..READ_ATTEMPTS_MAX {
            match &seen {
                Ok(SlotState {
                    login:
                        Some(LoadedLogin {
                            damage: Some(_), ..
                        }),
                    ..
                })
                | Err(_) => seen = files.load(),
                Ok(_) => break,
            }
        }
        Ok(seen?.into_found_login())
    }

    pub(super) fn revision(&self, slot: &Slot) -> Result<Option<FileRevision>, StoreError> {
        self.file_revision(&SlotFileNames::of(slot).login)
    }

    fn file_revision(&self, name: &str) -> Result<Option<FileRevision>, StoreError> {
        let path = self.0.directory.join(name);
        match fs::symlink_metadata(&path) {
            Ok(about) => Ok(Some(FileRevision {
                inode: about.ino(),
                bytes: about.size(),
                modified: (about.mtime(), about.mtime_nsec()),
                changed: (about.ctime(), about.ctime_nsec()),
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(FileOperation::Inspect, &path, error)),
        }
    }

    pub(super) fn is_sealed_by_first_key(&self, slot: &Slot) -> Result<bool, StoreError> {
        Ok(self.files(slot)?.is_all_by_first_key())
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
        self.0.directory.join(SlotFileNames::of(slot).lock)
    }

    pub(super) fn caller_token_key(
        &self,
        proposal: &CallerTokenKey,
    ) -> Result<CallerTokenKey, StoreError> {
        self.token_files()?.key(proposal)
    }

    pub(super) fn has_caller_token_key(&self) -> Result<bool, StoreError> {
        self.token_files()?.has_key()
    }

    pub(super) fn revoked_caller_tokens_revision(
        &self,
    ) -> Result<Option<FileRevision>, StoreError> {
        self.file_revision(REVOKED_FILE)
    }

    pub(super) fn token_files(&self) -> Result<TokenFiles, StoreError> {
        Ok(TokenFiles {
            directory: StoreDirectory::open(&self.0.directory)?,
            seals: self.0.seals.clone(),
        })
    }

    fn files(&self, slot: &Slot) -> Result<SlotFiles, StoreError> {
        Ok(SlotFiles {
            directory: StoreDirectory::open(&self.0.directory)?,
            names: SlotFileNames::of(slot),
            slot: slot.clone(),
            seals: self.0.seals.clone(),
        })
    }
}

/// The lock of one slot on disk.
pub struct FileLock {
    files: SlotFiles,
    lock: File,
}

impl FileLock {
    pub(super) fn slot(&self) -> &Slot {
        &self.files.slot
    }

    pub(super) fn read(&self) -> Result<Option<FoundLogin>, StoreError> {
        Ok(self.files.load()?.into_found_login())
    }

    pub(super) fn write(&self, stored: &StoredLogin) -> Result<(), StoreError> {
        let state = self.files.load()?;
        let newest = state.newest_revision();
        self.files
            .write_login(stored, newest, state.high_water_mark.is_some())
    }

    pub(super) fn overwrite(&self, stored: &StoredLogin) -> Result<(), StoreError> {
        let has_seen = matches!(self.files.high_water_mark(), Ok(Some(_)));
        self.files
            .write_login(stored, self.files.newest_readable_revision(), has_seen)
    }

    pub(super) fn reseal(&self) -> Result<bool, StoreError> {
        let state = self.files.load()?;
        if self.files.is_all_by_first_key() {
            return Ok(false);
        }
        let newest = state.newest_revision();
        match (state.login, state.high_water_mark) {
            (Some(login), _) => self.files.write_login(&login.record.login, newest, true)?,
            (None, Some(seen)) => self.files.write_high_water_mark(seen)?,
            (None, None) => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn erase(&self) -> Result<(), StoreError> {
        self.files.erase()
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing is not enough while a child process that is being spawned still has a copy of the descriptor.
        let _ = self.lock.unlock();
    }
}
