//! Why a request got no response that can be passed on, and what is left of the request.

use std::time::Duration;

use http::StatusCode;

use crate::{
    audit::{Intended, OpenEntry},
    credentials::{Leased, TokenUnavailable},
    limits::LimitKind,
    net::{body::request_body_error::RequestBodyError, client::exchange_error::ExchangeError},
};

use super::send_log::SendLog;

/// A request that was put on record and got no response that could be passed on.
pub struct ForwardFailed {
    /// The request's guards: its lease, and its share of the caller's concurrency.
    pub leased: Leased,
    /// Its line, still to be written.
    pub entry: OpenEntry,
    /// Why there is no response.
    pub error: ForwardError,
    /// What happened until then.
    pub send_log: SendLog,
}

impl ForwardFailed {
    pub(super) fn new(intended: Intended, why: ForwardError, send_log: SendLog) -> Box<Self> {
        let (leased, entry) = intended.into_parts();
        Box::new(Self {
            leased,
            entry,
            error: why,
            send_log,
        })
    }
}

/// Why there is no response to pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardError {
    /// The tenant's budget had no room in time. Nothing was sent.
    OverBudget {
        /// The limit that was hit last.
        by: LimitKind,
        /// When to try again.
        retry_after: Duration,
    },
    /// NinjaOne said 429, or showed a page of a limit.
    Throttled {
        /// How long the tenant sends nothing.
        retry_after: Duration,
    },
    /// NinjaOne, or a gateway or firewall before it, showed a page where it should have answered with JSON.
    Page {
        /// 2xx, 4xx or 5xx, never 401 or 429.
        status: StatusCode,
        /// How long it said to wait.
        retry_after: Option<Duration>,
    },
    /// No connection. Nothing was sent.
    Unreachable(ExchangeError),
    /// The connection broke, or what came back is not HTTP.
    BadResponse(ExchangeError),
    /// NinjaOne refused a token that it gave us.
    TokenRejected,
    /// NinjaOne says that the identity lacks a privilege. Nothing was done.
    InsufficientPrivileges,
    /// NinjaOne requires a user, and there is no token of one; or it refused the token of a login that has ended. Nothing was
    /// done.
    NoToken(TokenUnavailable),
    /// NinjaOne requires a user, and the body was too long for the replay buffer. Nothing was done, and
    /// the next try goes as the user at once.
    BodyNotReplayable,
    /// No head of a response came in time. The request may have arrived.
    TimedOut,
    /// The caller's body did not come as it should.
    Body(RequestBodyError),
}
