//! How far a request's body has come, for those who gave the body away to be sent.

use std::{sync::OnceLock, time::Duration};

use crate::net::worker_cell::{WorkerCounter, WorkerFlag};

use super::request_body_error::BodyFault;

/// The progress of one body, shared by its reader and by the request that waits for the response.
#[derive(Debug, Default)]
pub struct Passage {
    bytes: WorkerCounter,
    fault: OnceLock<BodyFault>,
    ended: WorkerFlag,
    /// How long the caller was waited for, in microseconds.
    waited_us: WorkerCounter,
    /// The part of it before anybody sent the body on, in microseconds.
    waited_ahead_us: WorkerCounter,
}

impl Passage {
    /// Bytes read from the caller so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// What ended the body early: the first error counts.
    #[must_use]
    pub fn fault(&self) -> Option<BodyFault> {
        self.fault.get().copied()
    }

    /// How long the caller was waited for to send it.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_micros(self.waited_us.get())
    }

    /// The part of [`waited`](Self::waited) before anybody sent the body on.
    #[must_use]
    pub fn waited_ahead(&self) -> Duration {
        Duration::from_micros(self.waited_ahead_us.get())
    }

    pub(in crate::net) fn note_waited(&self, waited: Duration) {
        let us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited_us.set(us);
    }

    /// From here on, waiting is no longer ahead of sending.
    pub(in crate::net) fn end_read_ahead(&self) {
        self.waited_ahead_us.set(self.waited_us.get());
    }

    /// Counts bytes; returns all so far.
    pub(in crate::net) fn add(&self, bytes: u64) -> u64 {
        self.bytes.add(bytes)
    }

    pub(in crate::net) fn set_error(&self, fault: BodyFault) {
        // The first error says what happened; what follows is a consequence.
        let _ = self.fault.set(fault);
    }

    pub(in crate::net) fn end(&self) {
        self.ended.set(true);
    }

    /// Whether the caller's last byte was passed on.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended.get()
    }
}
