//! The open connections of a listener beside the journey: how many there may be, and which is closed for one more.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::connection_control::ConnectionControl;

/// While as many connections are accepted as may be open, those that are open run at least this often.
const YIELDS_PER_CAPACITY: usize = 8;

/// The connections that are open, the oldest first.
pub(super) struct OneShotConnections {
    connections_max: usize,
    connections: VecDeque<Weak<OneShotConnection>>,
    /// How many of them are still open.
    open_count: Arc<AtomicUsize>,
    /// Accepted since those that are open ran last.
    accepted_since_yield: usize,
}

/// An open connection as the listener sees it.
#[derive(Default)]
pub(super) struct OneShotConnection {
    pub(super) control: ConnectionControl,
    /// Its request has been read, and has no response yet: it is not closed in favour of one that has sent nothing.
    pub(super) is_handled: AtomicBool,
}

/// Counts a connection as open until it is dropped.
pub(super) struct OpenGuard {
    pub(super) connection: Arc<OneShotConnection>,
    open_count: Arc<AtomicUsize>,
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.open_count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl OneShotConnections {
    pub(super) fn new(connections_max: usize) -> Self {
        Self {
            connections_max,
            connections: VecDeque::new(),
            open_count: Arc::default(),
            accepted_since_yield: 0,
        }
    }

    /// Counts a new connection. If there are too many, the oldest is closed; none if all have their requests handled.
    pub(super) fn open(&mut self) -> Option<OpenGuard> {
        self.accepted_since_yield += 1;
        if self.open_count.load(Ordering::Relaxed) >= self.connections_max && !self.close_oldest() {
            return None;
        }
        if self.connections.len() >= 2 * self.connections_max {
            self.connections.retain(|it| it.strong_count() > 0);
        }
        let connection = Arc::<OneShotConnection>::default();
        self.connections.push_back(Arc::downgrade(&connection));
        self.open_count.fetch_add(1, Ordering::Relaxed);
        Some(OpenGuard {
            connection,
            open_count: Arc::clone(&self.open_count),
        })
    }

    /// Closes the oldest whose request is not being handled. Whether there was one.
    pub(super) fn close_oldest(&mut self) -> bool {
        let closed = self.connections.iter().position(|it| {
            let open = it.upgrade();
            let closable = open.filter(|it| !it.is_handled.load(Ordering::Relaxed));
            closable.is_some_and(|it| {
                it.control.close_now();
                true
            })
        });
        closed.and_then(|it| self.connections.remove(it)).is_some()
    }

    /// Whether the open ones are to run now: in a flood, too, each runs before it can be the oldest.
    pub(super) fn should_yield(&mut self) -> bool {
        let is_due = self.accepted_since_yield * YIELDS_PER_CAPACITY >= self.connections_max;
        if is_due {
            self.accepted_since_yield = 0;
        }
        is_due
    }
}
