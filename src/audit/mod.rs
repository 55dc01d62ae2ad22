//! ON RECORD. `Leased` ──► `Intended`: a request that changes something is on disk before it leaves. Holds the ledger,
//! its hash chain, and what proves it afterwards.

pub mod chain;
pub mod entry;
pub mod files;
pub mod ledger;
pub mod line;
pub mod queue;
pub mod record;
pub mod sink;
pub mod verify;
pub mod writer;

use crate::credentials::Leased;

use self::entry::{Ending, OpenEntry};

/// A request that is on record, or for a read has its place reserved. Only this module makes one.
pub struct Intended {
    leased: Leased,
    /// Written when it is closed; written as abandoned when it is dropped.
    entry: OpenEntry,
}

impl Intended {
    #[must_use]
    pub fn leased(&self) -> &Leased {
        &self.leased
    }

    pub fn leased_mut(&mut self) -> &mut Leased {
        &mut self.leased
    }

    #[must_use]
    pub fn entry(&self) -> &OpenEntry {
        &self.entry
    }

    pub fn entry_mut(&mut self) -> &mut OpenEntry {
        &mut self.entry
    }

    /// Parts the request's guards (concurrency, lease) from the line that is still to be written.
    #[must_use]
    pub fn into_parts(self) -> (Leased, OpenEntry) {
        (self.leased, self.entry)
    }
}

/// A request that could not be put on record: it is not sent. Its refusal is recorded like any other; should its intent
/// come to be written after all, that is the outcome that follows it.
pub struct Unrecordable {
    pub leased: Leased,
}

/// A value whose line is in the ledger's queue, or will be when its open entry closes. Only the ledger makes one.
pub struct Recorded<T>(T);

impl<T> Recorded<T> {
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl OpenEntry {
    /// Writes the line; `value` is what it was written for.
    pub fn close_with<T>(self, ending: Ending, value: T) -> Recorded<T> {
        self.close(ending);
        Recorded(value)
    }

    /// For an answer that is still to stream: the entry goes with it and is written at its end, or when it is dropped.
    pub fn ride<T>(self, with: impl FnOnce(Self) -> T) -> Recorded<T> {
        Recorded(with(self))
    }
}
