//! The timer of a body: how long it may pause, how slow it may be, and how long it may take. Time runs only while somebody
//! asks and nothing comes, so that one side is not blamed for the other's delays.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    throughput_window::{self, ThroughputWindow},
    timeouts::BodyTimeouts,
};

/// The timeout that a body ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyTimeout {
    /// Nothing came for too long.
    Idle,
    /// Too little came on average.
    TooSlow,
    /// It came, but takes too long in all.
    Total,
}

/// Watches the side that a body comes from. Allocates at the first wait.
pub struct BodyTimer {
    timeouts: BodyTimeouts,
    /// Bytes that came before the first wait.
    bytes: u64,
    /// Made at the first wait. Boxed, so that it does not lie in every request's future.
    wait_state: Option<Box<WaitState>>,
}

/// How a body has been waited for so far.
struct WaitState {
    throughput: ThroughputWindow,
    started: Instant,
    current: Option<CurrentWait>,
    /// All waits that are over.
    total_wait: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// The wait under way.
#[derive(Debug, Clone, Copy)]
struct CurrentWait {
    since: Instant,
    /// The throughput window knows of the wait up to here.
    counted_until: Instant,
}

impl BodyTimer {
    /// For a body that nobody has asked for yet.
    #[must_use]
    pub const fn new(timeouts: BodyTimeouts) -> Self {
        Self {
            timeouts,
            bytes: 0,
            wait_state: None,
        }
    }

    /// Begins a new throughput window: what came before is no credit.
    pub fn reset_window(&mut self) {
        self.bytes = 0;
        if let Some(waits) = &mut self.wait_state {
            waits.throughput = ThroughputWindow::new();
        }
    }

    /// How long the body was waited for in all, up to the last chunk.
    #[must_use]
    pub fn total_wait(&self) -> Duration {
        let waits = self.wait_state.as_ref();
        waits.map_or(Duration::ZERO, |it| it.total_wait)
    }

    /// Records that bytes came, or the end. True if that had been waited for.
    pub fn record_received(&mut self, bytes: u64) -> bool {
        let Some(waits) = &mut self.wait_state else {
            self.bytes = self.bytes.saturating_add(bytes);
            return false;
        };
        waits.throughput.add_bytes(bytes);
        let waited = waits.current.is_some();
        if waited {
            waits.end_wait(Instant::now());
        }
        waited
    }

    /// To be polled when nothing has come: ready once a timeout has passed.
    pub fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<BodyTimeout> {
        let (timeouts, bytes) = (self.timeouts, self.bytes);
        let waits = self
            .wait_state
            .get_or_insert_with(|| Box::new(WaitState::new(bytes, Instant::now())));
        if waits.current.is_none() {
            let now = Instant::now();
            waits.begin_wait(now);
            waits.arm_timer(timeouts, now);
        }
        loop {
            if let Some(timer) = &mut waits.timer {
                ready!(timer.as_mut().poll(cx));
            }
            let now = Instant::now();
            if let Some(timeout) = waits.check_timeouts(timeouts, now) {
                return Poll::Ready(timeout);
            }
            waits.arm_timer(timeouts, now);
        }
    }
}

impl WaitState {
    fn new(bytes: u64, now: Instant) -> Self {
        let mut throughput = ThroughputWindow::new();
        throughput.add_bytes(bytes);
        Self {
            throughput,
            started: now,
            current: None,
            total_wait: Duration::ZERO,
            timer: None,
        }
    }

    fn begin_wait(&mut self, now: Instant) {
        self.current = Some(CurrentWait {
            since: now,
            counted_until: now,
        });
    }

    fn end_wait(&mut self, now: Instant) {
        if let Some(wait) = self.current.take() {
            self.throughput
                .add_wait(now.saturating_duration_since(wait.counted_until));
            self.total_wait += now.saturating_duration_since(wait.since);
        }
    }

    fn check_timeouts(&mut self, timeouts: BodyTimeouts, now: Instant) -> Option<BodyTimeout> {
        let wait = self.current.as_mut()?;
        self.throughput
            .add_wait(now.saturating_duration_since(wait.counted_until));
        wait.counted_until = now;
        if now.saturating_duration_since(wait.since) >= timeouts.idle {
            return Some(BodyTimeout::Idle);
        }
        if self.throughput.is_too_slow(timeouts.min_rate) {
            return Some(BodyTimeout::TooSlow);
        }
        let end = throughput_window::deadline(self.started, timeouts.total)?;
        (now >= end).then_some(BodyTimeout::Total)
    }

    /// When the wait under way is to be checked next.
    fn next_check(&self, timeouts: BodyTimeouts, now: Instant) -> Instant {
        let since = self.current.map_or(now, |it| it.since);
        let next = (since + timeouts.idle).min(now + self.throughput.remaining());
        throughput_window::deadline(self.started, timeouts.total).map_or(next, |end| end.min(next))
    }

    /// A timer that is set for earlier is left alone: it fires, finds nothing wrong and is set anew.
    fn arm_timer(&mut self, timeouts: BodyTimeouts, now: Instant) {
        let next = self.next_check(timeouts, now);
        match &mut self.timer {
            Some(timer) if timer.deadline() > now && timer.deadline() <= next => {}
            Some(timer) => timer.as_mut().reset(next),
            none => *none = Some(Box::pin(sleep_until(next))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: BodyTimeouts = BodyTimeouts {
        idle: Duration::from_secs(30),
        min_rate: 1024,
        total: Duration::from_mins(30),
    };

    /// The timeout of a body whose chunks of `bytes` come `seconds` after they are asked for, each asked for at once or after
    /// `rest`; and after how many seconds of waiting.
    fn timeout_after(bytes: u64, seconds: u64, rest: u64) -> (BodyTimeout, u64) {
        let mut now = Instant::now();
        let mut waits = WaitState::new(0, now);
        loop {
            waits.begin_wait(now);
            let comes = now + Duration::from_secs(seconds);
            while waits.next_check(TIMEOUTS, now) < comes {
                now = waits.next_check(TIMEOUTS, now);
                if let Some(timeout) = waits.check_timeouts(TIMEOUTS, now) {
                    waits.end_wait(now);
                    return (timeout, waits.total_wait.as_secs());
                }
            }
            waits.throughput.add_bytes(bytes);
            waits.end_wait(comes);
            now = comes + Duration::from_secs(rest);
        }
    }

    #[test]
    fn a_body_that_rests_is_stalled() {
        assert_eq!(timeout_after(1 << 20, 31, 0), (BodyTimeout::Idle, 30));
    }

    #[test]
    fn a_byte_now_and_then_is_too_slow_after_one_window() {
        assert_eq!(timeout_after(1, 20, 0), (BodyTimeout::TooSlow, 30));
        assert_eq!(timeout_after(1000, 1, 0), (BodyTimeout::TooSlow, 30));
    }

    #[test]
    fn a_body_that_is_just_fast_enough_has_its_time_and_no_more() {
        assert_eq!(timeout_after(1024, 1, 0), (BodyTimeout::Total, 1800));
        assert_eq!(timeout_after(60 * 1024, 28, 0), (BodyTimeout::Total, 1800));
    }

    #[test]
    fn time_in_which_nobody_asks_does_not_make_it_slow() {
        assert_eq!(timeout_after(1024, 1, 29), (BodyTimeout::Total, 60));
        assert_eq!(timeout_after(1000, 1, 15), (BodyTimeout::TooSlow, 30));
    }
}
