//! The table of open connections: by age, by peer group, and by whether they have authenticated.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{connection_control::ConnectionControl, peer_group::PeerGroup};

/// Most evicted connections that have not closed yet. As many more file descriptors may be open.
pub(super) const EVICTED_OPEN_MAX: usize = 256;

/// Locked when a connection comes or goes, never for a request.
#[derive(Default)]
pub(super) struct ConnectionTable {
    next_id: u64,
    /// Those that hold a permit, by id: the lower, the older.
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

impl ConnectionTable {
    /// How many connections hold a permit.
    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// How many of them belong to `group`.
    pub(super) fn open_in_group(&self, group: PeerGroup) -> usize {
        self.peer_groups.get(&group).map_or(0, |it| it.open)
    }

    /// Whether another connection may be evicted before those that were evicted have closed.
    pub(super) fn can_evict(&self) -> bool {
        self.evicted_open < EVICTED_OPEN_MAX
    }

    /// Whether no new connections are accepted.
    pub(super) fn is_shutting_down(&self) -> bool {
        self.is_shutting_down
    }

    /// Asks all open connections to finish the request under way and close.
    pub(super) fn graceful_shutdown(&mut self) {
        self.is_shutting_down = true;
        for open in self.open.values() {
            open.control.graceful_shutdown();
        }
    }

    /// Adds a new connection; gives its id and the way to reach it.
    pub(super) fn insert(&mut self, peer_group: PeerGroup) -> (u64, Arc<ConnectionControl>) {
        let id = self.next_id;
        self.next_id += 1;
        let control = Arc::<ConnectionControl>::default();
        let open = OpenConnection {
            peer_group,
            control: Arc::clone(&control),
        };
        self.open.insert(id, open);
        self.unauthenticated.insert(id);
        let group = self.peer_groups.entry(peer_group).or_default();
        group.open += 1;
        group.unauthenticated.insert(id);
        (id, control)
    }

    /// Evicts the oldest unauthenticated connection of one peer group, or of all. False if there is none.
    pub(super) fn evict(&mut self, of: Option<PeerGroup>) -> bool {
        if !self.can_evict() {
            return false;
        }
        loop {
            let oldest = match &of {
                Some(group) => self.peer_groups.get(group).map(|it| &it.unauthenticated),
                None => Some(&self.unauthenticated),
            };
            let Some(id) = oldest.and_then(|it| it.first().copied()) else {
                return false;
            };
            if self.is_authenticated(id) {
                self.remove_unauthenticated(id);
                continue;
            }
            if let Some(open) = self.remove(id) {
                open.control.close_now();
                self.evicted_open += 1;
            }
            return true;
        }
    }

    /// A connection has closed. It may have been evicted before.
    pub(super) fn release(&mut self, id: u64) {
        if self.remove(id).is_none() {
            self.evicted_open = self.evicted_open.saturating_sub(1);
        }
    }

    fn is_authenticated(&self, id: u64) -> bool {
        let open = self.open.get(&id);
        open.is_some_and(|it| it.control.is_authenticated())
    }

    fn remove_unauthenticated(&mut self, id: u64) {
        self.unauthenticated.remove(&id);
        if let Some(open) = self.open.get(&id)
            && let Some(group) = self.peer_groups.get_mut(&open.peer_group)
        {
            group.unauthenticated.remove(&id);
        }
    }

    fn remove(&mut self, id: u64) -> Option<OpenConnection> {
        self.unauthenticated.remove(&id);
        let open = self.open.remove(&id)?;
        if let Some(group) = self.peer_groups.get_mut(&open.peer_group) {
            group.unauthenticated.remove(&id);
            group.open = group.open.saturating_sub(1);
            if group.open == 0 {
                self.peer_groups.remove(&open.peer_group);
            }
        }
        Some(open)
    }

    /// Whether nothing is left of the connections that were open.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.peer_groups.is_empty()
            && self.unauthenticated.is_empty()
            && self.evicted_open == 0
    }
}
