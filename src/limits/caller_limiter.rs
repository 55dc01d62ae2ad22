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
use tokio::time::Instant;

use super::{
    gcra_limiter::GcraLimiter,
    limit_kind::LimitKind,
    rate::Rate,
    rate_limit_status::{RateLimitStatus, rate_limit_header},
    release_pace::ReleasePace,
};

/// What a caller may do per time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerRateLimit {
    pub rate: Rate,
    /// Requests that may come at once after a pause.
    pub burst: NonZeroU32,
    /// Requests that may be under way together.
    pub concurrency: NonZeroU32,
}

/// Counts one caller's requests against its [`CallerRateLimit`].
pub struct CallerLimiter {
    limit: CallerRateLimit,
    limiter: GcraLimiter,
    in_flight: AtomicU32,
    /// How long it takes until one of them ends, once there are as many as there may be.
    pace: ReleasePace,
    policy_header: HeaderValue,
}

impl CallerLimiter {
    /// A caller that has sent nothing yet.
    #[must_use]
    pub fn new(limit: CallerRateLimit) -> Self {
        let limiter = GcraLimiter::new(limit.rate, limit.burst);
        let burst = limiter.burst();
        Self {
            policy_header: rate_limit_header([("q", burst), ("w", limiter.refill_s(burst).max(1))]),
            limit,
            limiter,
            in_flight: AtomicU32::new(0),
            pace: ReleasePace::new(),
        }
    }

    /// The configured limit.
    #[must_use]
    pub fn limit(&self) -> &CallerRateLimit {
        &self.limit
    }

    /// How many of the caller's requests are under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The value of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10): `"caller";q=20;w=4`, where `q` is the
    /// burst and `w` the seconds that refill it.
    #[must_use]
    pub fn policy_header(&self) -> &HeaderValue {
        &self.policy_header
    }

    /// Lets one request in, or says which limit it ran into and when to come back. A refusal writes nothing shared.
    ///
    /// # Errors
    /// The dimension that refused, the time after which one request may pass, and what is left.
    pub fn admit(
        self: &Arc<Self>,
    ) -> Result<(ConcurrencyPermit, RateLimitStatus), (LimitKind, Duration, RateLimitStatus)> {
        // Concurrency first: a request that is refused must not use up the rate.
        let Some(concurrency) = self.acquire_concurrency() else {
            // An estimate: nobody can know when one of its requests ends.
            let retry_after = self.pace.wait(0, Instant::now());
            let rate_limit_status = RateLimitStatus {
                remaining: 0,
                reset_s: u32::try_from(retry_after.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
            };
            return Err((LimitKind::CallerConcurrency, retry_after, rate_limit_status));
        };
        match self.limiter.check() {
            Ok(rate_limit_status) => Ok((concurrency, rate_limit_status)),
            Err(soon) => Err((
                LimitKind::CallerRate,
                soon.retry_after,
                soon.rate_limit_status,
            )),
        }
    }

    fn acquire_concurrency(self: &Arc<Self>) -> Option<ConcurrencyPermit> {
        let most = self.limit.concurrency.get();
        self.in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < most).then_some(count + 1)
            })
            .ok()
            .map(|before| {
                if before + 1 == most {
                    self.pace.note_full(Instant::now());
                }
                ConcurrencyPermit {
                    limiter: Arc::clone(self),
                }
            })
    }
}

/// One of a caller's concurrent requests; given back on drop.
#[must_use]
pub struct ConcurrencyPermit {
    limiter: Arc<CallerLimiter>,
}

impl ConcurrencyPermit {
    pub(super) fn limiter(&self) -> &CallerLimiter {
        &self.limiter
    }
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        let limiter = &self.limiter;
        // Before it is given back, so that whoever takes it begins a new measurement.
        if limiter.in_flight() == limiter.limit.concurrency.get() {
            limiter.pace.note_release(Instant::now());
        }
        limiter.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
