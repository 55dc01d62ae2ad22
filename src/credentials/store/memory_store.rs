//! A store of logins in memory, for what is tested without a disk.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard},
};

use crate::lock::Lock;

use super::{
    found_login::FoundLogin,
    stored_login::{Slot, StoredLogin},
};

/// Logins in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Lock<HashMap<Slot, MemorySlot>>>);

#[derive(Default)]
struct MemorySlot {
    login: Option<StoredLogin>,
    revision: u64,
    locked: bool,
}

impl MemoryStore {
    pub(super) fn read(&self, slot: &Slot) -> Option<FoundLogin> {
        let stored = self.slots().get(slot)?.login.clone()?;
        Some(FoundLogin {
            login: stored,
            damage: None,
        })
    }

    pub(super) fn revision(&self, slot: &Slot) -> u64 {
        self.slots().get(slot).map_or(0, |stored| stored.revision)
    }

    pub(super) fn try_lock(&self, slot: &Slot) -> Option<MemoryLock> {
        let mut slots = self.slots();
        let stored = slots.entry(slot.clone()).or_default();
        if stored.locked {
            return None;
        }
        stored.locked = true;
        Some(MemoryLock {
            store: self.clone(),
            slot: slot.clone(),
        })
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Slot, MemorySlot>> {
        self.0.lock()
    }
}

/// The lock of one slot in memory.
pub struct MemoryLock {
    store: MemoryStore,
    slot: Slot,
}

impl MemoryLock {
    pub(super) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(super) fn read(&self) -> Option<FoundLogin> {
        self.store.read(&self.slot)
    }

    pub(super) fn write(&self, stored: &StoredLogin) {
        self.put(Some(stored.clone()));
    }

    pub(super) fn erase(&self) {
        self.put(None);
    }

    fn put(&self, login: Option<StoredLogin>) {
        let mut slots = self.store.slots();
        let stored = slots.entry(self.slot.clone()).or_default();
        stored.login = login;
        stored.revision += 1;
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        if let Some(stored) = self.store.slots().get_mut(&self.slot) {
            stored.locked = false;
        }
    }
}
