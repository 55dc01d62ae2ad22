//! Cells for what one worker's tasks share. The HTTP library wants futures that could move between threads, so a `Cell` will
//! not do; but a connection and its requests stay on one worker, so there is one writer at a time, and plain loads and
//! stores replace locked instructions.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A number that only tasks of one worker write. Two threads that wrote at once would lose a change, and nothing else.
#[derive(Debug, Default)]
pub struct WorkerCounter(AtomicU64);

impl WorkerCounter {
    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Replaces the number.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds `more`, wrapping around at the type's end; returns the sum.
    pub fn add(&self, more: u64) -> u64 {
        let sum = self.get().wrapping_add(more);
        self.set(sum);
        sum
    }

    /// Subtracts one, wrapping around at 0.
    pub fn decrement(&self) {
        self.set(self.get().wrapping_sub(1));
    }
}

/// A flag that only tasks of one worker write.
#[derive(Debug, Default)]
pub struct WorkerFlag(AtomicBool);

impl WorkerFlag {
    /// Whether it is set.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets or clears it.
    pub fn set(&self, value: bool) {
        self.0.store(value, Ordering::Relaxed);
    }
}
