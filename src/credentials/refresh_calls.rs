//! Refresh-token calls that were sent and whose answer is not on disk yet. None begins once the program is ending; one that
//! was sent is waited for, because the refresh token that it used is dead.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// All calls of the program. Clones count together.
#[derive(Clone, Default)]
pub struct RefreshCalls(Arc<Inner>);

#[derive(Default)]
struct Inner {
    open: AtomicUsize,
    is_closed: AtomicBool,
}

/// A call under way, until it is dropped.
#[must_use]
pub(super) struct RefreshCall(Arc<Inner>);

impl RefreshCalls {
    /// The right to send one; none if the program is ending.
    pub(super) fn begin(&self) -> Option<RefreshCall> {
        // Counted before the look, so that whoever closes sees it or is seen.
        self.0.open.fetch_add(1, Ordering::SeqCst);
        let call = RefreshCall(Arc::clone(&self.0));
        (!self.0.is_closed.load(Ordering::SeqCst)).then_some(call)
    }

    /// Lets no other call begin.
    pub fn close(&self) {
        self.0.is_closed.store(true, Ordering::SeqCst);
    }

    /// Whether an answer is still to come, or to be stored.
    #[must_use]
    pub fn are_open(&self) -> bool {
        self.0.open.load(Ordering::SeqCst) > 0
    }
}

impl Drop for RefreshCall {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
