//! All records of the simulated world, its time, and what will happen in it.

use super::{
    clock::SandboxClock,
    collection::Collection,
    record::{Record, RecordId},
    schedule::{Event, Schedule},
    table::{RecordTooLargeError, Table},
};

/// Everything there is.
pub(in crate::sandbox) struct WorldData {
    pub(in crate::sandbox) seed: u64,
    clock: SandboxClock,
    /// One for each of [`Collection::ALL`], in that order.
    tables: Vec<Table>,
    schedule: Schedule<WorldData>,
    /// Grows with each change.
    revision: u64,
}

/// A state of the world and its time: the same stamp means the same answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) struct WorldStamp {
    revision: u64,
    now: u64,
}

impl WorldData {
    /// A world with nothing in it.
    pub(super) fn empty(seed: u64) -> Self {
        Self {
            seed,
            clock: SandboxClock::default(),
            tables: Collection::ALL
                .iter()
                .map(|it| Table::new(*it, seed))
                .collect(),
            schedule: Schedule::new(),
            revision: 0,
        }
    }

    /// Another world in the place of this one.
    pub(super) fn replace_by(&mut self, other: Self) {
        let revision = self.revision + other.revision + 1;
        *self = Self { revision, ..other };
    }

    pub(in crate::sandbox) fn stamp(&self) -> WorldStamp {
        WorldStamp {
            revision: self.revision,
            now: self.now(),
        }
    }

    /// The sandbox's time, in seconds since 1970.
    pub(in crate::sandbox) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Puts the clock forward.
    pub(in crate::sandbox) fn advance(&mut self, seconds: u64) {
        self.clock.advance(seconds);
        self.happen();
    }

    pub(in crate::sandbox) fn all(
        &self,
        of: Collection,
    ) -> impl DoubleEndedIterator<Item = &Record> {
        self.table(of).all()
    }

    pub(in crate::sandbox) fn count(&self, of: Collection) -> usize {
        self.table(of).len()
    }

    pub(in crate::sandbox) fn get(&self, of: Collection, id: &RecordId) -> Option<&Record> {
        self.table(of).get(id)
    }

    pub(in crate::sandbox) fn get_mut(
        &mut self,
        of: Collection,
        id: &RecordId,
    ) -> Option<&mut Record> {
        self.table_mut(of).get_mut(id)
    }

    pub(in crate::sandbox) fn remove(&mut self, of: Collection, id: &RecordId) -> Option<Record> {
        self.table_mut(of).remove(id)
    }

    /// Adds a record under a new id, which is put into it.
    ///
    /// # Errors
    /// It is too large.
    pub(in crate::sandbox) fn create(
        &mut self,
        of: Collection,
        record: Record,
    ) -> Result<Record, RecordTooLargeError> {
        self.table_mut(of).create(record)
    }

    /// Adds or replaces a record under the id that it has.
    ///
    /// # Errors
    /// It is too large.
    pub(in crate::sandbox) fn put(
        &mut self,
        of: Collection,
        record: Record,
    ) -> Result<(), RecordTooLargeError> {
        self.table_mut(of).put(record)
    }

    fn table(&self, of: Collection) -> &Table {
        // There is one for each collection: see `empty`.
        &self.tables[of as usize]
    }

    fn table_mut(&mut self, of: Collection) -> &mut Table {
        self.revision += 1;
        &mut self.tables[of as usize]
    }

    /// Lets something happen at a time, in seconds since 1970.
    pub(in crate::sandbox) fn at(&mut self, seconds: u64, event: Event<Self>) {
        if let Err(event) = self.schedule.add(seconds, event) {
            event(self);
        }
    }

    /// Lets everything happen that is due.
    pub(in crate::sandbox) fn happen(&mut self) {
        while let Some(event) = self.schedule.take_due(self.now()) {
            event(self);
        }
    }
}
