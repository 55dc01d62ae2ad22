//! The sandbox's time: it starts at the same instant in every world, so that a seed gives the same bytes on any day.

use crate::clock::Moment;

/// 2026-11-17T14:00:00Z, in seconds since 1970.
pub(in crate::sandbox) const NOW_SECONDS: u64 = 1_794_924_000;

/// Goes as real time does, and can be put forward.
pub(super) struct SandboxClock {
    start: Moment,
    advanced: u64,
}

impl Default for SandboxClock {
    fn default() -> Self {
        Self {
            start: Moment::now(),
            advanced: 0,
        }
    }
}

impl SandboxClock {
    pub(super) fn now(&self) -> u64 {
        let passed = Moment::now().since(self.start).as_secs();
        NOW_SECONDS
            .saturating_add(passed)
            .saturating_add(self.advanced)
    }

    pub(super) fn advance(&mut self, seconds: u64) {
        self.advanced = self.advanced.saturating_add(seconds);
    }
}
