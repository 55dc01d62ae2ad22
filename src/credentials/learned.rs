//! The operations that a tenant's NinjaOne wants a person for, found out by asking: one bit for each operation of the
//! catalogue, read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

const BITS: usize = u64::BITS as usize;

/// Which operations were answered with `user_context_required`. Default: none, and nothing can be learned.
#[derive(Debug, Default)]
pub struct Learned(Box<[AtomicU64]>);

impl Learned {
    /// For a catalogue of this many operations.
    #[must_use]
    pub fn new(operations: usize) -> Self {
        let words = operations.div_ceil(BITS);
        Self((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    /// Whether the operation with this index was learned.
    #[must_use]
    pub fn holds(&self, operation: usize) -> bool {
        let word = self.0.get(operation / BITS);
        word.is_some_and(|it| it.load(Ordering::Relaxed) & bit(operation) != 0)
    }

    /// True if it was not known before.
    pub fn add(&self, operation: usize) -> bool {
        let word = self.0.get(operation / BITS);
        word.is_some_and(|it| it.fetch_or(bit(operation), Ordering::Relaxed) & bit(operation) == 0)
    }
}

const fn bit(operation: usize) -> u64 {
    1 << (operation % BITS)
}
