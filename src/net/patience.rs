//! How long a caller's connection may wait, and the timer that tells when that is over.
//!
//! The timer is armed only when a wait begins and left alone while requests flow: a timer for each request would cost more
//! than reading its head.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::Context,
    time::Duration,
};

use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep},
};

/// How long a connection may wait, by what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the rest of a request's head.
    pub head: Duration,
    /// For the next request.
    pub idle: Duration,
    /// For the caller to take what we send.
    pub write: Duration,
}

/// How long a caller that was told to stop is still heard out, so that it reads the answer before the connection breaks.
pub const LINGER_MS_MAX: u64 = 2_000;

/// What a connection waits for, as far as patience is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    Head,
    Idle,
    Write,
    /// For the end of what a caller sends in vain.
    Linger,
    /// A request is being answered: its own time-outs hold.
    Nothing,
}

impl Patience {
    const fn of(&self, waiting: Waiting) -> Option<Duration> {
        match waiting {
            Waiting::Head => Some(self.head),
            Waiting::Idle => Some(self.idle),
            Waiting::Write => Some(self.write),
            Waiting::Linger => Some(Duration::from_millis(LINGER_MS_MAX)),
            Waiting::Nothing => None,
        }
    }
}

/// The patience that a connection has left.
pub struct Timer {
    patience: Patience,
    waiting: Waiting,
    /// What was seen to have happened when the wait began.
    progress: u64,
    since: Instant,
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
            sleep: None,
            armed: false,
        }
    }

    /// To be asked whenever the connection can do nothing: true when patience has run out. A wait that made progress
    /// since it was asked about last begins anew.
    pub fn is_over(&mut self, waiting: Waiting, progress: u64, cx: &mut Context<'_>) -> bool {
        let Some(patience) = self.patience.of(waiting) else {
            self.waiting = waiting;
            return false;
        };
        let now = Instant::now();
        if (waiting, progress) != (self.waiting, self.progress) {
            (self.waiting, self.progress) = (waiting, progress);
            self.since = now;
        }
        let deadline = self.since + patience;
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
}
