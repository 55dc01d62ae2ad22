//! What one caller's HTTP/2 connection is busy with, as its socket, its requests and its monitor see it.

use std::sync::Arc;

use crate::net::worker_cell::{WorkerCounter, WorkerFlag};

/// The activity of one connection. Written by its worker only.
#[derive(Default)]
pub struct Vigil {
    /// Requests that are being handled or answered.
    pub(super) in_flight: WorkerCounter,
    /// Those of them whose response has begun: they wait for the caller to take it.
    pub(super) answering: WorkerCounter,
    pub(super) write_blocked: WorkerFlag,
    /// A request's head is incomplete.
    pub(super) in_head: WorkerFlag,
    /// Counts requests that began and writes that went through: what waits since before the last one waits anew.
    pub(super) progress: WorkerCounter,
    /// Counts requests that began. A caller that has not authenticated gains no time by pings and settings.
    pub(super) requests: WorkerCounter,
}

impl Vigil {
    /// A request has come. Returns a guard for the time until its response is sent.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.add(1);
        self.go_on();
        self.requests.add(1);
        InFlight {
            vigil: Arc::clone(self),
            answering: false,
        }
    }

    /// The socket has nothing more for now: whether a head stays incomplete.
    pub fn note_head(&self, is_unfinished: bool) {
        self.in_head.set(is_unfinished);
    }

    pub(super) fn go_on(&self) {
        self.progress.add(1);
    }
}

/// A request under way; counts until it is dropped.
pub struct InFlight {
    vigil: Arc<Vigil>,
    answering: bool,
}

impl InFlight {
    /// The response's head is there; from now on the caller's reading is what is waited for.
    pub fn answer(&mut self) {
        if !self.answering {
            self.answering = true;
            self.vigil.answering.add(1);
        }
    }

    /// A chunk of the response was asked for.
    pub fn progress(&self) {
        self.vigil.go_on();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.answering {
            self.vigil.answering.decrement();
        }
        self.vigil.in_flight.decrement();
    }
}
