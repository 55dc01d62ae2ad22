//! How far a request's body has come, for those who gave the body away to be sent.

use std::{sync::OnceLock, time::Duration};

use crate::net::worker_cell::{WorkerCounter, WorkerFlag};

use super::request_body_error::RequestBodyError;

/// The progress of one body, shared by its reader and by the request that waits for the response.
#[derive(Debug, Default)]
pub struct BodyProgress {
    bytes: WorkerCounter,
    error: OnceLock<RequestBodyError>,
    complete: WorkerFlag,
    /// How long the caller was waited for, in microseconds.
    wait_us: WorkerCounter,
    /// The part of it before anybody sent the body on, in microseconds.
    read_ahead_wait_us: WorkerCounter,
}

impl BodyProgress {
    /// Bytes read from the caller so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// What ended the body early: the first error counts.
    #[must_use]
    pub fn error(&self) -> Option<RequestBodyError> {
        self.error.get().copied()
    }

    /// How long the caller was waited for to send it.
    #[must_use]
    pub fn wait_time(&self) -> Duration {
        Duration::from_micros(self.wait_us.get())
    }

    /// The part of [`wait_time`](Self::wait_time) before anybody sent the body on.
    #[must_use]
    pub fn read_ahead_wait_time(&self) -> Duration {
        Duration::from_micros(self.read_ahead_wait_us.get())
    }

    pub(in crate::net) fn set_wait_time(&self, waited: Duration) {
        let us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.wait_us.set(us);
    }

    /// From here on, waiting is no longer ahead of sending.
    pub(in crate::net) fn end_read_ahead(&self) {
        self.read_ahead_wait_us.set(self.wait_us.get());
    }

    /// Counts bytes; returns all so far.
    pub(in crate::net) fn add_bytes(&self, bytes: u64) -> u64 {
        self.bytes.add(bytes)
    }

    pub(in crate::net) fn set_error(&self, error: RequestBodyError) {
        // The first error says what happened; what follows is a consequence.
        let _ = self.error.set(error);
    }

    pub(in crate::net) fn finish(&self) {
        self.complete.set(true);
    }

    /// Whether the caller's last byte was passed on.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete.get()
    }
}
