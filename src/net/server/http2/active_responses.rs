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
            throughput_window::{self, Pace},
            timeouts::BodyPatience,
        },
        server::handler::Handler,
    },
};

use super::connection_activity::InFlight;

/// How often the responses under way are checked.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// A response's body, and the request that it belongs to.
pub struct Held<H: Handler> {
    /// To be polled by the library's adapter.
    pub body: H::Body,
    /// Counts the request until the response ends.
    pub in_flight: Option<InFlight>,
    began: Instant,
    pace: Pace,
    /// Since when the caller has not taken what it was given; none while we wait for more of the response.
    given: Option<Instant>,
}

impl<H: Handler> Held<H> {
    /// A response whose head is being sent.
    #[must_use]
    pub fn new(body: H::Body, in_flight: Option<InFlight>) -> Self {
        let now = Instant::now();
        Self {
            body,
            in_flight,
            began: now,
            pace: Pace::new(),
            // The first chunk is asked for when the caller has room.
            given: Some(now),
        }
    }

    /// The caller has room for more.
    pub fn asked(&mut self) {
        if let Some(given) = self.given.take() {
            self.pace.waited(given.elapsed());
        }
    }

    /// The caller was given a chunk.
    pub fn given(&mut self, bytes: usize) {
        self.pace.moved(bytes as u64);
        self.given = Some(Instant::now());
    }

    fn is_read_too_slowly(&mut self, patience: BodyPatience, now: Instant) -> bool {
        let Some(given) = self.given.replace(now) else {
            self.given = None;
            return false;
        };
        self.pace.waited(now.saturating_duration_since(given));
        let is_over =
            throughput_window::end(self.began, patience.total).is_some_and(|end| now >= end);
        is_over || self.pace.is_too_slow(patience.rate)
    }
}

/// Holds a response until it ends or is aborted.
pub struct Place<H: Handler>(Lock<Option<Held<H>>>);

impl<H: Handler> Place<H> {
    /// A connection and its requests run on one worker: nobody waits for this.
    pub fn lock(&self) -> MutexGuard<'_, Option<Held<H>>> {
        self.0.lock()
    }
}

/// All responses under way on a connection; at most as many as it has streams.
pub struct Readers<H: Handler> {
    patience: BodyPatience,
    places: Lock<Vec<Arc<Place<H>>>>,
}

impl<H: Handler> Readers<H> {
    /// None is under way; `patience` holds for each.
    #[must_use]
    pub fn new(patience: BodyPatience) -> Arc<Self> {
        Arc::new(Self {
            patience,
            places: Lock::default(),
        })
    }

    /// Adds a response.
    #[must_use]
    pub fn begin(&self, held: Held<H>) -> Arc<Place<H>> {
        let place = Arc::new(Place(Lock::new(Some(held))));
        self.places().push(Arc::clone(&place));
        place
    }

    /// Removes a response that has ended.
    pub fn end(&self, place: &Arc<Place<H>>) {
        let mut places = self.places();
        if let Some(at) = places.iter().position(|it| Arc::ptr_eq(it, place)) {
            places.swap_remove(at);
        }
    }

    /// Aborts all responses: the connection ends because its caller does not read.
    pub fn give_up_all(&self) {
        self.give_up(|_| true);
    }

    fn give_up(&self, mut which: impl FnMut(&mut Held<H>) -> bool) {
        let places: Vec<_> = self.places().iter().map(Arc::clone).collect();
        for place in places {
            let mut held = place.lock();
            let slow = held.take_if(&mut which);
            drop(held);
            if let Some(slow) = slow {
                H::give_up(slow.body);
            }
        }
    }

    fn look(&self) {
        let now = Instant::now();
        self.give_up(|it| it.is_read_too_slowly(self.patience, now));
    }

    fn places(&self) -> MutexGuard<'_, Vec<Arc<Place<H>>>> {
        self.places.lock()
    }
}

/// Checks the responses every few seconds, while there are any.
pub struct Look<H: Handler> {
    readers: Arc<Readers<H>>,
    /// Made when there is a response that is not taken at once.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<H: Handler> Look<H> {
    /// Checks `readers` when polled.
    #[must_use]
    pub fn new(readers: Arc<Readers<H>>) -> Self {
        Self {
            readers,
            timer: None,
        }
    }

    /// To be asked whenever the connection has nothing to do.
    pub fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            if self.readers.places().is_empty() {
                self.timer = None;
                return;
            }
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(sleep(LOOK_INTERVAL)));
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
            self.timer = None;
            self.readers.look();
        }
    }
}
