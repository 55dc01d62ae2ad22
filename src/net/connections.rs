//! The callers' connections: how many there may be, and a way to reach each one when the program drains.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;
use tokio::sync::watch;

use super::{Peer, drain::Drain};

/// How many connections may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    pub total_max: usize,
    /// For one IP address. Unix sockets count towards the total only.
    pub per_peer_max: usize,
}

/// Why a connection was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Full {
    Total,
    Peer,
    Draining,
}

/// The open connections of all listeners.
pub struct Connections {
    limits: ConnectionLimits,
    open: AtomicUsize,
    /// Addresses with open connections only: an entry goes with its last connection.
    per_peer: DashMap<IpAddr, usize>,
    next: AtomicU64,
    drains: Mutex<HashMap<u64, Arc<Drain>>>,
    draining: watch::Sender<bool>,
}

impl Connections {
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            open: AtomicUsize::new(0),
            per_peer: DashMap::new(),
            next: AtomicU64::new(0),
            drains: Mutex::default(),
            draining: watch::Sender::new(false),
        })
    }

    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Takes a place for a connection from `peer`.
    ///
    /// # Errors
    /// When there is no place left, or none for this peer.
    pub fn admit(self: &Arc<Self>, peer: Peer) -> Result<Ticket, Full> {
        if *self.draining.borrow() {
            return Err(Full::Draining);
        }
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.limits.total_max {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err(Full::Total);
        }
        let address = match peer {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix { .. } => None,
        };
        if let Some(address) = address {
            let mut count = self.per_peer.entry(address).or_insert(0);
            if *count >= self.limits.per_peer_max {
                drop(count);
                self.open.fetch_sub(1, Ordering::Relaxed);
                return Err(Full::Peer);
            }
            *count += 1;
        }
        Ok(Ticket {
            connections: Arc::clone(self),
            address,
            number: self.next.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// No new connections; the open ones finish the request that they are serving and close.
    pub fn drain(&self) {
        self.draining.send_replace(true);
        for drain in self.lock().values() {
            drain.ask();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Drain>>> {
        self.drains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, given back on drop.
pub struct Ticket {
    connections: Arc<Connections>,
    address: Option<IpAddr>,
    number: u64,
}

impl Ticket {
    /// Makes the connection reachable for [`Connections::drain`].
    pub fn enlist(&self, drain: &Arc<Drain>) {
        self.connections
            .lock()
            .insert(self.number, Arc::clone(drain));
        if *self.connections.draining.borrow() {
            drain.ask();
        }
    }

    /// Resolves once the program drains: for a connection that has said nothing yet, which cannot be asked.
    pub async fn draining(&self) {
        // It fails only when the sender is gone, and that is held here.
        let _ = self
            .connections
            .draining
            .subscribe()
            .wait_for(|it| *it)
            .await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.number);
        if let Some(address) = self.address {
            self.connections
                .per_peer
                .remove_if_mut(&address, |_, count| {
                    *count -= 1;
                    *count == 0
                });
        }
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
    }
}
