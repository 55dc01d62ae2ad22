//! How long a body may rest. The time runs only while somebody asks and nothing comes.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// Runs out when a body that is asked for sends nothing. Made at the first wait, so a body that never waits has no timer.
pub struct IdleTimer {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// The timer runs: somebody asks, and nothing has come since.
    waits: bool,
}

impl IdleTimer {
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self {
            limit,
            timer: None,
            waits: false,
        }
    }

    /// Something came.
    pub const fn rest(&mut self) {
        self.waits = false;
    }

    /// Nothing has come yet: ready once that has lasted too long.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let waits = std::mem::replace(&mut self.waits, true);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !waits {
            timer.as_mut().reset(Instant::now() + limit);
        }
        timer.as_mut().poll(cx)
    }
}
