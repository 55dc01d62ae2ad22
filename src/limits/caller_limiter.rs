//! One caller's rate limit, burst and concurrency limit.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;

use super::{
    gcra_limiter::Pace,
    limit_kind::Dimension,
    rate::Rate,
    rate_limit_status::{Standing, header},
};

/// When a caller at its concurrency limit should try again: nobody can know when one of its requests ends.
const CONCURRENCY_RETRY_S: u32 = 1;

/// What a caller may do per time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub rate: Rate,
    /// Requests that may come at once after a pause.
    pub burst: NonZeroU32,
    /// Requests that may be under way together.
    pub concurrency: NonZeroU32,
}

/// Counts one caller's requests against its [`Limit`].
pub struct Meter {
    limit: Limit,
    pace: Pace,
    under_way: AtomicU32,
    policy: HeaderValue,
}

impl Meter {
    /// A caller that has sent nothing yet.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        let pace = Pace::new(limit.rate, limit.burst);
        let burst = pace.burst();
        Self {
            policy: header([("q", burst), ("w", pace.refill_s(burst).max(1))]),
            limit,
            pace,
            under_way: AtomicU32::new(0),
        }
    }

    /// The configured limit.
    #[must_use]
    pub fn limit(&self) -> &Limit {
        &self.limit
    }

    /// How many of the caller's requests are under way.
    #[must_use]
    pub fn under_way(&self) -> u32 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// The value of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10): `"caller";q=20;w=4`, where `q` is the
    /// burst and `w` the seconds that refill it.
    #[must_use]
    pub fn policy_header(&self) -> &HeaderValue {
        &self.policy
    }

    /// Lets one request in, or says which limit it ran into and when to come back. A refusal writes nothing shared.
    ///
    /// # Errors
    /// The dimension that refused, the time after which one request may pass, and what is left.
    pub fn admit(
        self: &Arc<Self>,
    ) -> Result<(Concurrency, Standing), (Dimension, Duration, Standing)> {
        // Concurrency first: a request that is refused must not use up the rate.
        let Some(concurrency) = self.enter() else {
            let standing = Standing {
                remaining: 0,
                reset_s: CONCURRENCY_RETRY_S,
            };
            let retry_after = Duration::from_secs(CONCURRENCY_RETRY_S.into());
            return Err((Dimension::CallerConcurrency, retry_after, standing));
        };
        match self.pace.check() {
            Ok(standing) => Ok((concurrency, standing)),
            Err(soon) => Err((Dimension::CallerRate, soon.wait, soon.standing)),
        }
    }

    fn enter(self: &Arc<Self>) -> Option<Concurrency> {
        let most = self.limit.concurrency.get();
        self.under_way
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < most).then_some(count + 1)
            })
            .ok()
            .map(|_| Concurrency {
                meter: Arc::clone(self),
            })
    }
}

/// One of a caller's concurrent requests; given back on drop.
#[must_use]
pub struct Concurrency {
    meter: Arc<Meter>,
}

impl Concurrency {
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }
}

impl Drop for Concurrency {
    fn drop(&mut self) {
        self.meter.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
