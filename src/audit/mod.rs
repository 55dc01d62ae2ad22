//! IS IT ON RECORD? `Leased` ──► `Intended`. A write is durable in the audit log before it is sent. Holds the ledger, its hash
//! chain, and the verification.

pub mod chain;
pub mod decision;
pub mod entry;
pub mod entry_queue;
pub mod hashed_line;
mod intended;
pub mod ledger;
pub mod ledger_observer;
pub mod ledger_writer;
pub mod line_writer;
pub mod log_file;
pub mod log_space;
mod open_entry;
mod recorded;
pub mod refused_tally;
pub mod sink;
mod space_watch;
pub mod stranger_queue;
pub mod verify;
mod writer_status;

use crate::credentials::Leased;

pub use self::{intended::Intended, open_entry::OpenEntry, recorded::Recorded};

/// A request that could not be put on record: it is not sent. Its refusal is recorded like any other; should its intent
/// come to be written after all, that is the outcome that follows it.
pub struct Unrecordable {
    /// The request with the token that it does not need any more.
    pub leased: Leased,
}
