//! What one caller's HTTP/2 connection is busy with, as its socket, its requests and its monitor see it.

use std::sync::Arc;

use crate::net::worker_cell::{WorkerCounter, WorkerFlag};

/// The activity of one connection. Written by its worker only.
#[derive(Default)]
pub struct ConnectionActivity {
    /// Requests that are being handled or responded to.
    pub(super) in_flight: WorkerCounter,
    /// Those of them whose response has begun: they wait for the caller to take it.
    pub(super) responding: WorkerCounter,
    pub(super) write_blocked: WorkerFlag,
    /// A request's head is incomplete.
    pub(super) in_head: WorkerFlag,
    /// Counts requests that began and writes that went through: what waits since before the last one waits anew.
    pub(super) progress: WorkerCounter,
    /// Counts requests that began. A caller that has not authenticated gains no time by pings and settings.
    pub(super) requests: WorkerCounter,
}

impl ConnectionActivity {
    /// A request has come. Returns a guard for the time until its response is sent.
    #[must_use]
    pub fn begin_request(self: &Arc<Self>) -> InFlightRequest {
        self.in_flight.add(1);
        self.record_progress();
        self.requests.add(1);
        InFlightRequest {
            activity: Arc::clone(self),
            responding: false,
        }
    }

    /// The socket has nothing more for now: whether a head stays incomplete.
    pub fn set_in_head(&self, is_unfinished: bool) {
        self.in_head.set(is_unfinished);
    }

    pub(super) fn record_progress(&self) {
        self.progress.add(1);
    }
}

/// A request under way; counts until it is dropped.
pub struct InFlightRequest {
    activity: Arc<ConnectionActivity>,
    responding: bool,
}

impl InFlightRequest {
    /// The response's head is there; from now on the caller's reading is what is waited for.
    pub fn response_started(&mut self) {
        if !self.responding {
            self.responding = true;
            self.activity.responding.add(1);
        }
    }

    /// A chunk of the response was asked for.
    pub fn record_progress(&self) {
        self.activity.record_progress();
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        if self.responding {
            self.activity.responding.decrement();
        }
        self.activity.in_flight.decrement();
    }
}
