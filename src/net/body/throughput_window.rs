//! The throughput of a body: an average over windows of the time in which one side is waited for. The other side's delays do
//! not count, and a pause that is made up for does no harm.

use std::time::Duration;

use tokio::time::Instant;

/// Length of a window, in seconds of waiting.
pub const WINDOW_S: u64 = 30;

const WINDOW: Duration = Duration::from_secs(WINDOW_S);

/// The throughput of one side in the current window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThroughputWindow {
    /// How long that side was waited for in this window.
    waited: Duration,
    bytes: u64,
}

impl ThroughputWindow {
    /// An empty window.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Counts bytes that moved.
    pub const fn add_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Counts time in which the side was waited for.
    pub const fn add_wait(&mut self, time: Duration) {
        self.waited = self.waited.saturating_add(time);
    }

    /// How much waiting is left in the window.
    #[must_use]
    pub const fn remaining(&self) -> Duration {
        WINDOW.saturating_sub(self.waited)
    }

    /// Whether the throughput of a full window was below `rate`, in bytes a second; begins the next window. False while the
    /// window is not full.
    pub fn is_too_slow(&mut self, rate: u64) -> bool {
        if self.waited < WINDOW {
            return false;
        }
        let window = std::mem::take(self);
        let wanted = u128::from(rate) * window.waited.as_millis() / 1000;
        u128::from(window.bytes) < wanted
    }
}

/// When the time for all of a body is over; none if that is beyond the clock's range.
#[must_use]
pub fn deadline(started: Instant, total: Duration) -> Option<Instant> {
    started.checked_add(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 1024;

    fn of(steps: &[(u64, u64)]) -> Vec<bool> {
        let mut window = ThroughputWindow::default();
        let mut verdicts = Vec::new();
        for (bytes, ms) in steps {
            window.add_bytes(*bytes);
            window.add_wait(Duration::from_millis(*ms));
            verdicts.push(window.is_too_slow(RATE));
        }
        verdicts
    }

    #[test]
    fn a_window_is_judged_when_it_is_full_and_not_before() {
        assert_eq!(of(&[(0, 29_999)]), [false]);
        assert_eq!(of(&[(0, 30_000)]), [true]);
        assert_eq!(of(&[(1, 20_000), (1, 10_000)]), [false, true]);
        assert_eq!(of(&[(30 * RATE, 30_000)]), [false]);
        assert_eq!(of(&[(30 * RATE - 1, 30_000)]), [true]);
    }

    #[test]
    fn a_pause_that_is_made_up_for_does_no_harm() {
        assert_eq!(of(&[(10, 29_000), (40 * RATE, 2_000)]), [false, false]);
        // A longer window wants more.
        assert_eq!(of(&[(10, 29_000), (30 * RATE, 2_000)]), [false, true]);
    }

    #[test]
    fn what_one_window_had_too_much_does_not_help_the_next() {
        assert_eq!(of(&[(1 << 30, 30_000), (0, 30_000)]), [false, true]);
    }
}
