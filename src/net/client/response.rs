//! A response as its head arrives, whatever the protocol.

use http::StatusCode;

use crate::net::response::ResponseHeaders;

use super::response_body::ClientResponseBody;

/// A response whose body is still to be read.
pub struct ClientResponse {
    /// One of HTTP's, not interim over HTTP/1.1.
    pub status: StatusCode,
    /// Those that may reach a caller, and no others.
    pub headers: ResponseHeaders,
    /// To be read to its end, or dropped.
    pub body: ClientResponseBody,
}
