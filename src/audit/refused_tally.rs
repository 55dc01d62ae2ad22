//! Counts the refused requests of strangers that get no line of their own, until one `refused` line tells of them all.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use crate::{clock::Timestamp, names::RequestId, net::Peer};

/// Peers that a `refused` line names; the requests of others are counted all the same.
pub const PEERS_NAMED_MAX: usize = 32;

/// Where a stranger's request came from. The port is left out: a flood of one peer has thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerAddress {
    Ip(IpAddr),
    UnixUser(u32),
}

impl From<Peer> for PeerAddress {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Tcp(address) => Self::Ip(address.ip().to_canonical()),
            Peer::Unix { uid } => Self::UnixUser(uid),
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::UnixUser(uid) => Peer::Unix { uid: *uid }.fmt(f),
        }
    }
}

/// A stranger's request that was refused.
#[derive(Debug, Clone, Copy)]
pub struct RefusedRequest {
    /// When its outcome was known.
    pub at: Timestamp,
    pub id: RequestId,
    pub peer: Peer,
    /// The code of the refusal.
    pub reason: &'static str,
}

impl RefusedRequest {
    /// The time that its id holds.
    fn arrival(&self) -> Timestamp {
        let micros = self.id.unix_ms().saturating_mul(1000);
        Timestamp::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// Refused requests of strangers, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedTally {
    /// Always above 0.
    pub count: u64,
    /// How many by the code of their refusal: a closed set.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The first [`PEERS_NAMED_MAX`].
    pub peers: Vec<PeerAddress>,
    /// The times that the request ids hold, in whole milliseconds: the id of each counted request lies from the first to
    /// the last.
    pub first: Timestamp,
    pub last: Timestamp,
}

impl RefusedTally {
    /// Of one request.
    #[must_use]
    pub fn of(request: &RefusedRequest) -> Self {
        let at = request.arrival();
        Self {
            count: 1,
            reasons: BTreeMap::from([(request.reason, 1)]),
            peers: vec![request.peer.into()],
            first: at,
            last: at,
        }
    }

    /// Counts one more request.
    pub fn add(&mut self, request: &RefusedRequest) {
        let (at, peer) = (request.arrival(), request.peer.into());
        self.count += 1;
        *self.reasons.entry(request.reason).or_default() += 1;
        if self.peers.len() < PEERS_NAMED_MAX && !self.peers.contains(&peer) {
            self.peers.push(peer);
        }
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }
}
