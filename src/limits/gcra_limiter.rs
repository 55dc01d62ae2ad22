//! A rate limiter: the generic cell rate algorithm (GCRA), with a burst.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};

use super::{rate::Rate, rate_limit_status::RateLimitStatus};

/// Largest burst that counts. Keeps burst times interval, in nanoseconds, far within 64 bits.
pub(super) const BURST_MAX: u32 = 1_000_000;

/// Counts events against a rate. Lock-free; an event that comes too soon costs a comparison and changes nothing.
pub(super) struct GcraLimiter<C: Clock = MonotonicClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, StateInformationMiddleware>,
    interval_ns: u64,
    burst: u32,
}

/// An event that came too soon.
pub(super) struct RateExceededError {
    /// After this time one event may pass.
    pub(super) retry_after: Duration,
    pub(super) rate_limit_status: RateLimitStatus,
}

impl GcraLimiter {
    pub(super) fn new(rate: Rate, burst: NonZeroU32) -> Self {
        Self::with_clock(rate, burst, MonotonicClock)
    }
}

impl<C: Clock> GcraLimiter<C> {
    fn with_clock(rate: Rate, burst: NonZeroU32, clock: C) -> Self {
        let interval_ns = interval_ns(rate);
        let burst = burst.min(NonZeroU32::new(BURST_MAX).unwrap_or(burst));
        let quota = Quota::with_period(Duration::from_nanos(interval_ns))
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, clock).with_middleware(),
            interval_ns,
            burst: burst.get(),
        }
    }

    /// Counts one event, or says when the next may pass.
    pub(super) fn check(&self) -> Result<RateLimitStatus, RateExceededError> {
        match self.limiter.check() {
            Ok(state) => Ok(self.rate_limit_status(state.remaining_burst_capacity())),
            Err(not_until) => Err(RateExceededError {
                retry_after: not_until.wait_time_from(self.limiter.clock().now()),
                rate_limit_status: self.rate_limit_status(0),
            }),
        }
    }

    /// Time between two events at the full rate.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval_ns)
    }

    pub(super) fn burst(&self) -> u32 {
        self.burst
    }

    /// Whole seconds, rounded up, in which `count` events become possible again.
    pub(super) fn refill_s(&self, count: u32) -> u32 {
        let nanos = self.interval_ns.saturating_mul(u64::from(count));
        u32::try_from(nanos.div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
    }

    fn rate_limit_status(&self, remaining: u32) -> RateLimitStatus {
        RateLimitStatus {
            remaining,
            reset_s: self.refill_s(self.burst.saturating_sub(remaining)),
        }
    }
}

/// Rounded up, so that the rate is never exceeded.
fn interval_ns(rate: Rate) -> u64 {
    let period_ns = rate.period().duration().as_secs() * 1_000_000_000;
    period_ns.div_ceil(u64::from(rate.count().get()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;
    use crate::limits::rate::Period;

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_burst_and_the_rate(
            count in 1_u32..2_000,
            burst in 1_u32..50,
            unit in 0_usize..3,
            steps_us in proptest::collection::vec(0_u64..400_000, 1..60),
        ) {
            let period = [Period::Second, Period::Minute, Period::Hour][unit];
            let rate = Rate::new(NonZeroU32::new(count).unwrap(), period);
            let clock = FakeRelativeClock::default();
            let pace = GcraLimiter::with_clock(rate, NonZeroU32::new(burst).unwrap(), clock.clone());

            // Instants at which something passed, and how much had passed before and after.
            let (mut now, mut passed) = (Duration::ZERO, 0_u32);
            let mut instants = Vec::new();
            for step in steps_us {
                clock.advance(Duration::from_micros(step));
                now += Duration::from_micros(step);
                let before = passed;
                while pace.check().is_ok() {
                    passed += 1;
                }
                instants.push((now, before, passed));
            }

            for (first, (from, before, _)) in instants.iter().enumerate() {
                for (to, _, after) in instants.iter().skip(first) {
                    let window = to.saturating_sub(*from).as_secs_f64();
                    let by_rate = window * f64::from(count) / period.duration().as_secs_f64();
                    let held = f64::from(after - before);
                    prop_assert!(held <= f64::from(burst) + by_rate + 1e-6);
                }
            }
        }

        #[test]
        fn after_the_wait_that_was_named_one_event_passes(count in 1_u32..2_000, burst in 1_u32..50) {
            let rate = Rate::new(NonZeroU32::new(count).unwrap(), Period::Minute);
            let clock = FakeRelativeClock::default();
            let pace = GcraLimiter::with_clock(rate, NonZeroU32::new(burst).unwrap(), clock.clone());
            for left in (0..burst).rev() {
                let rate_limit_status = pace.check().ok().unwrap();
                prop_assert_eq!(rate_limit_status.remaining, left);
            }

            let wait = pace.check().err().unwrap().retry_after;
            clock.advance(wait.checked_sub(Duration::from_nanos(1)).unwrap());
            prop_assert!(pace.check().is_err());
            clock.advance(Duration::from_nanos(1));
            prop_assert!(pace.check().is_ok());
        }
    }
}
