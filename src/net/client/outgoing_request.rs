//! A request that is ready to leave for a server, and on which connections it may go.

use std::time::Duration;

use http::{HeaderName, HeaderValue, uri::PathAndQuery};

use crate::net::{body::request_body::RequestBody, method::Method};

/// A request that is ready to leave.
pub struct OutgoingRequest<'a> {
    /// Decides whether the response may have a body.
    pub method: Method,
    /// Path and query, as they go on the wire.
    pub target: PathAndQuery,
    /// Without `host` and what frames the body: those are written here.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// Our own, such as the token; over HTTP/2 they replace those of the same name.
    pub extra_headers: &'a [(HeaderName, &'a HeaderValue)],
    /// Framed by the protocol.
    pub body: RequestBody,
}

/// How old a connection may be that a request is sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReusePolicy {
    /// Any that is open.
    Any,
    /// Idle no longer than this: for requests that must not be lost to a connection that the server is just closing.
    IdleAtMost(Duration),
    /// None that has served before. Over HTTP/2 the shared one will do: one that died is shared no more, and a connection
    /// for each request that it carried would be many.
    NewConnection,
}
