//! Whether a tenant's host could be reached when it was last tried.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::{clock::Timestamp, lock::Lock, net::client::exchange_error::ExchangeError};

/// From how many failed tries in a row on the host counts as unreachable: one may be chance.
const FAILURES_MIN: u32 = 3;

/// How long a failed try counts if nobody tries again.
const FAILURE_SHOWN: Duration = Duration::from_mins(1);

/// The last try of all workers.
#[derive(Default)]
pub struct Reachability {
    /// Read for each response, so that the lock is taken only where something changes.
    has_failed: AtomicBool,
    failure: Lock<Option<ReachFailure>>,
}

/// No connection was made, since this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReachFailure {
    pub since: Timestamp,
    /// The last try.
    pub last: Timestamp,
    /// Tries in a row.
    pub count: u32,
    pub error: ExchangeError,
}

impl Reachability {
    /// NinjaOne has answered something.
    pub(super) fn record_contact(&self) {
        if self.has_failed.load(Ordering::Relaxed) {
            *self.failure.lock() = None;
            self.has_failed.store(false, Ordering::Relaxed);
        }
    }

    /// No connection could be made.
    pub(super) fn record_failure(&self, error: ExchangeError) {
        let now = Timestamp::now();
        let mut failure = self.failure.lock();
        let (since, count) = failure.map_or((now, 0), |it| (it.since, it.count));
        *failure = Some(ReachFailure {
            since,
            last: now,
            count: count.saturating_add(1),
            error,
        });
        self.has_failed.store(true, Ordering::Relaxed);
    }

    /// Why the host cannot be reached; none if it can, or if nobody has tried for a minute.
    #[must_use]
    pub fn failure(&self) -> Option<ReachFailure> {
        let failure = *self.failure.lock();
        failure.filter(|it| {
            it.count >= FAILURES_MIN && Timestamp::now().since(it.last) < FAILURE_SHOWN
        })
    }
}
