//! Counts of connections that were refused or evicted, by reason.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Why a connection was refused or evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Too many in all.
    Total,
    /// Too many of its address, network or user.
    Peer,
    /// The process had no file descriptor left.
    Files,
    /// Evicted connections did not close in time.
    Leaving,
    /// It was idle for too long and never authenticated.
    Idle,
}

impl Why {
    /// All reasons, in the order of [`Counts`].
    pub const ALL: [Self; 5] = [
        Self::Total,
        Self::Peer,
        Self::Files,
        Self::Leaving,
        Self::Idle,
    ];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Peer => "peer",
            Self::Files => "files",
            Self::Leaving => "leaving",
            Self::Idle => "idle",
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Total => 0,
            Self::Peer => 1,
            Self::Files => 2,
            Self::Leaving => 3,
            Self::Idle => 4,
        }
    }
}

/// Counts by [`Why`].
pub type Counts = [(Why, u64); Why::ALL.len()];

/// The counts of the process.
#[derive(Default)]
pub struct TurnedAway {
    refused: [AtomicU64; Why::ALL.len()],
    evicted: [AtomicU64; Why::ALL.len()],
    happened: Notify,
}

impl TurnedAway {
    /// Counts a new connection that was not accepted.
    pub fn refuse(&self, why: Why) {
        self.count(&self.refused, why);
    }

    /// Counts an open, unauthenticated connection that was closed.
    pub fn evict(&self, why: Why) {
        self.count(&self.evicted, why);
    }

    fn count(&self, counts: &[AtomicU64], why: Why) {
        if let Some(count) = counts.get(why.place()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.happened.notify_one();
    }

    /// New connections that were not accepted so far.
    #[must_use]
    pub fn refused(&self) -> Counts {
        read(&self.refused)
    }

    /// Open connections that were closed so far.
    #[must_use]
    pub fn evicted(&self) -> Counts {
        read(&self.evicted)
    }

    /// Resolves once something has been counted since it resolved last.
    pub async fn happens(&self) {
        self.happened.notified().await;
    }
}

fn read(counts: &[AtomicU64; Why::ALL.len()]) -> Counts {
    Why::ALL.map(|why| {
        let count = counts.get(why.place());
        (why, count.map_or(0, |it| it.load(Ordering::Relaxed)))
    })
}
