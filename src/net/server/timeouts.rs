//! How long a caller's connection may wait, by what it waits for.

use std::time::Duration;

use crate::net::body::timeouts::BodyTimeouts;

/// Longest time that a request's head may take.
pub const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that a TLS handshake may take.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle timeout of a keep-alive connection. Longer than clients' own, so that we seldom close first.
pub const KEEP_ALIVE_IDLE_TIMEOUT: Duration = Duration::from_mins(3);

/// How long a connection may wait, by what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionTimeouts {
    /// For the rest of a request's head.
    pub head: Duration,
    /// For the next request.
    pub idle: Duration,
    /// For the next request, of a caller that has never authenticated: the setting `listen.unproven_idle`.
    pub unauthenticated_idle: Duration,
    /// For the caller to read a response.
    pub response: BodyTimeouts,
}

/// Lingering close, in milliseconds: what a caller still sends is read and dropped, so that it reads the response before the
/// connection ends (RFC 9112 section 9.6).
pub const LINGER_MS_MAX: u64 = 2_000;

/// How often a caller that has ended its side is probed for while its request is handled, in milliseconds.
pub const HALF_CLOSED_PROBE_MS: u64 = 500;

/// How long one that cannot be probed for is served without being sent a byte, in milliseconds.
pub const HALF_CLOSED_MS_MAX: u64 = 10_000;

/// What a connection waits for, as far as its timeouts are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionWait {
    /// For the rest of a request's head, or of a body that is discarded.
    Head,
    /// For a request.
    Idle,
    /// For a request, of a caller that has never authenticated.
    UnauthenticatedIdle,
    /// For the caller to read.
    Write,
    /// For the end of a lingering close.
    Linger,
    /// For a response, of a caller that has ended its side and may be probed for.
    HalfClosedProbe,
    /// For a response, of a caller that has ended its side and cannot be probed for.
    HalfClosed,
    /// A request is being handled: its own timeouts apply.
    InHandler,
}

impl ConnectionTimeouts {
    /// How long that may take; none: no timeout of the connection's applies.
    pub(in crate::net) const fn timeout_for(&self, waiting: ConnectionWait) -> Option<Duration> {
        match waiting {
            ConnectionWait::Head => Some(self.head),
            ConnectionWait::Idle => Some(self.idle),
            ConnectionWait::UnauthenticatedIdle => Some(self.unauthenticated_idle),
            ConnectionWait::Write => Some(self.response.idle),
            ConnectionWait::Linger => Some(Duration::from_millis(LINGER_MS_MAX)),
            ConnectionWait::HalfClosedProbe => Some(Duration::from_millis(HALF_CLOSED_PROBE_MS)),
            ConnectionWait::HalfClosed => Some(Duration::from_millis(HALF_CLOSED_MS_MAX)),
            ConnectionWait::InHandler => None,
        }
    }
}
