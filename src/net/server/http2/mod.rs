//! HTTP/2 towards callers (RFC 9113), by the library behind the frame filter `gate`. Requests and responses are brought into
//! the form that they share with HTTP/1.1.

pub mod active_responses;
pub mod connection_activity;
mod connection_monitor;
pub mod frame_filter;
pub mod hpack;
pub mod huffman;
mod monitored_socket;
pub mod request_body;
pub mod request_head_validator;
mod response_body;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, OnceLock},
};

use http::{HeaderMap, Request, Response, uri::PathAndQuery};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http2, service::Service};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::{
    body::incoming_body::WireBody,
    method::Method,
    request::{
        headers,
        incoming_request::{Received, Wire},
    },
};

use self::{
    active_responses::{Look, Readers},
    connection_activity::Vigil,
    connection_monitor::Watch,
    frame_filter::{FrameFilterEnd, Gate},
    monitored_socket::Watched,
    request_body::Http2Body,
    response_body::{Counted, Counting},
};

use super::{
    connection_control::Seat,
    handler::{Ended, Handler, ServerOptions},
};

/// The limits of a connection (RFC 9113 section 10.5).
const STREAMS_MAX: u32 = 100;
const RESETS_PENDING_MAX: usize = 20;
const SEND_BUFFER_BYTES_MAX: usize = 256 * 1024;
const WINDOW_BYTES: u32 = 256 * 1024;
/// By how many bytes the library's limit for a head is above ours: it counts more for each field, and its refusal would have
/// neither an id nor an audit line.
const LIST_BYTES_MORE: usize = 8 * 1024;

/// Serves `socket` until it is done.
pub async fn serve<S, H>(socket: S, handler: H, seat: Arc<Seat>, options: ServerOptions) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let vigil = Arc::new(Vigil::default());
    let filter_end = Arc::<OnceLock<FrameFilterEnd>>::default();
    let gate = Gate::new(
        socket,
        options.head_bytes_max,
        Arc::clone(&filter_end),
        Arc::clone(&vigil),
    );
    let io = TokioIo::new(Watched::new(gate, Arc::clone(&vigil)));
    let readers = Readers::<H>::new(options.patience.answer);
    let service = Serving {
        handler,
        readers: Arc::clone(&readers),
        vigil: Arc::clone(&vigil),
    };
    let list_bytes_max = options.head_bytes_max + LIST_BYTES_MORE;
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES * 4)
        .max_header_list_size(u32::try_from(list_bytes_max).unwrap_or(u32::MAX))
        .serve_connection(io, service);
    let finish = |it: Pin<&mut http2::Connection<_, _, _>>| it.graceful_shutdown();
    let mut watch = Watch::new(connection, finish, vigil, seat, options.patience);
    let mut look = Look::new(Arc::clone(&readers));
    let ended = poll_fn(|cx| {
        let polled = Pin::new(&mut watch).poll(cx);
        if polled.is_pending() {
            look.poll(cx);
        }
        polled
    });
    match (ended.await, filter_end.get()) {
        (None, _) => {
            readers.give_up_all();
            Ended::Silent
        }
        (Some(_), Some(FrameFilterEnd::HeadEvicted)) => Ended::Crowded,
        (Some(_), Some(FrameFilterEnd::Malformed)) => Ended::NotHttp,
        (Some(Ok(())), None) => Ended::Closed,
        (Some(Err(error)), None) if error.is_parse() => Ended::NotHttp,
        (Some(Err(_)), None) => Ended::Broken,
    }
}

/// The handler as the HTTP library wants it.
struct Serving<H: Handler> {
    handler: H,
    vigil: Arc<Vigil>,
    readers: Arc<Readers<H>>,
}

impl<H: Handler> Service<Request<Incoming>> for Serving<H> {
    type Response = Response<Counted<H>>;
    type Error = Infallible;
    type Future = Counting<H>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let is_head = request.method() == http::Method::HEAD;
        let answering = self.handler.handle(read(request));
        Counting::new(is_head, answering, self.vigil.begin(), &self.readers)
    }
}

fn read(request: Request<Incoming>) -> Wire {
    let (parts, body) = request.into_parts();
    if let Some(unreadable) = request_head_validator::refused(&parts.headers) {
        return Err(unreadable);
    }
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
        WireBody::Http2(Box::new(Http2Body::new(body)))
    };
    Ok((received, body))
}

/// The size of a head as HTTP/1.1 would write it: the request line, and for each field its name, ": ", value and line end.
fn head_bytes(method: &http::Method, target: &PathAndQuery, headers: &HeaderMap) -> usize {
    const AROUND_LINE: usize = "  HTTP/1.1\r\n\r\n".len();
    const AROUND_FIELD: usize = ": \r\n".len();
    let fields = headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + AROUND_FIELD);
    method.as_str().len() + target.as_str().len() + AROUND_LINE + fields.sum::<usize>()
}
