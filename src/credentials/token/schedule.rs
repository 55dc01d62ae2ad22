//! When a token is renewed, and when a failed renewal is tried again.

use std::time::Duration;

use crate::{credentials::grant::token_endpoint_error::RetryHint, random};

use super::access_token::EXPIRY_MARGIN_MS;

/// Jitter of a delay, both ways, so that proxies that started together do not renew together.
const JITTER_PERCENT: u32 = 5;

/// Shortest pause after a failed renewal, in milliseconds.
const BACKOFF_MS_MIN: u64 = 1_000;

/// Longest pause while the current token is still valid, in milliseconds.
const BACKOFF_MS_MAX: u64 = 30_000;

/// Longest pause while there is no valid token, in milliseconds.
const BACKOFF_WITHOUT_TOKEN_MS_MAX: u64 = 4_000;

/// Pause after an error that only an operator can fix, in milliseconds.
const BACKOFF_FINAL_MS: u64 = 60_000;

/// When a token is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalSchedule {
    /// After this percentage of its lifetime.
    AtLifetimePercent(u8),
    /// This long before it expires, but not before half of its lifetime has passed.
    BeforeExpiry(Duration),
}

impl RenewalSchedule {
    /// Time from the request for a token with this lifetime to its renewal, with jitter. Always before the token expires.
    pub(in crate::credentials) fn delay(self, lifetime: Duration) -> Duration {
        let plain = match self {
            Self::AtLifetimePercent(percent) => lifetime / 100 * u32::from(percent.min(100)),
            Self::BeforeExpiry(rest) => lifetime.saturating_sub(rest).max(lifetime / 2),
        };
        let longest = lifetime.saturating_sub(Duration::from_millis(EXPIRY_MARGIN_MS));
        jittered(plain).min(longest)
    }
}

/// How long to wait after a failure, with and without a valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::credentials) struct RetryDelays {
    pub(in crate::credentials) with_token: Duration,
    pub(in crate::credentials) without_token: Duration,
}

/// The delays after the `failures`th failure in a row: exponential backoff with full jitter. None if only a login helps.
pub(in crate::credentials) fn retry_delays(hint: RetryHint, failures: u32) -> Option<RetryDelays> {
    let asked = match hint {
        RetryHint::AfterLogin => return None,
        RetryHint::Rarely => {
            let pause = jittered(Duration::from_millis(BACKOFF_FINAL_MS));
            return Some(RetryDelays {
                with_token: pause,
                without_token: pause,
            });
        }
        RetryHint::Soon { retry_after } => retry_after.unwrap_or_default(),
    };
    let grown = BACKOFF_MS_MIN.saturating_mul(2 << failures.min(16));
    let pause = |most: u64| {
        let above = grown.min(most).saturating_sub(BACKOFF_MS_MIN);
        let pause =
            Duration::from_millis(BACKOFF_MS_MIN) + random::jitter(Duration::from_millis(above));
        pause.max(asked)
    };
    Some(RetryDelays {
        with_token: pause(BACKOFF_MS_MAX),
        without_token: pause(BACKOFF_WITHOUT_TOKEN_MS_MAX),
    })
}

/// A random time from 95 to 105 % of `delay`.
fn jittered(delay: Duration) -> Duration {
    let least = delay / 100 * (100 - JITTER_PERCENT);
    least + random::jitter(delay / 100 * (2 * JITTER_PERCENT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_token_is_renewed_around_the_configured_part_of_its_life() {
        for _ in 0..1000 {
            let delay = RenewalSchedule::AtLifetimePercent(80).delay(HOUR).as_secs();
            assert!((2735..=3025).contains(&delay), "{delay}");
            let delay = RenewalSchedule::BeforeExpiry(Duration::from_mins(5)).delay(HOUR);
            assert!((3134..=3466).contains(&delay.as_secs()), "{delay:?}");
        }
    }

    #[test]
    fn a_renewal_comes_before_the_end_whatever_is_configured() {
        for life_s in [0, 1, 2, 10, 60, 3600] {
            let lifetime = Duration::from_secs(life_s);
            let longest = lifetime.saturating_sub(Duration::from_secs(1));
            for at in [
                RenewalSchedule::AtLifetimePercent(255),
                RenewalSchedule::AtLifetimePercent(0),
                RenewalSchedule::BeforeExpiry(HOUR),
            ] {
                assert!(at.delay(lifetime) <= longest);
            }
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_heed_what_ninjaone_asks() {
        let failed = RetryHint::Soon { retry_after: None };
        for failures in 0..100 {
            let pauses = retry_delays(failed, failures).unwrap();
            assert!((1_000..=30_000).contains(&pauses.with_token.as_millis()));
            assert!((1_000..=4_000).contains(&pauses.without_token.as_millis()));
        }
        let asked = Duration::from_secs(200);
        let throttled = RetryHint::Soon {
            retry_after: Some(asked),
        };
        assert_eq!(retry_delays(throttled, 1).unwrap().without_token, asked);
        let rarely = retry_delays(RetryHint::Rarely, 1).unwrap();
        assert!(rarely.without_token >= Duration::from_secs(57));
        assert_eq!(retry_delays(RetryHint::AfterLogin, 1), None);
    }
}
