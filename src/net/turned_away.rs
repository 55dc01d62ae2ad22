//! Connections that got no place, or had to give theirs up: counted, by why.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Why a connection was not served, or not any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// No place was left in all.
    Total,
    /// No place was left for its address, network or user.
    Peer,
    /// The process had no file descriptor left.
    Files,
    /// Those who had to make room did not leave in time.
    Leaving,
    /// It was idle for too long without ever having proved who it is.
    Idle,
}

impl Why {
    pub const ALL: [Self; 5] = [
        Self::Total,
        Self::Peer,
        Self::Files,
        Self::Leaving,
        Self::Idle,
    ];

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

/// The counts of one program.
#[derive(Default)]
pub struct TurnedAway {
    refused: [AtomicU64; Why::ALL.len()],
    evicted: [AtomicU64; Why::ALL.len()],
    happened: Notify,
}

impl TurnedAway {
    /// A connection that came was not taken.
    pub fn refuse(&self, why: Why) {
        self.count(&self.refused, why);
    }

    /// A connection that was there and had proved nothing was closed.
    pub fn evict(&self, why: Why) {
        self.count(&self.evicted, why);
    }

    fn count(&self, counts: &[AtomicU64], why: Why) {
        if let Some(count) = counts.get(why.place()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.happened.notify_one();
    }

    #[must_use]
    pub fn refused(&self) -> Counts {
        read(&self.refused)
    }

    #[must_use]
    pub fn evicted(&self) -> Counts {
        read(&self.evicted)
    }

    /// Resolves when something was counted since it resolved last.
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
