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
    /// 429, or a page of a limit, and how long it said to wait.
    Throttled(ThrottleKind, Option<Duration>),
    /// A page that is no throttle to this request.
    Page(ErrorPage),
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

/// A page of HTML where the API answers with JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ErrorPage {
    /// NinjaOne's.
    pub(super) status: StatusCode,
    /// How long it said to wait.
    pub(super) retry_after: Option<Duration>,
    /// It speaks of a limit: the tenant's budget learns from it, although this request is not told to come back.
    pub(super) shows_limit: bool,
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

impl From<UpstreamResponse> for AttemptResult {
    fn from(response: UpstreamResponse) -> Self {
        if is_gateway_error(response.status) {
            Self::GatewayError(response)
        } else {
            Self::Response(response)
        }
    }
}

/// Statuses by which a gateway says that a server behind it did not do its part.
pub(super) fn is_gateway_error(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502..=504)
}
