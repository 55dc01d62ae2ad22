//! What a server needs to know from outside, whatever the protocol: the handler of requests, and the options.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use http_body::Body;

use crate::net::{request::incoming_request::Wire, response::Response};

use super::timeouts::Patience;

/// How connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerOptions {
    /// Longest head, in bytes.
    pub head_bytes_max: usize,
    /// Of a connection, and of the responses on it.
    pub patience: Patience,
    /// For a TLS handshake, and for the first bytes that tell HTTP/1 from HTTP/2.
    pub handshake: Duration,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// In good order.
    Closed,
    /// A timeout passed.
    Silent,
    /// What came was not HTTP.
    NotHttp,
    /// A head was incomplete, and its memory was needed for others.
    Crowded,
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
    fn handle(&self, wire: Wire) -> Answering<Self::Body>;

    /// Ends a response that its caller reads too slowly, or not at all.
    fn give_up(body: Self::Body) {
        drop(body);
    }
}

/// A response that is being made. Boxed, so that an idle connection does not hold its room.
pub type Answering<B> = Pin<Box<dyn Future<Output = Response<B>> + Send>>;
