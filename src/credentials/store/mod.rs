//! Where logins are kept so that none is lost: sealed on disk, one process at a time, durable before it is used.
//!
//! NinjaOne takes a refresh token back as soon as it has given the next one, so the newest one must never exist in
//! memory alone for longer than it takes to write it down.

mod directory;
pub mod error;
pub mod file;
pub mod kept;
pub mod key;
pub mod memory;
mod record;
mod seal;
mod slot_files;

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use crate::random;

use self::{
    error::{Cause, Step, StoreError},
    file::{FileLock, FileRevision, FileStore},
    kept::{Kept, Slot},
    key::SealKeys,
    memory::{MemoryLock, MemoryStore},
};

/// Longest that anybody waits for the lock of a slot.
pub const LOCK_WAIT_MS_MAX: u64 = 600_000;

/// Longest pause between two tries to lock; each is drawn at random, so that nobody is always the second.
const LOCK_PAUSE_MS_MAX: u64 = 40;

/// Where logins are kept. A clone is the same store.
#[derive(Clone)]
pub enum Store {
    /// Shared by all processes that open the same directory.
    File(FileStore),
    /// Ends with the process.
    Memory(MemoryStore),
}

impl Store {
    /// Makes `directory` where it is missing (0700), and checks that it is ours alone.
    pub fn open(directory: &Path, seals: SealKeys) -> Result<Self, StoreError> {
        FileStore::open(directory, seals).map(Self::File)
    }

    #[must_use]
    pub fn memory() -> Self {
        Self::Memory(MemoryStore::default())
    }

    /// What is kept in a slot now, whoever holds the lock; none before the first login and after a logout. Blocks on
    /// the disk.
    pub fn read(&self, slot: &Slot) -> Result<Option<Found>, StoreError> {
        match self {
            Self::File(store) => store.read(slot),
            Self::Memory(store) => Ok(store.read(slot)),
        }
    }

    /// A cheap look at which writing of the slot is there, without opening it: differs from an earlier one if
    /// something was written since.
    pub fn revision(&self, slot: &Slot) -> Result<Revision, StoreError> {
        match self {
            Self::File(store) => store.revision(slot).map(Revision::File),
            Self::Memory(store) => Ok(Revision::Memory(store.revision(slot))),
        }
    }

    /// Whether all that is kept in a slot opens and was sealed with the first key. Blocks on the disk.
    pub fn is_sealed_by_first_key(&self, slot: &Slot) -> Result<bool, StoreError> {
        match self {
            Self::File(store) => store.is_sealed_by_first_key(slot),
            Self::Memory(_) => Ok(true),
        }
    }

    /// None if another process or task has the lock. Blocks on the disk.
    pub fn try_lock(&self, slot: &Slot) -> Result<Option<Locked>, StoreError> {
        match self {
            Self::File(store) => Ok(store.try_lock(slot)?.map(Locked::File)),
            Self::Memory(store) => Ok(store.try_lock(slot).map(Locked::Memory)),
        }
    }

    /// Waits for the lock, at most `longest`; then [`StoreError::Busy`].
    ///
    /// The lock has no life time of its own: it is free when the holder lets go or its process ends.
    pub async fn lock(&self, slot: &Slot, longest: Duration) -> Result<Locked, StoreError> {
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
                Duration::from_millis(1) + random::up_to(Duration::from_millis(LOCK_PAUSE_MS_MAX));
            sleep(pause.min(left)).await;
        }
    }

    /// The file that is locked by whoever may write a slot.
    #[must_use]
    pub fn lock_path(&self, slot: &Slot) -> std::path::PathBuf {
        match self {
            Self::File(store) => store.lock_path(slot),
            Self::Memory(_) => slot.to_string().into(),
        }
    }

    /// The runtime is shutting down.
    fn lock_error(&self, slot: &Slot) -> StoreError {
        StoreError::Io {
            step: Step::Lock,
            path: self.lock_path(slot),
            cause: Cause {
                kind: std::io::ErrorKind::Interrupted,
                code: None,
            },
        }
    }
}

/// What was found in a slot.
#[derive(Clone)]
pub struct Found {
    pub kept: Kept,
    /// What is wrong with the file, where its intact copy of the same revision was read instead. For the log: the next
    /// write makes it good.
    pub damage: Option<StoreError>,
}

/// Which writing of a slot is there. To compare with another one of the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    File(Option<FileRevision>),
    Memory(u64),
}

/// The right to write one slot. Held by one task of one process at a time; let go on drop.
pub enum Locked {
    File(FileLock),
    Memory(MemoryLock),
}

impl Locked {
    #[must_use]
    pub fn slot(&self) -> &Slot {
        match self {
            Self::File(lock) => lock.slot(),
            Self::Memory(lock) => lock.slot(),
        }
    }

    pub fn read(&self) -> Result<Option<Found>, StoreError> {
        match self {
            Self::File(lock) => lock.read(),
            Self::Memory(lock) => Ok(lock.read()),
        }
    }

    /// Durable when it returns. After an error the slot holds the old or the new record, and the same may be written
    /// again. Refuses to write over what it cannot read: see [`Locked::start_anew`].
    pub fn write(&self, kept: &Kept) -> Result<(), StoreError> {
        match self {
            Self::File(lock) => lock.write(kept),
            Self::Memory(lock) => {
                lock.write(kept);
                Ok(())
            }
        }
    }

    /// Writes a login whatever is in the slot: damaged, rolled back or sealed with a lost key. For a new login, and for
    /// whoever has the newest one in memory.
    pub fn start_anew(&self, kept: &Kept) -> Result<(), StoreError> {
        match self {
            Self::File(lock) => lock.start_anew(kept),
            Self::Memory(lock) => {
                lock.write(kept);
                Ok(())
            }
        }
    }

    /// Seals with the first key what another one sealed. True if there was something to do.
    pub fn reseal(&self) -> Result<bool, StoreError> {
        match self {
            Self::File(lock) => lock.reseal(),
            Self::Memory(_) => Ok(false),
        }
    }

    /// Logout: the login and its copy are overwritten and removed, readable or not. Durable when it returns.
    pub fn forget(&self) -> Result<(), StoreError> {
        match self {
            Self::File(lock) => lock.forget(),
            Self::Memory(lock) => {
                lock.forget();
                Ok(())
            }
        }
    }
}
