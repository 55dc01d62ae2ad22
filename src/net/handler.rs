//! What answers requests, and what those who serve connections have in common, whatever the protocol.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use http_body::Body;

use super::{incoming::Wire, patience::Patience, response::Response};

/// How connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerOptions {
    /// Longest head, in bytes.
    pub head_bytes_max: usize,
    pub patience: Patience,
    /// For a TLS handshake, and for the first bytes that tell HTTP/1 from HTTP/2.
    pub handshake: Duration,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Closed,
    /// Patience ran out.
    Silent,
    /// What came was not HTTP.
    NotHttp,
    /// A head was not finished, and its room was needed for others.
    Crowded,
    Broken,
}

/// What answers requests.
pub trait Handler: Clone + Unpin + Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Unpin
        + Send
        + 'static;

    fn handle(&self, wire: Wire) -> Answering<Self::Body>;

    /// Ends an answer whose caller reads it too slowly, or not at all.
    fn give_up(body: Self::Body) {
        drop(body);
    }
}

/// An answer that is being made. Boxed, so that an idle connection does not hold its room.
pub type Answering<B> = Pin<Box<dyn Future<Output = Response<B>> + Send>>;
