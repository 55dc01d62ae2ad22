//! A store of logins in memory, for the sandbox and for tests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Found,
    stored_login::{Kept, Slot},
};

/// Logins in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<HashMap<Slot, Place>>>);

#[derive(Default)]
struct Place {
    kept: Option<Kept>,
    revision: u64,
    locked: bool,
}

impl MemoryStore {
    pub(super) fn read(&self, slot: &Slot) -> Option<Found> {
        let kept = self.places().get(slot)?.kept.clone()?;
        Some(Found { kept, damage: None })
    }

    pub(super) fn revision(&self, slot: &Slot) -> u64 {
        self.places().get(slot).map_or(0, |place| place.revision)
    }

    pub(super) fn try_lock(&self, slot: &Slot) -> Option<MemoryLock> {
        let mut places = self.places();
        let place = places.entry(slot.clone()).or_default();
        if place.locked {
            return None;
        }
        place.locked = true;
        Some(MemoryLock {
            store: self.clone(),
            slot: slot.clone(),
        })
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Slot, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    pub(super) fn read(&self) -> Option<Found> {
        self.store.read(&self.slot)
    }

    pub(super) fn write(&self, kept: &Kept) {
        self.put(Some(kept.clone()));
    }

    pub(super) fn forget(&self) {
        self.put(None);
    }

    fn put(&self, kept: Option<Kept>) {
        let mut places = self.store.places();
        let place = places.entry(self.slot.clone()).or_default();
        place.kept = kept;
        place.revision += 1;
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        if let Some(place) = self.store.places().get_mut(&self.slot) {
            place.locked = false;
        }
    }
}
