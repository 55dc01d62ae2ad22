//! Counts the refresh token requests whose response is not on disk yet. None starts once the program shuts down; the
//! shutdown waits for those in flight, because they have used up their refresh tokens.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// All refresh token requests of the program. Clones share one count.
#[derive(Clone, Default)]
pub struct RefreshCalls(Arc<RefreshCallCount>);

#[derive(Default)]
struct RefreshCallCount {
    in_flight: AtomicUsize,
    is_closed: AtomicBool,
}

/// A request in flight, until it is dropped.
#[must_use]
pub(in crate::credentials) struct RefreshCall(Arc<RefreshCallCount>);

impl RefreshCalls {
    /// The right to send a request; none once [`RefreshCalls::close`] was called.
    pub(in crate::credentials) fn begin(&self) -> Option<RefreshCall> {
        // Counts before it looks, so that a concurrent `close` either is seen here or sees the count.
        self.0.in_flight.fetch_add(1, Ordering::SeqCst);
        let call = RefreshCall(Arc::clone(&self.0));
        (!self.0.is_closed.load(Ordering::SeqCst)).then_some(call)
    }

    /// Lets no other request begin.
    pub fn close(&self) {
        self.0.is_closed.store(true, Ordering::SeqCst);
    }

    /// Whether any response is still awaited or unsaved.
    #[must_use]
    pub fn any_in_flight(&self) -> bool {
        self.0.in_flight.load(Ordering::SeqCst) > 0
    }
}

impl Drop for RefreshCall {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
