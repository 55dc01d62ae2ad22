//! The callers' connections: how many there may be, which one is evicted when there are too many, and a way to reach each
//! one at shutdown.
//!
//! An unauthenticated connection stays only until another one needs its permit: the oldest is evicted first. One that has
//! authenticated is never evicted.

use std::sync::{Arc, MutexGuard};

use crate::{lock::Lock, net::peer::Peer};

use super::{
    connection_permit::ConnectionPermit,
    connection_rejections::{ConnectionRejections, RejectionReason},
    connection_table::ConnectionTable,
    peer_group::PeerGroup,
};

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
    const fn max_for(self, group: PeerGroup) -> usize {
        match group {
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
    /// Many evicted connections have not closed yet; there will be permits soon.
    EvictionsPending,
    /// The program is shutting down.
    ShuttingDown,
}

/// The open connections of all listeners.
pub struct Connections {
    limits: ConnectionLimits,
    table: Arc<Lock<ConnectionTable>>,
    rejections: Arc<ConnectionRejections>,
}

impl Connections {
    /// None is open yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            table: Arc::default(),
            rejections: Arc::default(),
        })
    }

    /// How many hold a permit.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.lock().open_count()
    }

    /// Counts of connections that got no permit or lost it.
    #[must_use]
    pub fn rejections(&self) -> &ConnectionRejections {
        &self.rejections
    }

    /// Takes a permit for a connection from `peer`; evicts the oldest unauthenticated connection if there is no other.
    ///
    /// # Errors
    /// See [`ConnectionLimitError`].
    pub fn admit(&self, peer: Peer) -> Result<ConnectionPermit, ConnectionLimitError> {
        let group = PeerGroup::of(peer);
        let mut table = self.lock();
        if table.is_shutting_down() {
            return Err(ConnectionLimitError::ShuttingDown);
        }
        let is_group_full = table.open_in_group(group) >= self.limits.max_for(group);
        let is_full = is_group_full || table.open_count() >= self.limits.total_max;
        if is_full && !table.can_evict() {
            return Err(ConnectionLimitError::EvictionsPending);
        }
        if is_group_full {
            if !table.evict(Some(group)) {
                self.rejections.record_refused(RejectionReason::Peer);
                return Err(ConnectionLimitError::Peer);
            }
            self.rejections.record_evicted(RejectionReason::Peer);
        }
        if table.open_count() >= self.limits.total_max {
            if !table.evict(None) {
                self.rejections.record_refused(RejectionReason::Total);
                return Err(ConnectionLimitError::Total);
            }
            self.rejections.record_evicted(RejectionReason::Total);
        }
        let (id, control) = table.insert(group);
        drop(table);
        Ok(ConnectionPermit::new(
            Arc::clone(&self.table),
            Arc::clone(&self.rejections),
            id,
            control,
        ))
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
        self.lock().graceful_shutdown();
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionTable> {
        self.table.lock()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::{
        super::{connection_rejections::RejectionCounts, connection_table::EVICTED_OPEN_MAX},
        *,
    };

    const LIMITS: ConnectionLimits = ConnectionLimits {
        total_max: 4,
        per_peer_max: 2,
    };

    fn from(address: &str) -> Peer {
        Peer::Tcp((address.parse::<std::net::IpAddr>().unwrap(), 1).into())
    }

    async fn is_evicted(permit: &ConnectionPermit) -> bool {
        let running = permit.control().run(std::future::ready(()));
        running.await.is_none()
    }

    fn count(counts: RejectionCounts, why: RejectionReason) -> u64 {
        counts.iter().find(|it| it.0 == why).unwrap().1
    }

    #[tokio::test]
    async fn the_oldest_unauthenticated_connection_of_a_peer_is_evicted_first() {
        let connections = Connections::new(LIMITS);
        let authenticated = connections.admit(from("192.0.2.1")).unwrap();
        authenticated.control().mark_authenticated();
        let silent = connections.admit(from("192.0.2.1")).unwrap();

        let next = connections.admit(from("192.0.2.1")).unwrap();

        assert!(is_evicted(&silent).await);
        assert!(!is_evicted(&authenticated).await && !is_evicted(&next).await);
        next.control().mark_authenticated();
        assert_eq!(
            connections.admit(from("192.0.2.1")).err(),
            Some(ConnectionLimitError::Peer)
        );
        assert_eq!(connections.open_count(), 2);
        let rejections = connections.rejections();
        assert_eq!(count(rejections.evicted(), RejectionReason::Peer), 1);
        assert_eq!(count(rejections.refused(), RejectionReason::Peer), 1);
        // Others are not touched by it.
        drop(connections.admit(from("192.0.2.2")).unwrap());
    }

    #[tokio::test]
    async fn the_oldest_unauthenticated_connection_of_all_is_evicted_first() {
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
        drop((first, next));
        assert_eq!(connections.open_count(), 0);
        assert!(connections.lock().is_empty());
    }

    #[test]
    fn an_authenticated_connection_is_never_evicted() {
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
    fn one_user_of_a_unix_socket_has_half_of_all_permits() {
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
    fn only_so_many_evicted_connections_may_be_open() {
        let connections = Connections::new(LIMITS);
        let mut permits = Vec::new();
        for _ in 0..EVICTED_OPEN_MAX + 2 {
            permits.push(connections.admit(from("192.0.2.1")).unwrap());
        }

        assert_eq!(
            connections.admit(from("192.0.2.1")).err(),
            Some(ConnectionLimitError::EvictionsPending)
        );
        permits.remove(0);
        assert!(connections.admit(from("192.0.2.1")).is_ok());
    }
}
