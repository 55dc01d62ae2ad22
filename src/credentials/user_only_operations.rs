//! The operations that a tenant's NinjaOne allows to users only, learned from its responses: one bit per operation of the
//! catalogue, read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

const BITS: usize = u64::BITS as usize;

/// The operations that NinjaOne refused with `user_context_required`. The default holds none and has room for none.
#[derive(Debug, Default)]
pub struct UserOnlyOperations(Box<[AtomicU64]>);

impl UserOnlyOperations {
    /// An empty set with room for a catalogue of this many operations.
    #[must_use]
    pub fn new(operations: usize) -> Self {
        let words = operations.div_ceil(BITS);
        Self((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    /// Whether the set holds the operation with this index.
    #[must_use]
    pub fn contains(&self, operation: usize) -> bool {
        let word = self.0.get(operation / BITS);
        word.is_some_and(|it| it.load(Ordering::Relaxed) & bit(operation) != 0)
    }

    /// Adds the operation with this index. True if it was not in the set before.
    pub fn insert(&self, operation: usize) -> bool {
        let word = self.0.get(operation / BITS);
        word.is_some_and(|it| it.fetch_or(bit(operation), Ordering::Relaxed) & bit(operation) == 0)
    }
}

const fn bit(operation: usize) -> u64 {
    1 << (operation % BITS)
}
