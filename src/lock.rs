//! A mutex that ignores poisoning: its users keep the value valid after every statement inside the lock, so a thread that
//! panicked there leaves nothing half changed, and the others must go on.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutual exclusion lock whose [`lock`](Self::lock) always succeeds.
///
/// The holder makes each change in one assignment, or in an order in which every prefix is a valid state.
#[derive(Debug, Default)]
pub struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    /// An unlocked lock around `value`.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits for the lock and takes it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_thread_that_panicked_inside_the_lock_does_not_stop_the_others() {
        let lock = Arc::new(Lock::new(1));
        let shared = Arc::clone(&lock);
        let panicked = std::thread::spawn(move || {
            *shared.lock() = 2;
            let _guard = shared.lock();
            panic!("while the lock is held");
        });

        assert!(panicked.join().is_err());
        assert_eq!(*lock.lock(), 2);
    }
}
