//! A limit that nobody is told of: a token bucket for a part of the API.

use std::{num::NonZeroU32, time::Duration};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock};
use serde::{Deserialize, Serialize};

use super::throttle::Throttle;

/// Requests a second that a limit can allow, at most.
const RATE_MAX: f64 = 100_000.0;

/// And at least: one an hour.
const RATE_MIN: f64 = 1.0 / 3_600.0;

/// A limit as it is switched on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HiddenLimit {
    /// Requests a second.
    pub rate: f64,
    /// Requests that can come at once.
    pub burst: NonZeroU32,
    /// Beginning of the paths that it concerns, such as `/v2/queries/`.
    #[serde(default = "whole_api")]
    pub paths: Box<str>,
    #[serde(default = "status")]
    pub answer: Throttle,
    #[serde(default)]
    pub retry_after: RetryAfterForm,
}

/// How a throttle says when to come again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfterForm {
    #[default]
    None,
    /// The true wait, rounded up.
    Seconds,
    /// The same as an HTTP date (RFC 9110 section 5.6.7).
    Date,
}

/// Why a limit was not switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the `rate` of a limit is from one an hour to {RATE_MAX} a second")]
pub struct HiddenLimitError;

fn whole_api() -> Box<str> {
    "/v2/".into()
}

const fn status() -> Throttle {
    Throttle::Status
}

impl HiddenLimit {
    pub(super) fn check(&self) -> Result<(), HiddenLimitError> {
        if (RATE_MIN..=RATE_MAX).contains(&self.rate) {
            Ok(())
        } else {
            Err(HiddenLimitError)
        }
    }
}

/// How a request exceeded a hidden limit, and what it is told.
pub(in crate::sandbox) struct ExceededLimit {
    pub(in crate::sandbox) answer: Throttle,
    pub(in crate::sandbox) retry_after: RetryAfterForm,
    /// How long until there is room again.
    pub(in crate::sandbox) wait: Duration,
}

pub(super) struct TokenBucket {
    limit: HiddenLimit,
    bucket: Option<DefaultDirectRateLimiter>,
}

impl TokenBucket {
    pub(super) fn new(limit: &HiddenLimit) -> Self {
        // `check` has seen the rate.
        let period = Duration::try_from_secs_f64(1.0 / limit.rate).ok();
        let quota = period.and_then(Quota::with_period);
        Self {
            bucket: quota.map(|it| RateLimiter::direct(it.allow_burst(limit.burst))),
            limit: limit.clone(),
        }
    }

    /// Takes one request out, if it concerns this limit. `Some`: there was none left.
    pub(super) fn take(&self, path: &str) -> Option<ExceededLimit> {
        if !path.starts_with(&*self.limit.paths) {
            return None;
        }
        let bucket = self.bucket.as_ref()?;
        let refused = bucket.check().err()?;
        Some(ExceededLimit {
            answer: self.limit.answer,
            retry_after: self.limit.retry_after,
            wait: refused.wait_time_from(bucket.clock().now()),
        })
    }
}
