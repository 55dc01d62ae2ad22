//! How long it takes until one of a limited number of places is free: an estimate from how long it took before.
//!
//! The clock is read only where the last place is taken or given back, so below the limit this costs a comparison.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::retry_after::{RETRY_AFTER_S_MAX, RETRY_AFTER_S_MIN};

/// The share of what was known before in the mean, in quarters.
const OLD_QUARTERS: u64 = 3;

/// Measures from the moment at which the last place is taken to the moment at which one is given back.
pub(super) struct ReleasePace {
    start: Instant,
    /// In microseconds since `start`; 0: a place is free.
    full_since_us: AtomicU64,
    /// 0: not known yet.
    mean_us: AtomicU64,
}

impl ReleasePace {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            full_since_us: AtomicU64::new(0),
            mean_us: AtomicU64::new(0),
        }
    }

    /// The last place was taken.
    pub(super) fn note_full(&self, now: Instant) {
        self.full_since_us.store(self.us(now), Ordering::Relaxed);
    }

    /// While all were taken, one is given back.
    pub(super) fn note_release(&self, now: Instant) {
        let full_since_us = self.full_since_us.swap(0, Ordering::Relaxed);
        if full_since_us == 0 {
            return;
        }
        let took_us = self.us(now).saturating_sub(full_since_us);
        let mean_us = match self.mean_us.load(Ordering::Relaxed) {
            0 => took_us,
            before => before / 4 * OLD_QUARTERS + took_us / 4,
        };
        self.mean_us.store(mean_us, Ordering::Relaxed);
    }

    /// When there will be a place for one with `ahead` others before it, 1 to 300 s from now: as long a time for each as it
    /// took before, or as it has taken by now.
    pub(super) fn wait(&self, ahead: u32, now: Instant) -> Duration {
        let passed_us = match self.full_since_us.load(Ordering::Relaxed) {
            0 => 0,
            since => self.us(now).saturating_sub(since),
        };
        let each_us = self.mean_us.load(Ordering::Relaxed).max(passed_us);
        let wait_us = each_us.saturating_mul(u64::from(ahead) + 1);
        Duration::from_micros(wait_us).clamp(
            Duration::from_secs(RETRY_AFTER_S_MIN),
            Duration::from_secs(RETRY_AFTER_S_MAX),
        )
    }

    /// Never 0.
    fn us(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.start).as_micros();
        u64::try_from(passed).map_or(u64::MAX, |it| it.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_wait_is_as_long_as_a_place_took_before_for_each_that_is_ahead() {
        let (pace, start) = (ReleasePace::new(), Instant::now());
        assert_eq!(pace.wait(0, start), s(1), "nothing is known");
        pace.note_full(start);
        assert_eq!(pace.wait(0, start), s(1));
        assert_eq!(
            pace.wait(0, start + s(7)),
            s(7),
            "as long as it has taken by now"
        );
        pace.note_release(start + s(8));
        let later = start + s(60);
        pace.note_full(later);
        assert_eq!(pace.wait(0, later), s(8));
        assert_eq!(pace.wait(2, later + s(3)), s(24));
        assert_eq!(
            pace.wait(4096, later),
            s(300),
            "no longer than any Retry-After"
        );
        pace.note_release(later + s(4));
        pace.note_full(later + s(4));
        assert_eq!(
            pace.wait(0, later + s(4)),
            s(7),
            "3 of 4 parts of what was known"
        );
    }

    #[test]
    fn what_is_given_back_below_the_limit_measures_nothing() {
        let (pace, start) = (ReleasePace::new(), Instant::now());
        pace.note_release(start + s(9));
        assert_eq!(pace.wait(0, start + s(9)), s(1));
    }
}
