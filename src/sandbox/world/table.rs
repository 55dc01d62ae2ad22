//! The records of one collection, by id.

use std::collections::{BTreeMap, VecDeque};

use crate::sandbox::seeded_rng;

use super::{
    collection::{Collection, IdKind},
    record::{Record, RecordId},
};

/// Most records of a collection that clients created, so that one in a loop cannot fill the memory; the oldest one makes room.
const CREATED_MAX: usize = 10_000;

/// And their size as JSON.
const CREATED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Of one record.
const RECORD_BYTES_MAX: usize = 512 * 1024;

/// A record is larger than [`RECORD_BYTES_MAX`].
#[derive(Debug, thiserror::Error)]
#[error("The sandbox keeps no record of more than {RECORD_BYTES_MAX} bytes")]
pub(in crate::sandbox) struct RecordTooLargeError;

pub(super) struct Table {
    of: Collection,
    seed: u64,
    records: BTreeMap<RecordId, Record>,
    /// How many ids were given.
    given_ids: u64,
    /// The records that clients created, oldest first, with their sizes.
    created: VecDeque<(RecordId, usize)>,
    created_bytes: usize,
}

impl Table {
    pub(super) const fn new(of: Collection, seed: u64) -> Self {
        Self {
            of,
            seed,
            records: BTreeMap::new(),
            given_ids: 0,
            created: VecDeque::new(),
            created_bytes: 0,
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
    pub(super) fn create(&mut self, mut record: Record) -> Result<Record, RecordTooLargeError> {
        let id = self.next_id();
        record.insert(self.of.id_member().to_owned(), id.to_value());
        if self.of.has_uid() {
            record.insert("uid".to_owned(), self.uid().into());
        }
        let size = self.put_sized(record.clone())?;
        self.created.push_back((id, size));
        self.created_bytes += size;
        self.evict_oldest();
        Ok(record)
    }

    fn evict_oldest(&mut self) {
        while self.created.len() > CREATED_MAX || self.created_bytes > CREATED_BYTES_MAX {
            let Some((oldest, size)) = self.created.pop_front() else {
                return;
            };
            self.records.remove(&oldest);
            self.created_bytes -= size;
        }
    }

    pub(super) fn put(&mut self, record: Record) -> Result<(), RecordTooLargeError> {
        self.put_sized(record).map(drop)
    }

    /// Gives its size.
    fn put_sized(&mut self, record: Record) -> Result<usize, RecordTooLargeError> {
        let Some(id) = record.get(self.of.id_member()).and_then(RecordId::of) else {
            return Ok(0);
        };
        // Files have a bound of their own.
        let size = match self.of {
            Collection::Files => 0,
            _ => serde_json::to_vec(&record).map_or(0, |it| it.len()),
        };
        if size > RECORD_BYTES_MAX {
            return Err(RecordTooLargeError);
        }
        if let RecordId::Number(number) = id {
            self.given_ids = self.given_ids.max(number);
        }
        self.records.insert(id, record);
        Ok(size)
    }

    /// Never one that was given before.
    fn next_id(&mut self) -> RecordId {
        self.given_ids += 1;
        match self.of.id_kind() {
            IdKind::Number => RecordId::Number(self.given_ids),
            IdKind::Uid => RecordId::Text(self.uid().into()),
        }
    }

    /// For the last id that was given.
    fn uid(&self) -> String {
        let key = format!("{:?} {}", self.of, self.given_ids);
        seeded_rng::uuid(seeded_rng::hash(self.seed, &key))
    }
}
