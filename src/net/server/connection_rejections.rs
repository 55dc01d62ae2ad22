//! Counts of connections that were refused or evicted, by reason.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Why a connection was refused or evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionReason {
    /// Too many in all.
    Total,
    /// Too many of its address, network or user.
    Peer,
    /// The process had no file descriptor left.
    FileDescriptors,
    /// Evicted connections did not close in time.
    EvictionTimeout,
    /// It was idle for too long and never authenticated.
    Idle,
}

impl RejectionReason {
    /// All reasons, in the order of [`RejectionCounts`].
    pub const ALL: [Self; 5] = [
        Self::Total,
        Self::Peer,
        Self::FileDescriptors,
        Self::EvictionTimeout,
        Self::Idle,
    ];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Peer => "peer",
            Self::FileDescriptors => "files",
            Self::EvictionTimeout => "leaving",
            Self::Idle => "idle",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Total => 0,
            Self::Peer => 1,
            Self::FileDescriptors => 2,
            Self::EvictionTimeout => 3,
            Self::Idle => 4,
        }
    }
}

/// Counts by [`RejectionReason`].
pub type RejectionCounts = [(RejectionReason, u64); RejectionReason::ALL.len()];

/// The counts of the process.
#[derive(Default)]
pub struct ConnectionRejections {
    refused: [AtomicU64; RejectionReason::ALL.len()],
    evicted: [AtomicU64; RejectionReason::ALL.len()],
    changed: Notify,
}

impl ConnectionRejections {
    /// Counts a new connection that was not accepted.
    pub fn record_refused(&self, why: RejectionReason) {
        self.count(&self.refused, why);
    }

    /// Counts an open, unauthenticated connection that was closed.
    pub fn record_evicted(&self, why: RejectionReason) {
        self.count(&self.evicted, why);
    }

    fn count(&self, counts: &[AtomicU64], why: RejectionReason) {
        if let Some(count) = counts.get(why.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.changed.notify_one();
    }

    /// New connections that were not accepted so far.
    #[must_use]
    pub fn refused(&self) -> RejectionCounts {
        load_counts(&self.refused)
    }

    /// Open connections that were closed so far.
    #[must_use]
    pub fn evicted(&self) -> RejectionCounts {
        load_counts(&self.evicted)
    }

    /// Resolves once something has been counted since it resolved last.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn load_counts(counts: &[AtomicU64; RejectionReason::ALL.len()]) -> RejectionCounts {
    RejectionReason::ALL.map(|why| {
        let count = counts.get(why.index());
        (why, count.map_or(0, |it| it.load(Ordering::Relaxed)))
    })
}
