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
    throughput_window::{self, Pace},
    timeouts::BodyPatience,
};

/// The timeout that a body ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lateness {
    /// Nothing came for too long.
    Stalled,
    /// Too little came on average.
    Slow,
    /// It came, but takes too long in all.
    Overdue,
}

/// Watches the side that a body comes from. Allocates at the first wait.
pub struct BodyTimer {
    patience: BodyPatience,
    /// Bytes that came before the first wait.
    bytes: u64,
    /// Made at the first wait. Boxed, so that it does not lie in every request's future.
    waits: Option<Box<Waits>>,
}

/// How a body has been waited for so far.
struct Waits {
    pace: Pace,
    began: Instant,
    wait: Option<Wait>,
    /// All waits that are over.
    waited: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// The wait under way.
#[derive(Debug, Clone, Copy)]
struct Wait {
    since: Instant,
    /// The throughput window knows of the wait up to here.
    told: Instant,
}

impl BodyTimer {
    /// For a body that nobody has asked for yet.
    #[must_use]
    pub const fn new(patience: BodyPatience) -> Self {
        Self {
            patience,
            bytes: 0,
            waits: None,
        }
    }

    /// Begins a new throughput window: what came before is no credit.
    pub fn begin_window(&mut self) {
        self.bytes = 0;
        if let Some(waits) = &mut self.waits {
            waits.pace = Pace::new();
        }
    }

    /// How long the body was waited for in all, up to the last chunk.
    #[must_use]
    pub fn waited(&self) -> Duration {
        let waits = self.waits.as_ref();
        waits.map_or(Duration::ZERO, |it| it.waited)
    }

    /// Records that bytes came, or the end. True if that had been waited for.
    pub fn came(&mut self, bytes: u64) -> bool {
        let Some(waits) = &mut self.waits else {
            self.bytes = self.bytes.saturating_add(bytes);
            return false;
        };
        waits.pace.moved(bytes);
        let waited = waits.wait.is_some();
        if waited {
            waits.end(Instant::now());
        }
        waited
    }

    /// To be polled when nothing has come: ready once a timeout has passed.
    pub fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Lateness> {
        let (patience, bytes) = (self.patience, self.bytes);
        let waits = self
            .waits
            .get_or_insert_with(|| Box::new(Waits::new(bytes, Instant::now())));
        if waits.wait.is_none() {
            let now = Instant::now();
            waits.begin(now);
            waits.set(patience, now);
        }
        loop {
            if let Some(timer) = &mut waits.timer {
                ready!(timer.as_mut().poll(cx));
            }
            let now = Instant::now();
            if let Some(lateness) = waits.judge(patience, now) {
                return Poll::Ready(lateness);
            }
            waits.set(patience, now);
        }
    }
}

impl Waits {
    fn new(bytes: u64, now: Instant) -> Self {
        let mut pace = Pace::new();
        pace.moved(bytes);
        Self {
            pace,
            began: now,
            wait: None,
            waited: Duration::ZERO,
            timer: None,
        }
    }

    fn begin(&mut self, now: Instant) {
        self.wait = Some(Wait {
            since: now,
            told: now,
        });
    }

    fn end(&mut self, now: Instant) {
        if let Some(wait) = self.wait.take() {
            self.pace.waited(now.saturating_duration_since(wait.told));
            self.waited += now.saturating_duration_since(wait.since);
        }
    }

    fn judge(&mut self, patience: BodyPatience, now: Instant) -> Option<Lateness> {
        let wait = self.wait.as_mut()?;
        self.pace.waited(now.saturating_duration_since(wait.told));
        wait.told = now;
        if now.saturating_duration_since(wait.since) >= patience.idle {
            return Some(Lateness::Stalled);
        }
        if self.pace.is_too_slow(patience.rate) {
            return Some(Lateness::Slow);
        }
        let end = throughput_window::end(self.began, patience.total)?;
        (now >= end).then_some(Lateness::Overdue)
    }

    /// When the wait under way is to be checked next.
    fn next(&self, patience: BodyPatience, now: Instant) -> Instant {
        let since = self.wait.map_or(now, |it| it.since);
        let next = (since + patience.idle).min(now + self.pace.left());
        throughput_window::end(self.began, patience.total).map_or(next, |end| end.min(next))
    }

    /// A timer that is set for earlier is left alone: it fires, finds nothing wrong and is set anew.
    fn set(&mut self, patience: BodyPatience, now: Instant) {
        let next = self.next(patience, now);
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

    const PATIENCE: BodyPatience = BodyPatience {
        idle: Duration::from_secs(30),
        rate: 1024,
        total: Duration::from_mins(30),
    };

    /// The timeout of a body whose chunks of `bytes` come `seconds` after they are asked for, each asked for at once or after
    /// `rest`; and after how many seconds of waiting.
    fn late_after(bytes: u64, seconds: u64, rest: u64) -> (Lateness, u64) {
        let mut now = Instant::now();
        let mut waits = Waits::new(0, now);
        loop {
            waits.begin(now);
            let comes = now + Duration::from_secs(seconds);
            while waits.next(PATIENCE, now) < comes {
                now = waits.next(PATIENCE, now);
                if let Some(lateness) = waits.judge(PATIENCE, now) {
                    waits.end(now);
                    return (lateness, waits.waited.as_secs());
                }
            }
            waits.pace.moved(bytes);
            waits.end(comes);
            now = comes + Duration::from_secs(rest);
        }
    }

    #[test]
    fn a_body_that_rests_is_stalled() {
        assert_eq!(late_after(1 << 20, 31, 0), (Lateness::Stalled, 30));
    }

    #[test]
    fn a_byte_now_and_then_is_too_slow_after_one_window() {
        assert_eq!(late_after(1, 20, 0), (Lateness::Slow, 30));
        assert_eq!(late_after(1000, 1, 0), (Lateness::Slow, 30));
    }

    #[test]
    fn a_body_that_is_just_fast_enough_has_its_time_and_no_more() {
        assert_eq!(late_after(1024, 1, 0), (Lateness::Overdue, 1800));
        assert_eq!(late_after(60 * 1024, 28, 0), (Lateness::Overdue, 1800));
    }

    #[test]
    fn time_in_which_nobody_asks_does_not_make_it_slow() {
        assert_eq!(late_after(1024, 1, 29), (Lateness::Overdue, 60));
        assert_eq!(late_after(1000, 1, 15), (Lateness::Slow, 30));
    }
}
