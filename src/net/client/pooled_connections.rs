//! The connections that a pool keeps for the next request. Whether one is still good: `http1/transport.rs`.
//!
//! HTTP/2 where the server offers it: one connection carries all requests. Otherwise a stack of HTTP/1.1 connections, the
//! one used last on top, so that the rest can grow old and be closed.

use std::{
    task::{Context, Waker},
    time::Duration,
};

use tokio::time::Instant;

use crate::lock::Lock;

use super::{
    connector::DialedConnection, http1::Http1ClientConnection, http2::Http2Sender,
    outgoing_request::ReusePolicy, send_progress::SendProgress,
};

/// Most idle HTTP/1.1 connections that a worker keeps to one endpoint; one more is closed.
pub const IDLE_CONNECTIONS_MAX: usize = 1024;

/// The protocol that the server chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerProtocol {
    /// No connection has been made yet.
    Unknown,
    /// HTTP/1.1: each request has a connection of its own.
    Http1,
    /// HTTP/2: one connection carries all requests.
    Http2,
}

/// An HTTP/1.1 connection that waits for a request.
struct IdleConnection {
    connection: Box<Http1ClientConnection>,
    /// Last sent a request. Its response is no sign of life: a long one makes the connection look older than it is, and
    /// costs a new one, but a reading of the clock for each response costs more.
    last_used: Instant,
}

/// The connection that carries all requests.
struct SharedHttp2 {
    sender: Http2Sender,
    /// Last given a request.
    last_used: Instant,
}

struct PooledState {
    protocol: ServerProtocol,
    idle: Vec<IdleConnection>,
    shared: Option<SharedHttp2>,
}

/// What a pool keeps. Used by one worker, so nobody waits for the lock.
pub struct PooledConnections {
    idle_max: Duration,
    state: Lock<PooledState>,
}

impl PooledConnections {
    /// Keeps connections that were used within `idle_max`.
    #[must_use]
    pub const fn new(idle_max: Duration) -> Self {
        let state = PooledState {
            protocol: ServerProtocol::Unknown,
            idle: Vec::new(),
            shared: None,
        };
        Self {
            idle_max,
            state: Lock::new(state),
        }
    }

    /// The protocol that the server chose when it was connected to last.
    #[must_use]
    pub fn protocol(&self) -> ServerProtocol {
        self.state.lock().protocol
    }

    /// Remembers the protocol that the server chose, and a connection that others can share.
    pub fn remember(&self, dialed: &DialedConnection) {
        let mut state = self.state.lock();
        match dialed {
            DialedConnection::Http1(_) => state.protocol = ServerProtocol::Http1,
            DialedConnection::Http2(sender) => {
                state.protocol = ServerProtocol::Http2;
                state.shared = Some(SharedHttp2 {
                    sender: sender.clone(),
                    last_used: Instant::now(),
                });
            }
        }
    }

    /// Takes back an HTTP/1.1 connection whose response has been read.
    pub fn return_connection(&self, connection: Box<Http1ClientConnection>, last_used: Instant) {
        let mut state = self.state.lock();
        if state.idle.len() < IDLE_CONNECTIONS_MAX {
            state.idle.push(IdleConnection {
                connection,
                last_used,
            });
        }
    }

    /// A connection that can take a request now.
    pub fn reuse(
        &self,
        reuse_policy: ReusePolicy,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<DialedConnection> {
        let mut state = self.state.lock();
        match state.protocol {
            ServerProtocol::Http2 => {
                let sender = self.reuse_http2(&mut state, reuse_policy, now);
                sender.map(DialedConnection::Http2)
            }
            ServerProtocol::Http1 | ServerProtocol::Unknown => {
                let connection = self.reuse_http1(&mut state, reuse_policy, now, cx);
                connection.map(DialedConnection::Http1)
            }
        }
    }

    /// The shared HTTP/2 connection, if it can take a request now.
    pub fn reuse_shared(&self, reuse_policy: ReusePolicy, now: Instant) -> Option<Http2Sender> {
        self.reuse_http2(&mut self.state.lock(), reuse_policy, now)
    }

    /// A connection that failed one request is not given to another, unless a newer one has replaced it.
    pub fn forget_http2(&self, id: u64) {
        let mut state = self.state.lock();
        state.shared.take_if(|it| it.sender.id() == id);
    }

    /// Closes HTTP/1.1 connections that were last sent a request before `sent_at`: one that was sent a request then is
    /// silent, and whatever made it so (a failover, a NAT that forgot) has most likely done the same to these.
    pub fn close_idle_since(&self, sent_at: Instant) {
        let mut state = self.state.lock();
        state.idle.retain(|it| it.last_used > sent_at);
    }

    /// Shares the HTTP/2 connection no more if nothing has come on it since it was handed the request. Where something has,
    /// the server is slow, not silent.
    pub fn forget_silent_http2(&self, progress: &SendProgress) {
        let mut state = self.state.lock();
        state
            .shared
            .take_if(|it| progress.is_silence_of(&it.sender));
    }

    /// Closes connections that have been idle for too long, and those that the server has closed.
    pub fn close_idle(&self) {
        let now = Instant::now();
        let cx = &mut Context::from_waker(Waker::noop());
        let mut state = self.state.lock();
        state
            .idle
            .retain_mut(|it| now - it.last_used < self.idle_max && it.connection.is_reusable(cx));
        // Streams under way keep the connection until they end.
        state
            .shared
            .take_if(|it| it.sender.is_closed() || now - it.last_used >= self.idle_max);
    }

    /// Whether no connection is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.idle.is_empty() && state.shared.is_none()
    }

    /// How long a kept connection may have been idle; none if none will do.
    fn idle_age_max(&self, reuse_policy: ReusePolicy) -> Option<Duration> {
        match reuse_policy {
            ReusePolicy::NewConnection => None,
            ReusePolicy::Any => Some(self.idle_max),
            ReusePolicy::IdleAtMost(age) => Some(age.min(self.idle_max)),
        }
    }

    fn reuse_http2(
        &self,
        state: &mut PooledState,
        reuse_policy: ReusePolicy,
        now: Instant,
    ) -> Option<Http2Sender> {
        // The shared connection serves `NewConnection` too: see there.
        let idle_age_max = self.idle_age_max(reuse_policy).unwrap_or(self.idle_max);
        let shared = state.shared.as_mut()?;
        let idle = now.saturating_duration_since(shared.last_used);
        if shared.sender.is_closed() || idle >= idle_age_max {
            state.shared = None;
            return None;
        }
        shared.last_used = now;
        Some(shared.sender.clone())
    }

    /// The connection that was used last, if it is young enough and still good: those below it are older.
    fn reuse_http1(
        &self,
        state: &mut PooledState,
        reuse_policy: ReusePolicy,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<Box<Http1ClientConnection>> {
        let idle_age_max = self.idle_age_max(reuse_policy)?;
        let is_young =
            |it: &mut IdleConnection| now.saturating_duration_since(it.last_used) < idle_age_max;
        while let Some(mut top) = state.idle.pop_if(is_young) {
            if top.connection.is_reusable(cx) {
                return Some(top.connection);
            }
        }
        None
    }
}
