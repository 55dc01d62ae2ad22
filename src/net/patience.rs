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

use super::pace::{self, BodyPatience, Pace};

/// How long a connection may wait, by what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the rest of a request's head.
    pub head: Duration,
    /// For the next request.
    pub idle: Duration,
    /// For the next request, of a caller who has never proved who it is.
    pub proof: Duration,
    /// For the caller to take what we send.
    pub answer: BodyPatience,
}

/// How long a caller that was told to stop is still heard out, so that it reads the answer before the connection breaks.
pub const LINGER_MS_MAX: u64 = 2_000;

/// What a connection waits for, as far as patience is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    Head,
    Idle,
    /// For a request, of a caller who has never proved who it is.
    Proof,
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
            Waiting::Proof => Some(self.proof),
            Waiting::Write => Some(self.answer.idle),
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
    /// How fast the caller takes the answer under way.
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

    /// An answer begins: its caller has not been slow yet.
    pub const fn begin_answer(&mut self) {
        self.taking = Pace::new();
        self.taking_since = None;
    }

    /// To be asked whenever the connection can do nothing: true when patience has run out. A wait that made progress
    /// since it was asked about last begins anew. Where answers are judged by their pace, `progress` counts bytes.
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
                // What was taken without a wait counts as well.
                self.taking.moved(progress.wrapping_sub(self.progress));
            }
            (self.waiting, self.progress) = (waiting, progress);
            self.since = now;
        }
        let mut deadline = self.since + patience;
        if waiting == Waiting::Write {
            let began = *self.taking_since.get_or_insert(now);
            let end = pace::end(began, self.patience.answer.total);
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
