//! HTTP/2 towards callers (RFC 9113), by the library: its requests and answers are brought into the form that they share
//! with HTTP/1.1.

pub mod vigil;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, uri::PathAndQuery};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, server::conn::http2, service::Service};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Method,
    body::WireBody,
    drain::Drain,
    handler::{Answering, Ended, Handler, ServerOptions},
    headers,
    incoming::Received,
};

use self::vigil::{InFlight, Vigil, Watch, Watched};

/// What connections may do (RFC 9113 section 10.5).
const STREAMS_MAX: u32 = 100;
const RESETS_PENDING_MAX: usize = 20;
const SEND_BUFFER_BYTES_MAX: usize = 256 * 1024;
const WINDOW_BYTES: u32 = 256 * 1024;

/// Serves `socket` until it is done.
pub async fn serve<S, H>(socket: S, handler: H, drain: Arc<Drain>, options: ServerOptions) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let vigil = Arc::new(Vigil::default());
    let io = TokioIo::new(Watched::new(socket, Arc::clone(&vigil)));
    let service = Serving {
        handler,
        vigil: Arc::clone(&vigil),
    };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES * 4)
        .max_header_list_size(u32::try_from(options.head_bytes_max).unwrap_or(u32::MAX))
        .serve_connection(io, service);
    let finish = |it: Pin<&mut http2::Connection<_, _, _>>| it.graceful_shutdown();
    match Watch::new(connection, finish, vigil, drain, options.patience).await {
        None => Ended::Silent,
        Some(Ok(())) => Ended::Closed,
        Some(Err(error)) if error.is_parse() => Ended::NotHttp,
        Some(Err(_)) => Ended::Broken,
    }
}

/// The handler as the HTTP library wants it.
struct Serving<H> {
    handler: H,
    vigil: Arc<Vigil>,
}

impl<H: Handler> Service<Request<Incoming>> for Serving<H> {
    type Response = Response<Counted<H::Body>>;
    type Error = Infallible;
    type Future = Counting<H::Body>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Counting {
            answering: self.handler.handle(Ok(read(request))),
            in_flight: Some(self.vigil.begin()),
        }
    }
}

fn read(request: Request<Incoming>) -> (Received, WireBody) {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().cloned();
    let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let received = Received {
        method: Method::parse(parts.method.as_str()),
        head_bytes: head_bytes(&parts.method, &target, &parts.headers),
        target,
        authority: parts.uri.authority().cloned(),
        headers: headers::sort_request(parts.headers),
    };
    let body = if body.is_end_stream() {
        WireBody::Empty
    } else {
        WireBody::Http2(body)
    };
    (received, body)
}

/// As HTTP/1.1 would write it: the request line, and for each field its name, ": ", its value and the line end.
fn head_bytes(method: &http::Method, target: &PathAndQuery, headers: &HeaderMap) -> usize {
    const AROUND_LINE: usize = "  HTTP/1.1\r\n\r\n".len();
    const AROUND_FIELD: usize = ": \r\n".len();
    let fields = headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + AROUND_FIELD);
    method.as_str().len() + target.as_str().len() + AROUND_LINE + fields.sum::<usize>()
}

/// An answer that is being made, and counted as such.
struct Counting<B> {
    answering: Answering<B>,
    in_flight: Option<InFlight>,
}

impl<B> Future for Counting<B> {
    type Output = Result<Response<Counted<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = Response::from(ready!(this.answering.as_mut().poll(cx)));
        let mut in_flight = this.in_flight.take();
        if let Some(in_flight) = &mut in_flight {
            in_flight.answer();
        }
        Poll::Ready(Ok(response.map(|body| Counted { body, in_flight })))
    }
}

/// The body of an answer: the connection counts its request as served when it is gone.
struct Counted<B> {
    body: B,
    in_flight: Option<InFlight>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if let Some(in_flight) = &this.in_flight {
            in_flight.progress();
        }
        Pin::new(&mut this.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
