//! `Recorded`, the proof that the outcome of a request is on record.

/// A value whose line is in the ledger's queue, or will be when its open entry is closed or dropped.
///
/// [`OpenEntry::defer_close`](super::OpenEntry::defer_close) alone makes one.
pub struct Recorded<T>(T);

impl<T> Recorded<T> {
    /// Asserts that the line that `value` belongs to was handed over, or that `value` owns its open entry.
    /// `tests/architecture/` names the one function that may.
    pub(super) fn assert_recorded(value: T) -> Self {
        Self(value)
    }

    /// What was recorded.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}
