//! Serves one caller's connection, whatever its protocol, until it closes, falls silent or the program drains.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{drain::Drain, http1, http2, incoming::Wire, patience::Patience, response::Response};

/// How connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerOptions {
    /// Longest head, in bytes.
    pub head_bytes_max: usize,
    pub patience: Patience,
    /// For a TLS handshake, and for the first bytes that tell HTTP/1 from HTTP/2.
    pub handshake: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Closed,
    /// Patience ran out.
    Silent,
    /// What came was not HTTP.
    NotHttp,
    Broken,
}

/// What answers requests.
pub trait Handler: Clone + Unpin + Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Unpin
        + Send
        + 'static;

    fn handle(&self, wire: Wire) -> Answering<Self::Body>;
}

/// An answer that is being made. Boxed, so that an idle connection does not hold its room.
pub type Answering<B> = Pin<Box<dyn Future<Output = Response<B>> + Send>>;

/// Serves `socket` until it is done.
pub async fn serve<S, H>(
    socket: S,
    protocol: Protocol,
    handler: H,
    drain: Arc<Drain>,
    options: ServerOptions,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    match protocol {
        Protocol::Http1 => http1::server::Connection::new(socket, handler, drain, options).await,
        // Boxed: an HTTP/1.1 connection that idles need not hold its room.
        Protocol::Http2 => Box::pin(http2::serve(socket, handler, drain, options)).await,
    }
}
