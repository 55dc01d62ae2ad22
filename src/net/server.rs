//! Serves one caller's connection: HTTP/1.1 or HTTP/2, watched, until it closes, falls silent or the program drains.

use std::{convert::Infallible, future::Future, io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::vigil::{InFlight, Patience, Vigil, Watch, Watched};

/// What HTTP/2 connections of callers may do (RFC 9113 section 10.5).
const STREAMS_MAX: u32 = 100;
const RESETS_PENDING_MAX: usize = 20;
const H2_SEND_BUFFER_BYTES_MAX: usize = 256 * 1024;
const H2_WINDOW_BYTES: u32 = 256 * 1024;

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
pub trait Handler: Clone + Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;

    fn handle(
        &self,
        request: Request<Incoming>,
        in_flight: InFlight,
        fragment: bool,
    ) -> Answering<Self::Body>;
}

/// An answer that is being made. Boxed, so that an idle connection does not hold its room.
pub type Answering<B> = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>>;

/// The handler as the HTTP library wants it.
struct Serving<H> {
    handler: H,
    vigil: Arc<Vigil>,
    protocol: Protocol,
}

impl<H: Handler> Service<Request<Incoming>> for Serving<H> {
    type Response = Response<H::Body>;
    type Error = Infallible;
    type Future = Answering<H::Body>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (in_flight, fragment) = self.vigil.begin();
        // A frame of HTTP/2 has no request line: a '#' in its bytes may be a length or a stream's number.
        let fragment = fragment && self.protocol == Protocol::Http1;
        self.handler.handle(request, in_flight, fragment)
    }
}

/// Serves `socket` until it is done.
pub async fn serve<S, H>(
    socket: S,
    protocol: Protocol,
    handler: H,
    vigil: Arc<Vigil>,
    options: ServerOptions,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let io = TokioIo::new(Watched::new(socket, Arc::clone(&vigil)));
    let service = Serving {
        handler,
        vigil: Arc::clone(&vigil),
        protocol,
    };
    let ended = match protocol {
        Protocol::Http1 => {
            let connection = http1::Builder::new()
                .max_header_size(options.head_bytes_max)
                .header_read_timeout(None)
                .serve_connection(io, service);
            let finish = |it: Pin<&mut http1::Connection<_, _>>| it.graceful_shutdown();
            Watch::new(connection, finish, vigil, options.patience, true).await
        }
        Protocol::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_MAX)
                .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
                .max_send_buf_size(H2_SEND_BUFFER_BYTES_MAX)
                .initial_stream_window_size(H2_WINDOW_BYTES)
                .initial_connection_window_size(H2_WINDOW_BYTES * 4)
                .max_header_list_size(u32::try_from(options.head_bytes_max).unwrap_or(u32::MAX))
                .serve_connection(io, service);
            let finish = |it: Pin<&mut http2::Connection<_, _, _>>| it.graceful_shutdown();
            Watch::new(connection, finish, vigil, options.patience, false).await
        }
    };
    match ended {
        None => Ended::Silent,
        Some(Ok(())) => Ended::Closed,
        Some(Err(error)) if error.is_parse() => Ended::NotHttp,
        Some(Err(_)) => Ended::Broken,
    }
}

/// The first bytes of an HTTP/2 connection with prior knowledge (RFC 9113 section 3.4); no HTTP/1 request begins so.
const PREFACE_START: &[u8] = b"PRI ";
/// How long to wait before looking again when fewer bytes than that have come.
const PEEK_AGAIN_MS: u64 = 100;

/// Tells HTTP/2 from HTTP/1 by the first bytes, without taking them off the socket.
///
/// # Errors
/// When the socket breaks or closes first.
pub async fn sniff<S: Peek>(socket: &S) -> io::Result<Protocol> {
    loop {
        let mut first = [0_u8; PREFACE_START.len()];
        let length = socket.peek(&mut first).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first.get(..length) != PREFACE_START.get(..length) {
            return Ok(Protocol::Http1);
        }
        if length == PREFACE_START.len() {
            return Ok(Protocol::Http2);
        }
        tokio::time::sleep(Duration::from_millis(PEEK_AGAIN_MS)).await;
    }
}

/// A socket whose first bytes can be looked at.
pub trait Peek {
    fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;
}

impl Peek for tokio::net::TcpStream {
    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Self::peek(self, buf).await
    }
}

impl Peek for tokio::net::UnixStream {
    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.async_io(tokio::io::Interest::READABLE, || {
            let (length, _) = rustix::net::recv(self, &mut *buf, rustix::net::RecvFlags::PEEK)?;
            Ok(length)
        })
        .await
    }
}
