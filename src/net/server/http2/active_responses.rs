//! The responses under way on one caller's HTTP/2 connection, each under timeouts of its own: a caller that opens no window
//! for one of them holds up that one, with all its resources, while the connection goes on.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, MutexGuard},
    task::Context,
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use crate::{
    lock::Lock,
    net::{
        body::{
            throughput_window::{self, ThroughputWindow},
            timeouts::BodyTimeouts,
        },
        server::handler::Handler,
    },
};

use super::connection_activity::InFlightRequest;

/// How often the responses under way are checked.
const SLOW_READER_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// A response's body, and the request that it belongs to.
pub struct ActiveResponse<H: Handler> {
    /// To be polled by the library's adapter.
    pub body: H::Body,
    /// Counts the request until the response ends.
    pub in_flight: Option<InFlightRequest>,
    started: Instant,
    throughput: ThroughputWindow,
    /// Since when the caller has not taken what it was given; none while we wait for more of the response.
    chunk_given_at: Option<Instant>,
}

impl<H: Handler> ActiveResponse<H> {
    /// A response whose head is being sent.
    #[must_use]
    pub fn new(body: H::Body, in_flight: Option<InFlightRequest>) -> Self {
        let now = Instant::now();
        Self {
            body,
            in_flight,
            started: now,
            throughput: ThroughputWindow::new(),
            // The first chunk is asked for when the caller has room.
            chunk_given_at: Some(now),
        }
    }

    /// The caller has room for more.
    pub fn chunk_requested(&mut self) {
        if let Some(given) = self.chunk_given_at.take() {
            self.throughput.add_wait(given.elapsed());
        }
    }

    /// The caller was given a chunk.
    pub fn chunk_given(&mut self, bytes: usize) {
        self.throughput.add_bytes(bytes as u64);
        self.chunk_given_at = Some(Instant::now());
    }

    fn is_read_too_slowly(&mut self, timeouts: BodyTimeouts, now: Instant) -> bool {
        let Some(given) = self.chunk_given_at.replace(now) else {
            self.chunk_given_at = None;
            return false;
        };
        self.throughput
            .add_wait(now.saturating_duration_since(given));
        let is_over =
            throughput_window::deadline(self.started, timeouts.total).is_some_and(|end| now >= end);
        is_over || self.throughput.is_too_slow(timeouts.min_rate)
    }
}

/// Holds a response until it ends or is aborted.
pub struct ResponseSlot<H: Handler>(Lock<Option<ActiveResponse<H>>>);

impl<H: Handler> ResponseSlot<H> {
    /// A connection and its requests run on one worker: nobody waits for this.
    pub fn lock(&self) -> MutexGuard<'_, Option<ActiveResponse<H>>> {
        self.0.lock()
    }
}

/// All responses under way on a connection; at most as many as it has streams.
pub struct ActiveResponses<H: Handler> {
    timeouts: BodyTimeouts,
    slots: Lock<Vec<Arc<ResponseSlot<H>>>>,
}

impl<H: Handler> ActiveResponses<H> {
    /// None is under way; `timeouts` holds for each.
    #[must_use]
    pub fn new(timeouts: BodyTimeouts) -> Arc<Self> {
        Arc::new(Self {
            timeouts,
            slots: Lock::default(),
        })
    }

    /// Adds a response.
    #[must_use]
    pub fn insert(&self, response: ActiveResponse<H>) -> Arc<ResponseSlot<H>> {
        let slot = Arc::new(ResponseSlot(Lock::new(Some(response))));
        self.slots().push(Arc::clone(&slot));
        slot
    }

    /// Removes a response that has ended.
    pub fn remove(&self, slot: &Arc<ResponseSlot<H>>) {
        let mut slots = self.slots();
        if let Some(at) = slots.iter().position(|it| Arc::ptr_eq(it, slot)) {
            slots.swap_remove(at);
        }
    }

    /// Aborts all responses: the connection ends because its caller does not read.
    pub fn abort_all(&self) {
        self.abort_where(|_| true);
    }

    fn abort_where(&self, mut which: impl FnMut(&mut ActiveResponse<H>) -> bool) {
        let slots: Vec<_> = self.slots().iter().map(Arc::clone).collect();
        for slot in slots {
            let mut response = slot.lock();
            let slow = response.take_if(&mut which);
            drop(response);
            if let Some(slow) = slow {
                H::abort_response(slow.body);
            }
        }
    }

    fn abort_slow(&self) {
        let now = Instant::now();
        self.abort_where(|it| it.is_read_too_slowly(self.timeouts, now));
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Arc<ResponseSlot<H>>>> {
        self.slots.lock()
    }
}

/// Checks the responses every few seconds, while there are any.
pub struct SlowReaderCheck<H: Handler> {
    responses: Arc<ActiveResponses<H>>,
    /// Made when there is a response that is not taken at once.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<H: Handler> SlowReaderCheck<H> {
    /// Checks `responses` when polled.
    #[must_use]
    pub fn new(responses: Arc<ActiveResponses<H>>) -> Self {
        Self {
            responses,
            timer: None,
        }
    }

    /// To be asked whenever the connection has nothing to do.
    pub fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            if self.responses.slots().is_empty() {
                self.timer = None;
                return;
            }
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(sleep(SLOW_READER_CHECK_INTERVAL)));
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
            self.timer = None;
            self.responses.abort_slow();
        }
    }
}
