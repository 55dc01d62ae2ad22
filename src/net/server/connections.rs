//! The callers' connections: how many there may be, which one is evicted when there are too many, and a way to reach each
//! one at shutdown.
//!
//! An unauthenticated connection stays only until another one needs its place: the oldest is evicted first. One that has
//! authenticated is never evicted.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, MutexGuard},
};

use crate::{lock::Lock, net::peer::Peer};

use super::{
    connection_control::ConnectionControl,
    connection_rejections::{ConnectionRejections, RejectionReason},
    peer_group::PeerGroup,
};

/// Most evicted connections that have not closed yet. As many more file descriptors may be open.
pub const EVICTED_OPEN_MAX: usize = 256;

/// How many connections may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub total_max: usize,
    /// For one IPv4 address, or one IPv6 network of 64 bits.
    pub per_peer_max: usize,
}

impl ConnectionLimits {
    /// Users of a Unix socket have no address to be counted by. The file's permissions let them in, so they may have more
    /// than a stranger, but never all.
    const fn max_for(self, neighbour: PeerGroup) -> usize {
        match neighbour {
            PeerGroup::V4(_) | PeerGroup::V6(_) => self.per_peer_max,
            PeerGroup::UnixUser(_) => self.total_max.div_ceil(2),
        }
    }
}

/// Why a connection was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionLimitError {
    /// [`ConnectionLimits::total_max`].
    Total,
    /// [`ConnectionLimits::per_peer_max`].
    Peer,
    /// Many evicted connections have not closed yet; soon there will be places.
    EvictionsPending,
    /// The program is shutting down.
    ShuttingDown,
}

/// The open connections of all listeners.
pub struct Connections {
    limits: ConnectionLimits,
    table: Lock<ConnectionTable>,
    rejections: ConnectionRejections,
}

/// Locked when a connection comes or goes, never for a request.
#[derive(Default)]
struct ConnectionTable {
    next_id: u64,
    /// Those that have a place, by id: the lower, the older.
    open: BTreeMap<u64, OpenConnection>,
    /// Those of them that were unauthenticated when they were looked at last. One that has authenticated since is taken out
    /// when it is its turn to be evicted.
    unauthenticated: BTreeSet<u64>,
    /// Those with open connections only: an entry goes with its last one.
    peer_groups: HashMap<PeerGroup, GroupConnections, foldhash::fast::RandomState>,
    /// How many were evicted and have not closed yet.
    evicted_open: usize,
    is_shutting_down: bool,
}

struct OpenConnection {
    peer_group: PeerGroup,
    control: Arc<ConnectionControl>,
}

/// The connections of one peer group.
#[derive(Default)]
struct GroupConnections {
    open: usize,
    unauthenticated: BTreeSet<u64>,
}

impl Connections {
    /// None is open yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            table: Lock::default(),
            rejections: ConnectionRejections::default(),
        })
    }

    /// How many have a place.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.lock().open.len()
    }

    /// Counts of connections that got no place or lost it.
    #[must_use]
    pub fn rejections(&self) -> &ConnectionRejections {
        &self.rejections
    }

    /// Takes a place for a connection from `peer`; evicts the oldest unauthenticated connection if there is no other.
    ///
    /// # Errors
    /// See [`ConnectionLimitError`].
    pub fn admit(self: &Arc<Self>, peer: Peer) -> Result<ConnectionPermit, ConnectionLimitError> {
        let neighbour = PeerGroup::of(peer);
        let mut state = self.lock();
        if state.is_shutting_down {
            return Err(ConnectionLimitError::ShuttingDown);
        }
        let of_neighbour = state.peer_groups.get(&neighbour).map_or(0, |it| it.open);
        let is_full = of_neighbour >= self.limits.max_for(neighbour)
            || state.open.len() >= self.limits.total_max;
        if is_full && state.evicted_open >= EVICTED_OPEN_MAX {
            return Err(ConnectionLimitError::EvictionsPending);
        }
        if of_neighbour >= self.limits.max_for(neighbour) {
            if !state.evict(Some(neighbour)) {
                self.rejections.record_refused(RejectionReason::Peer);
                return Err(ConnectionLimitError::Peer);
            }
            self.rejections.record_evicted(RejectionReason::Peer);
        }
        if state.open.len() >= self.limits.total_max {
            if !state.evict(None) {
                self.rejections.record_refused(RejectionReason::Total);
                return Err(ConnectionLimitError::Total);
            }
            self.rejections.record_evicted(RejectionReason::Total);
        }
        let (number, seat) = state.insert(neighbour);
        drop(state);
        Ok(ConnectionPermit {
            connections: Arc::clone(self),
            id: number,
            control: seat,
        })
    }

    /// Counts a connection that was refused because evicted ones had not closed in time.
    pub fn record_eviction_timeout(&self) {
        self.rejections
            .record_refused(RejectionReason::EvictionTimeout);
    }

    /// Evicts the oldest unauthenticated connection, so that its file descriptor can be used.
    pub fn free_descriptor(&self) {
        if self.lock().evict(None) {
            self.rejections
                .record_evicted(RejectionReason::FileDescriptors);
        } else {
            self.rejections
                .record_refused(RejectionReason::FileDescriptors);
        }
    }

    /// Graceful shutdown: accepts no new connections; the open ones finish the request under way and close.
    pub fn graceful_shutdown(&self) {
        let mut state = self.lock();
        state.is_shutting_down = true;
        for open in state.open.values() {
            open.control.graceful_shutdown();
        }
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionTable> {
        self.table.lock()
    }
}

impl ConnectionTable {
    fn insert(&mut self, neighbour: PeerGroup) -> (u64, Arc<ConnectionControl>) {
        let number = self.next_id;
        self.next_id += 1;
        let seat = Arc::<ConnectionControl>::default();
        let open = OpenConnection {
            peer_group: neighbour,
            control: Arc::clone(&seat),
        };
        self.open.insert(number, open);
        self.unauthenticated.insert(number);
        let group = self.peer_groups.entry(neighbour).or_default();
        group.open += 1;
        group.unauthenticated.insert(number);
        (number, seat)
    }

    /// Evicts the oldest unauthenticated connection of one peer group, or of all. False if there is none.
    fn evict(&mut self, of: Option<PeerGroup>) -> bool {
        if self.evicted_open >= EVICTED_OPEN_MAX {
            return false;
        }
        loop {
            let oldest = match &of {
                Some(neighbour) => self
                    .peer_groups
                    .get(neighbour)
                    .map(|it| &it.unauthenticated),
                None => Some(&self.unauthenticated),
            };
            let Some(number) = oldest.and_then(|it| it.first().copied()) else {
                return false;
            };
            if self.is_authenticated(number) {
                self.remove_unauthenticated(number);
                continue;
            }
            if let Some(open) = self.remove(number) {
                open.control.close_now();
                self.evicted_open += 1;
            }
            return true;
        }
    }

    fn is_authenticated(&self, number: u64) -> bool {
        let open = self.open.get(&number);
        open.is_some_and(|it| it.control.is_authenticated())
    }

    fn remove_unauthenticated(&mut self, number: u64) {
        self.unauthenticated.remove(&number);
        if let Some(open) = self.open.get(&number)
            && let Some(group) = self.peer_groups.get_mut(&open.peer_group)
        {
            group.unauthenticated.remove(&number);
        }
    }

    fn remove(&mut self, number: u64) -> Option<OpenConnection> {
        self.unauthenticated.remove(&number);
        let open = self.open.remove(&number)?;
        if let Some(group) = self.peer_groups.get_mut(&open.peer_group) {
            group.unauthenticated.remove(&number);
            group.open = group.open.saturating_sub(1);
            if group.open == 0 {
                self.peer_groups.remove(&open.peer_group);
            }
        }
        Some(open)
    }
}

/// A connection's place, given back on drop.
pub struct ConnectionPermit {
    connections: Arc<Connections>,
    id: u64,
    control: Arc<ConnectionControl>,
}

impl ConnectionPermit {
    /// To reach the connection.
    #[must_use]
    pub fn control(&self) -> &Arc<ConnectionControl> {
        &self.control
    }

    /// Counts a connection that ends because it was idle for too long.
    pub fn record_idle_timeout(&self) {
        if !self.control.is_authenticated() {
            self.connections
                .rejections
                .record_evicted(RejectionReason::Idle);
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.connections.lock();
        // It may have been evicted before.
        if state.remove(self.id).is_none() {
            state.evicted_open = state.evicted_open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        total_max: 4,
        per_peer_max: 2,
    };

    fn from(address: &str) -> Peer {
        Peer::Tcp((address.parse::<std::net::IpAddr>().unwrap(), 1).into())
    }

    async fn is_evicted(ticket: &ConnectionPermit) -> bool {
        let running = ticket.control.run(std::future::ready(()));
        running.await.is_none()
    }

    fn count(
        counts: crate::net::server::connection_rejections::RejectionCounts,
        why: RejectionReason,
    ) -> u64 {
        counts.iter().find(|it| it.0 == why).unwrap().1
    }

    #[tokio::test]
    async fn the_oldest_of_a_peer_that_proved_nothing_goes_first() {
        let connections = Connections::new(LIMITS);
        let proven = connections.admit(from("192.0.2.1")).unwrap();
        proven.control().mark_authenticated();
        let silent = connections.admit(from("192.0.2.1")).unwrap();

        let next = connections.admit(from("192.0.2.1")).unwrap();

        assert!(is_evicted(&silent).await);
        assert!(!is_evicted(&proven).await && !is_evicted(&next).await);
        next.control().mark_authenticated();
        assert_eq!(
            connections.admit(from("192.0.2.1")).err(),
            Some(ConnectionLimitError::Peer)
        );
        assert_eq!(connections.open_count(), 2);
        let told = connections.rejections();
        assert_eq!(count(told.evicted(), RejectionReason::Peer), 1);
        assert_eq!(count(told.refused(), RejectionReason::Peer), 1);
        // Others are not touched by it.
        drop(connections.admit(from("192.0.2.2")).unwrap());
    }

    #[tokio::test]
    async fn the_oldest_of_all_that_proved_nothing_goes_first() {
        let connections = Connections::new(LIMITS);
        let first = connections.admit(from("192.0.2.1")).unwrap();
        let others: Vec<_> = (2..5)
            .map(|it| connections.admit(from(&format!("192.0.2.{it}"))).unwrap())
            .collect();
        first.control().mark_authenticated();

        let next = connections.admit(from("192.0.2.9")).unwrap();

        assert!(!is_evicted(&first).await && !is_evicted(&next).await);
        assert!(is_evicted(&others[0]).await && !is_evicted(&others[1]).await);
        assert_eq!(connections.open_count(), 4);
        drop(others);
        assert_eq!(connections.open_count(), 2);
        assert_eq!(connections.lock().evicted_open, 0);
        drop((first, next));
        assert_eq!(connections.open_count(), 0);
        assert!(connections.lock().peer_groups.is_empty());
        assert!(connections.lock().unauthenticated.is_empty());
    }

    #[test]
    fn who_is_proven_is_never_sent_away() {
        let connections = Connections::new(LIMITS);
        let _open: Vec<_> = (1..5)
            .map(|it| connections.admit(from(&format!("192.0.2.{it}"))).unwrap())
            .inspect(|it| it.control().mark_authenticated())
            .collect();

        let refused = connections.admit(from("192.0.2.9")).err();

        assert_eq!(refused, Some(ConnectionLimitError::Total));
        assert_eq!(
            count(connections.rejections().refused(), RejectionReason::Total),
            1
        );
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_peer() {
        let connections = Connections::new(LIMITS);
        let _open: Vec<_> = ["2001:db8::1", "2001:db8::2:3:4:5"]
            .map(|it| connections.admit(from(it)).unwrap())
            .into_iter()
            .inspect(|it| it.control().mark_authenticated())
            .collect();

        assert_eq!(
            connections.admit(from("2001:db8::9")).err(),
            Some(ConnectionLimitError::Peer)
        );
        assert!(connections.admit(from("2001:db8:0:1::9")).is_ok());
    }

    #[test]
    fn one_user_of_a_unix_socket_has_half_of_all_places() {
        let limits = ConnectionLimits {
            total_max: 10,
            per_peer_max: 2,
        };
        let connections = Connections::new(limits);
        let open: Vec<_> = (0..5)
            .map(|_| connections.admit(Peer::Unix { uid: 7 }).unwrap())
            .inspect(|it| it.control().mark_authenticated())
            .collect();

        assert_eq!(
            connections.admit(Peer::Unix { uid: 7 }).err(),
            Some(ConnectionLimitError::Peer)
        );
        assert!(connections.admit(Peer::Unix { uid: 8 }).is_ok());
        assert!(connections.admit(from("192.0.2.1")).is_ok());
        drop(open);
    }

    #[test]
    fn only_so_many_are_on_their_way_out() {
        let connections = Connections::new(LIMITS);
        let mut tickets = Vec::new();
        for _ in 0..EVICTED_OPEN_MAX + 2 {
            tickets.push(connections.admit(from("192.0.2.1")).unwrap());
        }

        assert_eq!(
            connections.admit(from("192.0.2.1")).err(),
            Some(ConnectionLimitError::EvictionsPending)
        );
        tickets.remove(0);
        assert!(connections.admit(from("192.0.2.1")).is_ok());
    }
}
