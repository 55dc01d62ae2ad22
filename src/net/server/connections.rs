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
    connection_control::Seat,
    connection_rejections::{TurnedAway, Why},
    peer_group::Neighbour,
};

/// Most evicted connections that have not closed yet. As many more file descriptors may be open.
pub const LEAVING_MAX: usize = 256;

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
    const fn of(self, neighbour: Neighbour) -> usize {
        match neighbour {
            Neighbour::V4(_) | Neighbour::V6(_) => self.per_peer_max,
            Neighbour::User(_) => self.total_max.div_ceil(2),
        }
    }
}

/// Why a connection was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Full {
    /// [`ConnectionLimits::total_max`].
    Total,
    /// [`ConnectionLimits::per_peer_max`].
    Peer,
    /// Many evicted connections have not closed yet; soon there will be places.
    Leaving,
    /// The program is shutting down.
    Draining,
}

/// The open connections of all listeners.
pub struct Connections {
    limits: ConnectionLimits,
    state: Lock<State>,
    turned_away: TurnedAway,
}

/// Locked when a connection comes or goes, never for a request.
#[derive(Default)]
struct State {
    next: u64,
    /// Those that have a place, by id: the lower, the older.
    open: BTreeMap<u64, Open>,
    /// Those of them that were unauthenticated when they were looked at last. One that has authenticated since is taken out
    /// when it is its turn to be evicted.
    unproven: BTreeSet<u64>,
    /// Those with open connections only: an entry goes with its last one.
    neighbours: HashMap<Neighbour, Group, foldhash::fast::RandomState>,
    /// How many were evicted and have not closed yet.
    leaving: usize,
    is_draining: bool,
}

struct Open {
    neighbour: Neighbour,
    seat: Arc<Seat>,
}

/// The connections of one peer group.
#[derive(Default)]
struct Group {
    open: usize,
    unproven: BTreeSet<u64>,
}

impl Connections {
    /// None is open yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            state: Lock::default(),
            turned_away: TurnedAway::default(),
        })
    }

    /// How many have a place.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock().open.len()
    }

    /// Counts of connections that got no place or lost it.
    #[must_use]
    pub fn turned_away(&self) -> &TurnedAway {
        &self.turned_away
    }

    /// Takes a place for a connection from `peer`; evicts the oldest unauthenticated connection if there is no other.
    ///
    /// # Errors
    /// See [`Full`].
    pub fn admit(self: &Arc<Self>, peer: Peer) -> Result<Ticket, Full> {
        let neighbour = Neighbour::of(peer);
        let mut state = self.lock();
        if state.is_draining {
            return Err(Full::Draining);
        }
        let of_neighbour = state.neighbours.get(&neighbour).map_or(0, |it| it.open);
        let is_full =
            of_neighbour >= self.limits.of(neighbour) || state.open.len() >= self.limits.total_max;
        if is_full && state.leaving >= LEAVING_MAX {
            return Err(Full::Leaving);
        }
        if of_neighbour >= self.limits.of(neighbour) {
            if !state.evict(Some(neighbour)) {
                self.turned_away.refuse(Why::Peer);
                return Err(Full::Peer);
            }
            self.turned_away.evict(Why::Peer);
        }
        if state.open.len() >= self.limits.total_max {
            if !state.evict(None) {
                self.turned_away.refuse(Why::Total);
                return Err(Full::Total);
            }
            self.turned_away.evict(Why::Total);
        }
        let (number, seat) = state.seat(neighbour);
        drop(state);
        Ok(Ticket {
            connections: Arc::clone(self),
            number,
            seat,
        })
    }

    /// Counts a connection that was refused because evicted ones had not closed in time.
    pub fn refuse_leaving(&self) {
        self.turned_away.refuse(Why::Leaving);
    }

    /// Evicts the oldest unauthenticated connection, so that its file descriptor can be used.
    pub fn free_descriptor(&self) {
        if self.lock().evict(None) {
            self.turned_away.evict(Why::Files);
        } else {
            self.turned_away.refuse(Why::Files);
        }
    }

    /// Graceful shutdown: accepts no new connections; the open ones finish the request under way and close.
    pub fn drain(&self) {
        let mut state = self.lock();
        state.is_draining = true;
        for open in state.open.values() {
            open.seat.finish();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn seat(&mut self, neighbour: Neighbour) -> (u64, Arc<Seat>) {
        let number = self.next;
        self.next += 1;
        let seat = Arc::<Seat>::default();
        let open = Open {
            neighbour,
            seat: Arc::clone(&seat),
        };
        self.open.insert(number, open);
        self.unproven.insert(number);
        let group = self.neighbours.entry(neighbour).or_default();
        group.open += 1;
        group.unproven.insert(number);
        (number, seat)
    }

    /// Evicts the oldest unauthenticated connection of one peer group, or of all. False if there is none.
    fn evict(&mut self, of: Option<Neighbour>) -> bool {
        if self.leaving >= LEAVING_MAX {
            return false;
        }
        loop {
            let oldest = match &of {
                Some(neighbour) => self.neighbours.get(neighbour).map(|it| &it.unproven),
                None => Some(&self.unproven),
            };
            let Some(number) = oldest.and_then(|it| it.first().copied()) else {
                return false;
            };
            if self.is_proven(number) {
                self.forget_unproven(number);
                continue;
            }
            if let Some(open) = self.remove(number) {
                open.seat.leave();
                self.leaving += 1;
            }
            return true;
        }
    }

    fn is_proven(&self, number: u64) -> bool {
        let open = self.open.get(&number);
        open.is_some_and(|it| it.seat.is_proven())
    }

    fn forget_unproven(&mut self, number: u64) {
        self.unproven.remove(&number);
        if let Some(open) = self.open.get(&number)
            && let Some(group) = self.neighbours.get_mut(&open.neighbour)
        {
            group.unproven.remove(&number);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Open> {
        self.unproven.remove(&number);
        let open = self.open.remove(&number)?;
        if let Some(group) = self.neighbours.get_mut(&open.neighbour) {
            group.unproven.remove(&number);
            group.open = group.open.saturating_sub(1);
            if group.open == 0 {
                self.neighbours.remove(&open.neighbour);
            }
        }
        Some(open)
    }
}

/// A connection's place, given back on drop.
pub struct Ticket {
    connections: Arc<Connections>,
    number: u64,
    seat: Arc<Seat>,
}

impl Ticket {
    /// To reach the connection.
    #[must_use]
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// Counts a connection that ends because it was idle for too long.
    pub fn note_silence(&self) {
        if !self.seat.is_proven() {
            self.connections.turned_away.evict(Why::Idle);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.connections.lock();
        // It may have been evicted before.
        if state.remove(self.number).is_none() {
            state.leaving = state.leaving.saturating_sub(1);
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

    async fn has_to_leave(ticket: &Ticket) -> bool {
        let running = ticket.seat.run(std::future::ready(()));
        running.await.is_none()
    }

    fn count(counts: crate::net::server::connection_rejections::Counts, why: Why) -> u64 {
        counts.iter().find(|it| it.0 == why).unwrap().1
    }

    #[tokio::test]
    async fn the_oldest_of_a_peer_that_proved_nothing_goes_first() {
        let connections = Connections::new(LIMITS);
        let proven = connections.admit(from("192.0.2.1")).unwrap();
        proven.seat().prove();
        let silent = connections.admit(from("192.0.2.1")).unwrap();

        let next = connections.admit(from("192.0.2.1")).unwrap();

        assert!(has_to_leave(&silent).await);
        assert!(!has_to_leave(&proven).await && !has_to_leave(&next).await);
        next.seat().prove();
        assert_eq!(connections.admit(from("192.0.2.1")).err(), Some(Full::Peer));
        assert_eq!(connections.open(), 2);
        let told = connections.turned_away();
        assert_eq!(count(told.evicted(), Why::Peer), 1);
        assert_eq!(count(told.refused(), Why::Peer), 1);
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
        first.seat().prove();

        let next = connections.admit(from("192.0.2.9")).unwrap();

        assert!(!has_to_leave(&first).await && !has_to_leave(&next).await);
        assert!(has_to_leave(&others[0]).await && !has_to_leave(&others[1]).await);
        assert_eq!(connections.open(), 4);
        drop(others);
        assert_eq!(connections.open(), 2);
        assert_eq!(connections.lock().leaving, 0);
        drop((first, next));
        assert_eq!(connections.open(), 0);
        assert!(connections.lock().neighbours.is_empty());
        assert!(connections.lock().unproven.is_empty());
    }

    #[test]
    fn who_is_proven_is_never_sent_away() {
        let connections = Connections::new(LIMITS);
        let _open: Vec<_> = (1..5)
            .map(|it| connections.admit(from(&format!("192.0.2.{it}"))).unwrap())
            .inspect(|it| it.seat().prove())
            .collect();

        let refused = connections.admit(from("192.0.2.9")).err();

        assert_eq!(refused, Some(Full::Total));
        assert_eq!(count(connections.turned_away().refused(), Why::Total), 1);
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_peer() {
        let connections = Connections::new(LIMITS);
        let _open: Vec<_> = ["2001:db8::1", "2001:db8::2:3:4:5"]
            .map(|it| connections.admit(from(it)).unwrap())
            .into_iter()
            .inspect(|it| it.seat().prove())
            .collect();

        assert_eq!(
            connections.admit(from("2001:db8::9")).err(),
            Some(Full::Peer)
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
            .inspect(|it| it.seat().prove())
            .collect();

        assert_eq!(
            connections.admit(Peer::Unix { uid: 7 }).err(),
            Some(Full::Peer)
        );
        assert!(connections.admit(Peer::Unix { uid: 8 }).is_ok());
        assert!(connections.admit(from("192.0.2.1")).is_ok());
        drop(open);
    }

    #[test]
    fn only_so_many_are_on_their_way_out() {
        let connections = Connections::new(LIMITS);
        let mut tickets = Vec::new();
        for _ in 0..LEAVING_MAX + 2 {
            tickets.push(connections.admit(from("192.0.2.1")).unwrap());
        }

        assert_eq!(
            connections.admit(from("192.0.2.1")).err(),
            Some(Full::Leaving)
        );
        tickets.remove(0);
        assert!(connections.admit(from("192.0.2.1")).is_ok());
    }
}
