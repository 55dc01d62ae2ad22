//! How the audit log stands: what its writer publishes after each batch.

use std::path::PathBuf;

use crate::clock::Timestamp;

use super::{chain::Head, log_space::LogSpace};

/// How the log stands, as of the last batch.
#[derive(Clone)]
pub(super) struct WriterStatus {
    pub(super) head: Head,
    pub(super) path: Option<PathBuf>,
    pub(super) records: u64,
    pub(super) failures: u64,
    pub(super) failure: Option<WriterFailure>,
    pub(super) gap: Option<LedgerGap>,
    pub(super) space: Option<LogSpace>,
}

/// Since when and why the log cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterFailure {
    pub reason: Box<str>,
    pub since: Timestamp,
}

/// A while in which lines were lost, or in which somebody else changed the files of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerGap {
    pub reason: Box<str>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub lost: u64,
}
