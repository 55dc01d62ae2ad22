//! The simulated world: the customers of a fictitious service provider, what they have, and how writes change it.
//!
//! Everything is a record in a collection: a JSON object with an id. `creation` makes the first records from the seed; the
//! files of `seed/` hold those that are the same in every world.

mod activities;
mod backups;
mod clock;
mod collection;
mod creation;
mod device_parts;
mod devices;
mod maintenance;
mod programs;
mod record;
mod schedule;
mod seed;
mod table;

use std::sync::MutexGuard;

use crate::lock::Lock;

pub(super) use self::{
    activities::{NewActivity, in_words},
    backups::add_totals,
    clock::NOW_SECONDS,
    collection::Collection,
    programs::Programs,
    record::{Record, RecordId, integer, merge, record, text},
    table::TableFullError,
};

use self::{clock::SandboxClock, schedule::Schedule, table::Table};

/// Everything there is.
pub(super) struct WorldData {
    pub(super) seed: u64,
    clock: SandboxClock,
    /// One for each of [`Collection::ALL`], in that order.
    tables: Vec<Table>,
    schedule: Schedule,
}

pub(super) struct World(Lock<WorldData>);

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self(Lock::new(WorldData::new(seed)))
    }

    /// What is there now: what has come due since the last time has happened. Held for as long as it takes to read or change
    /// something; never across an await.
    pub(super) fn data(&self) -> MutexGuard<'_, WorldData> {
        let mut data = self.0.lock();
        data.happen();
        data
    }

    /// Begins again: as after the start.
    pub(super) fn reset(&self) {
        let mut data = self.0.lock();
        *data = WorldData::new(data.seed);
    }
}

impl WorldData {
    fn new(seed: u64) -> Self {
        let mut data = Self {
            seed,
            clock: SandboxClock::default(),
            tables: Collection::ALL
                .iter()
                .map(|it| Table::new(*it, seed))
                .collect(),
            schedule: Schedule::default(),
        };
        creation::fill(&mut data);
        data
    }

    /// The sandbox's time, in seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Puts the clock forward.
    pub(super) fn advance(&mut self, seconds: u64) {
        self.clock.advance(seconds);
        self.happen();
    }

    pub(super) fn all(&self, of: Collection) -> impl DoubleEndedIterator<Item = &Record> {
        self.table(of).all()
    }

    pub(super) fn count(&self, of: Collection) -> usize {
        self.table(of).len()
    }

    pub(super) fn get(&self, of: Collection, id: &RecordId) -> Option<&Record> {
        self.table(of).get(id)
    }

    pub(super) fn get_mut(&mut self, of: Collection, id: &RecordId) -> Option<&mut Record> {
        self.table_mut(of).get_mut(id)
    }

    pub(super) fn remove(&mut self, of: Collection, id: &RecordId) -> Option<Record> {
        self.table_mut(of).remove(id)
    }

    /// Adds a record under a new id, which is put into it.
    ///
    /// # Errors
    /// The sandbox holds no more of them.
    pub(super) fn create(
        &mut self,
        of: Collection,
        record: Record,
    ) -> Result<Record, TableFullError> {
        self.table_mut(of).create(record)
    }

    /// Adds or replaces a record under the id that it has.
    ///
    /// # Errors
    /// The sandbox holds no more of them.
    pub(super) fn put(&mut self, of: Collection, record: Record) -> Result<(), TableFullError> {
        self.table_mut(of).put(record)
    }

    fn table(&self, of: Collection) -> &Table {
        // There is one for each collection: see `new`.
        &self.tables[of as usize]
    }

    fn table_mut(&mut self, of: Collection) -> &mut Table {
        &mut self.tables[of as usize]
    }
}
