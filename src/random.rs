//! The only source of randomness.

use std::time::Duration;

use aws_lc_rs::rand;

/// `N` random bytes; none if the system provides no randomness.
#[must_use]
pub fn bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes).map(|()| bytes)
}

/// Fills `bytes` in place, for secrets that must not be copied; none if the system provides no randomness.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the source")]
pub fn fill(bytes: &mut [u8]) -> Option<()> {
    rand::fill(bytes).ok()
}

/// For ids and jitter, never for secrets: without randomness it is 0.
#[must_use]
pub fn random_u64() -> u64 {
    bytes().map_or(0, u64::from_le_bytes)
}

/// Any time from nothing up to `longest`, in whole milliseconds: full jitter.
#[must_use]
pub fn jitter(longest: Duration) -> Duration {
    let longest_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random_u64() % longest_ms.saturating_add(1))
}
