//! What a server needs to know from outside, whatever the protocol: the handler of requests, and the options.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use http_body::Body;

use crate::net::{request::parsed_request::ParsedRequest, response::Response};

use super::timeouts::ConnectionTimeouts;

/// How connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerOptions {
    /// Longest head, in bytes.
    pub head_bytes_max: usize,
    /// Of a connection, and of the responses on it.
    pub timeouts: ConnectionTimeouts,
    /// For a TLS handshake, and for the first bytes that tell HTTP/1 from HTTP/2.
    pub handshake_timeout: Duration,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// In good order.
    Closed,
    /// A timeout passed.
    TimedOut,
    /// What came was not HTTP.
    NotHttp,
    /// A head was incomplete, and its memory was needed for others.
    HeadEvicted,
    /// The socket failed, or either side ended it within a message.
    Broken,
}

/// Makes responses.
pub trait Handler: Clone + Unpin + Send + Sync + 'static {
    /// Of responses.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Unpin
        + Send
        + 'static;

    /// Responds to a request, or to bytes that could not be parsed as one. Dropped, the future ends the request.
    fn handle(&self, request: ParsedRequest) -> ResponseFuture<Self::Body>;

    /// Ends a response that its caller reads too slowly, or not at all.
    fn abort_response(body: Self::Body) {
        drop(body);
    }
}

/// A response that is being made. Boxed, so that an idle connection does not hold its room.
pub type ResponseFuture<B> = Pin<Box<dyn Future<Output = Response<B>> + Send>>;
