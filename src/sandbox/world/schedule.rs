//! What will happen later: a script that ends, a maintenance window that begins.

use std::collections::BTreeMap;

use super::WorldData;

/// Most events that can be due at some time; further ones happen at once.
const EVENTS_MAX: usize = 10_000;

/// A change of the world that comes due.
pub(in crate::sandbox) type Event = Box<dyn FnOnce(&mut WorldData) + Send>;

/// By when they are due, in seconds since 1970, and in which order they were added.
#[derive(Default)]
pub(super) struct Schedule {
    events: BTreeMap<(u64, u64), Event>,
    added: u64,
}

impl WorldData {
    /// Lets something happen at a time.
    pub(in crate::sandbox) fn at(&mut self, seconds: u64, event: Event) {
        if self.schedule.events.len() >= EVENTS_MAX {
            event(self);
            return;
        }
        self.schedule.added += 1;
        let key = (seconds, self.schedule.added);
        self.schedule.events.insert(key, event);
    }

    /// Lets everything happen that is due.
    pub(super) fn happen(&mut self) {
        let now = self.now();
        while let Some(entry) = self.schedule.events.first_entry()
            && entry.key().0 <= now
        {
            let event = entry.remove();
            event(self);
        }
    }
}
