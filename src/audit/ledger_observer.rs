//! What may watch the audit log as it comes about.

use std::sync::Arc;

use super::entry::AuditEntry;

/// Told of each entry once, by the thread that writes them, when it takes them up: it must not wait for anything.
pub type LedgerObserver = Arc<dyn Fn(&AuditEntry) + Send + Sync>;
