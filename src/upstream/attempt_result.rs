//! The result of one attempt.

use std::time::Duration;

use http::StatusCode;

use crate::net::{
    body::request_body_error::RequestBodyError, client::exchange_error::ExchangeError,
    response::ResponseHeaders,
};

use super::{tenant_upstream::ThrottleKind, upstream_body::UpstreamBody};

/// What came of an attempt.
pub(super) enum AttemptResult {
    /// A response to pass on.
    Response(UpstreamResponse),
    /// A gateway error (502, 503, 504): passed on if the request may not be retried.
    GatewayError(UpstreamResponse),
    /// 429 or an HTML page, and how long it said to wait.
    Throttled(ThrottleKind, Option<Duration>),
    /// 401: the token is no longer valid.
    TokenRejected,
    /// 401: the identity lacks a scope or role.
    InsufficientPrivileges,
    /// No head of a response came in time; the request may have arrived.
    TimedOut,
    /// The caller's body did not come as it should.
    RequestBody(RequestBodyError),
    /// Not a byte was sent.
    Unsent(ExchangeError),
    /// A connection that was used before broke before the response's first byte: the server may have closed it before the
    /// request arrived.
    StaleConnection,
    /// The connection broke, or what came back is not HTTP.
    ExchangeFailed(ExchangeError),
}

/// NinjaOne's response, ready to be passed on.
pub(super) struct UpstreamResponse {
    /// As NinjaOne sent it.
    pub(super) status: StatusCode,
    /// Reduced to what a caller may see.
    pub(super) headers: ResponseHeaders,
    /// Still to be read.
    pub(super) body: UpstreamBody,
}
