//! How far the sending of a request has come, for one who gives up waiting for the response.

use crate::net::worker_cell::{WorkerCounter, WorkerFlag};

use super::http2::Http2Sender;

/// How far the sending of a request has come.
#[derive(Debug, Default)]
pub struct SendProgress {
    has_started: WorkerFlag,
    /// The HTTP/2 connection that was handed the request last, and how often something had come on it by then.
    http2_id: WorkerCounter,
    http2_reads: WorkerCounter,
}

impl SendProgress {
    /// Whether a connection was handed the request: it may have arrived.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.has_started.get()
    }

    pub(super) fn start_http1(&self) {
        self.has_started.set(true);
    }

    pub(super) fn start_http2(&self, sender: &Http2Sender) {
        self.has_started.set(true);
        self.http2_id.set(sender.id());
        self.http2_reads.set(sender.reads());
    }

    /// Whether this connection was handed the request, and nothing has come on it since.
    pub(super) fn is_silence_of(&self, sender: &Http2Sender) -> bool {
        self.http2_id.get() == sender.id() && self.http2_reads.get() == sender.reads()
    }
}
