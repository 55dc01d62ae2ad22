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

use crate::net::body::throughput_window::{self, ThroughputWindow};

use super::timeouts::{ConnectionTimeouts, ConnectionWait};

/// The timeouts of one connection.
pub struct ConnectionTimer {
    timeouts: ConnectionTimeouts,
    wait: ConnectionWait,
    /// What had happened when the wait started.
    progress: u64,
    wait_started: Instant,
    /// How fast the caller reads the response under way.
    response_throughput: ThroughputWindow,
    /// When it was first waited for to take some of that.
    response_wait_started: Option<Instant>,
    /// Made at the first wait.
    sleep: Option<Pin<Box<Sleep>>>,
    /// `sleep` knows our waker and has not fired.
    armed: bool,
}

impl ConnectionTimer {
    /// A connection's first head is awaited from the moment that the connection was made.
    #[must_use]
    pub fn new(timeouts: ConnectionTimeouts) -> Self {
        Self {
            timeouts,
            wait: ConnectionWait::Head,
            progress: 0,
            wait_started: Instant::now(),
            response_throughput: ThroughputWindow::default(),
            response_wait_started: None,
            sleep: None,
            armed: false,
        }
    }

    /// A response begins: its caller has not been slow yet.
    pub const fn begin_response(&mut self) {
        self.response_throughput = ThroughputWindow::new();
        self.response_wait_started = None;
    }

    /// To be asked whenever the connection can do nothing: true when a timeout has passed. A wait that made progress since
    /// it was asked about last begins anew. Where responses are judged by their throughput, `progress` counts bytes.
    pub fn is_expired(
        &mut self,
        waiting: ConnectionWait,
        progress: u64,
        cx: &mut Context<'_>,
    ) -> bool {
        if self.wait == ConnectionWait::Write && self.is_response_read_too_slowly(waiting, progress)
        {
            return true;
        }
        let Some(timeout) = self.timeouts.timeout_for(waiting) else {
            if self.wait != waiting {
                (self.wait, self.progress) = (waiting, progress);
            }
            return false;
        };
        let now = Instant::now();
        if (waiting, progress) != (self.wait, self.progress) {
            if self.wait != waiting {
                // Bytes that were taken without a wait count as well.
                self.response_throughput
                    .add_bytes(progress.wrapping_sub(self.progress));
            }
            (self.wait, self.progress) = (waiting, progress);
            self.wait_started = now;
        }
        let mut deadline = self.wait_started + timeout;
        if waiting == ConnectionWait::Write {
            let started = *self.response_wait_started.get_or_insert(now);
            let end = throughput_window::deadline(started, self.timeouts.response.total);
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
    fn is_response_read_too_slowly(&mut self, waiting: ConnectionWait, progress: u64) -> bool {
        if (waiting, progress) == (self.wait, self.progress) {
            return false;
        }
        self.response_throughput
            .add_bytes(progress.wrapping_sub(self.progress));
        self.response_throughput
            .add_wait(self.wait_started.elapsed());
        self.response_throughput
            .is_too_slow(self.timeouts.response.min_rate)
    }
}
