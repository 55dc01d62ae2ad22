//! The store of logins: encrypted on disk, written by one process at a time, durable before a token is used.
//!
//! NinjaOne revokes a refresh token as soon as it has issued the next one, so the newest one must not exist in memory alone
//! for longer than a write takes.

mod directory;
pub mod error;
pub mod file_store;
mod found_login;
pub mod memory_store;
mod record;
mod seal;
pub mod seal_key;
mod slot_files;
pub mod stored_login;
pub mod token_files;

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use crate::random;

use self::{
    error::{FileOperation, IoCause, StoreError},
    file_store::{FileLock, FileRevision, FileStore},
    memory_store::{MemoryLock, MemoryStore},
    seal_key::SealKeys,
    stored_login::{Slot, StoredLogin},
    token_files::CallerTokenKey,
};

pub use self::found_login::FoundLogin;

/// Longest wait for the lock of a slot, in milliseconds.
pub const LOCK_WAIT_MS_MAX: u64 = 600_000;

/// Longest pause between two tries to lock, in milliseconds. Each pause is random, so that no process always comes second.
const LOCK_PAUSE_MS_MAX: u64 = 40;

/// A store of logins. Clones share it.
#[derive(Clone)]
pub enum LoginStore {
    /// In a directory, shared by all processes that open it.
    File(FileStore),
    /// In memory, lost when the process exits.
    Memory(MemoryStore),
}

impl LoginStore {
    /// Opens the store in `directory`, which is made (0700) if it is missing and must be private to us.
    pub fn open(directory: &Path, seals: SealKeys) -> Result<Self, StoreError> {
        FileStore::open(directory, seals).map(Self::File)
    }

    /// An empty store in memory.
    #[must_use]
    pub fn memory() -> Self {
        Self::Memory(MemoryStore::default())
    }

    /// The login in a slot, whoever holds the lock; none before the first login and after a logout. Blocks on the disk.
    pub fn read(&self, slot: &Slot) -> Result<Option<FoundLogin>, StoreError> {
        match self {
            Self::File(store) => store.read(slot),
            Self::Memory(store) => Ok(store.read(slot)),
        }
    }

    /// The slot's revision, which differs from an earlier one if something was written since. Cheap: decrypts nothing.
    pub fn revision(&self, slot: &Slot) -> Result<SlotRevision, StoreError> {
        match self {
            Self::File(store) => store.revision(slot).map(SlotRevision::File),
            Self::Memory(store) => Ok(SlotRevision::Memory(store.revision(slot))),
        }
    }

    /// Whether all files of a slot open with the first key. Blocks on the disk.
    pub fn is_sealed_by_first_key(&self, slot: &Slot) -> Result<bool, StoreError> {
        match self {
            Self::File(store) => store.is_sealed_by_first_key(slot),
            Self::Memory(_) => Ok(true),
        }
    }

    /// Locks a slot; none if another process or task holds the lock. Blocks on the disk.
    pub fn try_lock(&self, slot: &Slot) -> Result<Option<SlotLock>, StoreError> {
        match self {
            Self::File(store) => Ok(store.try_lock(slot)?.map(SlotLock::File)),
            Self::Memory(store) => Ok(store.try_lock(slot).map(SlotLock::Memory)),
        }
    }

    /// Locks a slot, or fails with [`StoreError::Busy`] after `longest`.
    ///
    /// The lock is no lease: it is free when its holder unlocks it or its process ends, and never before.
    pub async fn lock(&self, slot: &Slot, longest: Duration) -> Result<SlotLock, StoreError> {
        let began = Instant::now();
        let longest = longest.min(Duration::from_millis(LOCK_WAIT_MS_MAX));
        loop {
            let (store, of) = (self.clone(), slot.clone());
            let tried = tokio::task::spawn_blocking(move || store.try_lock(&of)).await;
            let tried = tried.unwrap_or_else(|_| Err(self.lock_error(slot)))?;
            if let Some(locked) = tried {
                return Ok(locked);
            }
            let left = longest.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(StoreError::Busy {
                    path: self.lock_path(slot),
                    waited_ms: u64::try_from(longest.as_millis()).unwrap_or(u64::MAX),
                });
            }
            let pause =
                Duration::from_millis(1) + random::jitter(Duration::from_millis(LOCK_PAUSE_MS_MAX));
            sleep(pause.min(left)).await;
        }
    }

    /// The path of the slot's lock file.
    #[must_use]
    pub fn lock_path(&self, slot: &Slot) -> std::path::PathBuf {
        match self {
            Self::File(store) => store.lock_path(slot),
            Self::Memory(_) => slot.to_string().into(),
        }
    }

    /// The key that seals tokens of our own, for all processes that share the store, durable; `proposal` becomes it if there was
    /// none. Blocks on the disk.
    pub fn caller_token_key(
        &self,
        proposal: &CallerTokenKey,
    ) -> Result<CallerTokenKey, StoreError> {
        match self {
            Self::File(store) => store.caller_token_key(proposal),
            Self::Memory(_) => Ok(proposal.clone()),
        }
    }

    /// Whether there is such a key, without making one. Blocks on the disk.
    pub fn has_caller_token_key(&self) -> Result<bool, StoreError> {
        match self {
            Self::File(store) => store.has_caller_token_key(),
            Self::Memory(_) => Ok(false),
        }
    }

    /// The revoked tokens of our own, as `parse` reads what was written; the default if nothing was. Blocks on the disk.
    pub fn revoked_caller_tokens<T: Default>(
        &self,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(store) => store.token_files()?.revoked(parse),
            Self::Memory(_) => Ok(T::default()),
        }
    }

    /// Replaces the revoked tokens of our own, durably, by what `change` makes of those that are stored, as `parse` reads them; at
    /// most [`token_files::TOKEN_FILE_BYTES_MAX`]. No other process writes meanwhile. Blocks on the disk.
    pub fn update_revoked_caller_tokens<T: Default>(
        &self,
        parse: impl FnOnce(&[u8]) -> Option<T>,
        change: impl FnOnce(T) -> Vec<u8>,
    ) -> Result<(), StoreError> {
        match self {
            Self::File(store) => store.token_files()?.update_revoked(parse, change),
            Self::Memory(_) => Ok(()),
        }
    }

    /// Differs from an earlier one if tokens of our own were revoked since. Cheap: decrypts nothing.
    pub fn revoked_caller_tokens_revision(&self) -> Result<SlotRevision, StoreError> {
        match self {
            Self::File(store) => store
                .revoked_caller_tokens_revision()
                .map(SlotRevision::File),
            Self::Memory(_) => Ok(SlotRevision::Memory(0)),
        }
    }

    /// The runtime is shutting down, so the slot was not locked.
    fn lock_error(&self, slot: &Slot) -> StoreError {
        StoreError::Io {
            step: FileOperation::Lock,
            path: self.lock_path(slot),
            cause: IoCause {
                kind: std::io::ErrorKind::Interrupted,
                code: None,
            },
        }
    }
}

/// The state of a slot. Equal to another one of the same slot if nothing was written in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotRevision {
    File(Option<FileRevision>),
    Memory(u64),
}

/// The lock of one slot, held by one task of one process at a time. The drop unlocks.
pub enum SlotLock {
    File(FileLock),
    Memory(MemoryLock),
}

impl SlotLock {
    /// The slot that this locks.
    #[must_use]
    pub fn slot(&self) -> &Slot {
        match self {
            Self::File(lock) => lock.slot(),
            Self::Memory(lock) => lock.slot(),
        }
    }

    /// The login in the slot. Blocks on the disk.
    pub fn read(&self) -> Result<Option<FoundLogin>, StoreError> {
        match self {
            Self::File(lock) => lock.read(),
            Self::Memory(lock) => Ok(lock.read()),
        }
    }

    /// Writes a login, durably. After an error the slot holds the old or the new login, and the write may be repeated. Fails
    /// if the slot holds something unreadable: see [`SlotLock::overwrite`].
    pub fn write(&self, stored: &StoredLogin) -> Result<(), StoreError> {
        match self {
            Self::File(lock) => lock.write(stored),
            Self::Memory(lock) => {
                lock.write(stored);
                Ok(())
            }
        }
    }

    /// Writes a login, durably, whatever is in the slot: damaged, rolled back or sealed with a lost key. For a new login, or
    /// if the newest one is in memory.
    pub fn overwrite(&self, stored: &StoredLogin) -> Result<(), StoreError> {
        match self {
            Self::File(lock) => lock.overwrite(stored),
            Self::Memory(lock) => {
                lock.write(stored);
                Ok(())
            }
        }
    }

    /// Reseals with the first key what another key sealed. True if there was something to do.
    pub fn reseal(&self) -> Result<bool, StoreError> {
        match self {
            Self::File(lock) => lock.reseal(),
            Self::Memory(_) => Ok(false),
        }
    }

    /// Overwrites and removes the login and its backup, readable or not. Durable when it returns.
    pub fn erase(&self) -> Result<(), StoreError> {
        match self {
            Self::File(lock) => lock.erase(),
            Self::Memory(lock) => {
                lock.erase();
                Ok(())
            }
        }
    }
}
