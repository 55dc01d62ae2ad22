//! The timer that tells when a caller's connection has waited for too long.
//!
//! It is armed only when a wait begins and left alone while requests flow: a timer for each request would cost more than
//! reading its head.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::Context,
};

use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep},
};

use crate::net::body::throughput_window::{self, Pace};

use super::timeouts::{Patience, Waiting};

/// The timeouts of one connection.
pub struct Timer {
    patience: Patience,
    waiting: Waiting,
    /// What had happened when the wait began.
    progress: u64,
    since: Instant,
    /// How fast the caller reads the response under way.
    taking: Pace,
    /// When it was first waited for to take some of that.
    taking_since: Option<Instant>,
    /// Made at the first wait.
    sleep: Option<Pin<Box<Sleep>>>,
    /// `sleep` knows our waker and has not fired.
    armed: bool,
}

impl Timer {
    /// A connection's first head is awaited from the moment that the connection was made.
    #[must_use]
    pub fn new(patience: Patience) -> Self {
        Self {
            patience,
            waiting: Waiting::Head,
            progress: 0,
            since: Instant::now(),
            taking: Pace::default(),
            taking_since: None,
            sleep: None,
            armed: false,
        }
    }

    /// A response begins: its caller has not been slow yet.
    pub const fn begin_answer(&mut self) {
        self.taking = Pace::new();
        self.taking_since = None;
    }

    /// To be asked whenever the connection can do nothing: true when a timeout has passed. A wait that made progress since
    /// it was asked about last begins anew. Where responses are judged by their throughput, `progress` counts bytes.
    pub fn is_over(&mut self, waiting: Waiting, progress: u64, cx: &mut Context<'_>) -> bool {
        if self.waiting == Waiting::Write && self.is_taken_too_slowly(waiting, progress) {
            return true;
        }
        let Some(patience) = self.patience.of(waiting) else {
            if self.waiting != waiting {
                (self.waiting, self.progress) = (waiting, progress);
            }
            return false;
        };
        let now = Instant::now();
        if (waiting, progress) != (self.waiting, self.progress) {
            if self.waiting != waiting {
                // Bytes that were taken without a wait count as well.
                self.taking.moved(progress.wrapping_sub(self.progress));
            }
            (self.waiting, self.progress) = (waiting, progress);
            self.since = now;
        }
        let mut deadline = self.since + patience;
        if waiting == Waiting::Write {
            let began = *self.taking_since.get_or_insert(now);
            let end = throughput_window::end(began, self.patience.answer.total);
            deadline = end.map_or(deadline, |it| it.min(deadline));
        }
        if now >= deadline {
            return true;
        }
        // A timer that is set for earlier is left alone, and not even looked at before its time: it fires, finds nothing
        // wrong and is set anew.
        let is_set = |it: &Pin<Box<Sleep>>| it.deadline() <= deadline && now < it.deadline();
        if self.armed && self.sleep.as_ref().is_some_and(is_set) {
            return false;
        }
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                sleep.as_mut().reset(deadline);
                sleep
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(deadline))),
        };
        // Outside the runtime's budget: a connection that has used it up would be told to wait without the timer being set.
        let polled = pin!(unconstrained(sleep.as_mut())).poll(cx);
        self.armed = polled.is_pending();
        false
    }

    /// The caller was waited for to take more. Judged only when it has: how much a wait brings is known at its end.
    fn is_taken_too_slowly(&mut self, waiting: Waiting, progress: u64) -> bool {
        if (waiting, progress) == (self.waiting, self.progress) {
            return false;
        }
        self.taking.moved(progress.wrapping_sub(self.progress));
        self.taking.waited(self.since.elapsed());
        self.taking.is_too_slow(self.patience.answer.rate)
    }
}
