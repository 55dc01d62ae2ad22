//! The simulated world: the customers of a fictitious service provider, what they have, and how writes change it.
//!
//! Everything is a record in a collection: a JSON object with an id. `creation` makes the first records from the seed; the
//! files of `seed/` hold those that are the same in every world.

mod activities;
mod backups;
mod clock;
mod collection;
mod creation;
mod data;
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
    data::{WorldData, WorldStamp},
    programs::Programs,
    record::{Record, RecordId, integer, merge, record, text},
    table::RecordTooLargeError,
};

pub(super) struct World(Lock<WorldData>);

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self(Lock::new(creation::new_world(seed)))
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
        let new = creation::new_world(data.seed);
        data.replace_by(new);
    }
}
