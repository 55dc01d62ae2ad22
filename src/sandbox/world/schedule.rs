//! What will happen later: a script that ends, a maintenance window that begins.

use std::collections::BTreeMap;

/// Most events that can be due at some time.
const EVENTS_MAX: usize = 10_000;

/// A change of the world that comes due.
pub(super) type Event<W> = Box<dyn FnOnce(&mut W) + Send>;

/// By when they are due, in seconds since 1970, and in which order they were added.
pub(super) struct Schedule<W> {
    events: BTreeMap<(u64, u64), Event<W>>,
    added: u64,
}

impl<W> Schedule<W> {
    pub(super) const fn new() -> Self {
        Self {
            events: BTreeMap::new(),
            added: 0,
        }
    }

    /// # Errors
    /// There are too many: the event comes back.
    pub(super) fn add(&mut self, seconds: u64, event: Event<W>) -> Result<(), Event<W>> {
        if self.events.len() >= EVENTS_MAX {
            return Err(event);
        }
        self.added += 1;
        self.events.insert((seconds, self.added), event);
        Ok(())
    }

    /// The event that has been due the longest.
    pub(super) fn take_due(&mut self, now: u64) -> Option<Event<W>> {
        let entry = self.events.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
