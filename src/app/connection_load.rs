//! How many connections a worker serves, and the most since that was last asked.

use std::sync::atomic::{AtomicUsize, Ordering};

/// One worker's number of connections. Every connection counts from its dispatch until it has closed.
#[derive(Default)]
pub(crate) struct ConnectionLoad {
    open: AtomicUsize,
    /// Counted, not sampled: a thousand connections may come and go between two looks.
    peak: AtomicUsize,
}

impl ConnectionLoad {
    /// One connection more.
    pub(crate) fn add(&self) {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(open, Ordering::Relaxed);
    }

    /// One connection less.
    pub(crate) fn remove(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The most that were open since this was last asked, or as many as are open now.
    pub(crate) fn take_peak(&self) -> usize {
        self.peak.swap(self.open(), Ordering::Relaxed)
    }
}
