//! The records of one collection, by id.

use std::collections::BTreeMap;

use crate::sandbox::seeded_rng;

use super::{
    collection::{Collection, IdKind},
    record::{Record, RecordId},
};

/// Most records of a collection, so that a client in a loop cannot fill the memory.
pub(in crate::sandbox) const RECORDS_MAX: usize = 10_000;

/// A collection holds [`RECORDS_MAX`] records already.
#[derive(Debug, thiserror::Error)]
#[error("The sandbox holds no more than {RECORDS_MAX} of them")]
pub(in crate::sandbox) struct TableFullError;

pub(super) struct Table {
    of: Collection,
    seed: u64,
    records: BTreeMap<RecordId, Record>,
    /// How many ids were given.
    created: u64,
}

impl Table {
    pub(super) const fn new(of: Collection, seed: u64) -> Self {
        Self {
            of,
            seed,
            records: BTreeMap::new(),
            created: 0,
        }
    }

    /// By ascending id.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.values()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn get(&self, id: &RecordId) -> Option<&Record> {
        self.records.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &RecordId) -> Option<&mut Record> {
        self.records.get_mut(id)
    }

    pub(super) fn remove(&mut self, id: &RecordId) -> Option<Record> {
        self.records.remove(id)
    }

    /// The record with its new id.
    pub(super) fn create(&mut self, mut record: Record) -> Result<Record, TableFullError> {
        let id = self.next_id();
        record.insert(self.of.id_member().to_owned(), id.to_value());
        if self.of.has_uid() {
            record.insert("uid".to_owned(), self.uid().into());
        }
        self.put(record.clone())?;
        Ok(record)
    }

    /// One that evicts its oldest records is never full.
    pub(super) fn put(&mut self, record: Record) -> Result<(), TableFullError> {
        let Some(id) = record.get(self.of.id_member()).and_then(RecordId::of) else {
            return Ok(());
        };
        if self.records.len() >= RECORDS_MAX && !self.records.contains_key(&id) {
            if !self.of.evicts_oldest() {
                return Err(TableFullError);
            }
            self.records.pop_first();
        }
        if let RecordId::Number(number) = id {
            self.created = self.created.max(number);
        }
        self.records.insert(id, record);
        Ok(())
    }

    /// Never one that was given before.
    fn next_id(&mut self) -> RecordId {
        self.created += 1;
        match self.of.id_kind() {
            IdKind::Number => RecordId::Number(self.created),
            IdKind::Uid => RecordId::Text(self.uid().into()),
        }
    }

    /// For the last id that was given.
    fn uid(&self) -> String {
        let key = format!("{:?} {}", self.of, self.created);
        seeded_rng::uuid(seeded_rng::hash(self.seed, &key))
    }
}
