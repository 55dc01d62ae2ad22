//! The answers that one caller's HTTP/2 connection is taking, each judged by itself: a caller that opens no window for one of
//! them leaves that one lying, with all that it holds, while the connection goes on.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, MutexGuard},
    task::Context,
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use crate::lock::Lock;
use crate::net::{
    handler::Handler,
    pace::{self, BodyPatience, Pace},
};

use super::vigil::InFlight;

/// How often the answers under way are looked through.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// An answer's body, and the request that it belongs to.
pub struct Held<H: Handler> {
    pub body: H::Body,
    pub in_flight: Option<InFlight>,
    began: Instant,
    pace: Pace,
    /// Since when the caller has not taken what it was given; none while we wait for more of the answer.
    given: Option<Instant>,
}

impl<H: Handler> Held<H> {
    #[must_use]
    pub fn new(body: H::Body, in_flight: Option<InFlight>) -> Self {
        let now = Instant::now();
        Self {
            body,
            in_flight,
            began: now,
            pace: Pace::new(),
            // Its head is there: the first piece is asked for when the caller has room.
            given: Some(now),
        }
    }

    /// The caller has room for more.
    pub fn asked(&mut self) {
        if let Some(given) = self.given.take() {
            self.pace.waited(given.elapsed());
        }
    }

    /// The caller was given a piece.
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
        let is_over = pace::end(self.began, patience.total).is_some_and(|end| now >= end);
        is_over || self.pace.is_too_slow(patience.rate)
    }
}

/// A place for an answer, emptied when it ends or is given up.
pub struct Place<H: Handler>(Lock<Option<Held<H>>>);

impl<H: Handler> Place<H> {
    /// A connection and its requests live on one thread: nobody waits for this.
    pub fn lock(&self) -> MutexGuard<'_, Option<Held<H>>> {
        self.0.lock()
    }
}

/// All answers under way on a connection; at most as many as it has streams.
pub struct Readers<H: Handler> {
    patience: BodyPatience,
    places: Lock<Vec<Arc<Place<H>>>>,
}

impl<H: Handler> Readers<H> {
    #[must_use]
    pub fn new(patience: BodyPatience) -> Arc<Self> {
        Arc::new(Self {
            patience,
            places: Lock::default(),
        })
    }

    #[must_use]
    pub fn begin(&self, held: Held<H>) -> Arc<Place<H>> {
        let place = Arc::new(Place(Lock::new(Some(held))));
        self.places().push(Arc::clone(&place));
        place
    }

    pub fn end(&self, place: &Arc<Place<H>>) {
        let mut places = self.places();
        if let Some(at) = places.iter().position(|it| Arc::ptr_eq(it, place)) {
            places.swap_remove(at);
        }
    }

    /// Gives up all answers: the connection ends because its caller does not read.
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

/// Looks through the answers now and then, while there are any.
pub struct Look<H: Handler> {
    readers: Arc<Readers<H>>,
    /// Made when there is an answer that is not taken at once.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<H: Handler> Look<H> {
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
