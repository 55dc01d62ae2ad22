//! HTTP/2 towards callers (RFC 9113), by the library behind the [`frame_filter`]. Requests and responses are brought into
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
    body::incoming_body::IncomingBody,
    method::Method,
    request::{
        headers,
        parsed_request::{ParsedRequest, RequestHead},
    },
};

use self::{
    active_responses::{ActiveResponses, SlowReaderCheck},
    connection_activity::ConnectionActivity,
    connection_monitor::ConnectionMonitor,
    frame_filter::{FrameFilter, FrameFilterEnd},
    monitored_socket::MonitoredSocket,
    request_body::Http2RequestBody,
    response_body::{CountedResponseBody, CountedResponseFuture},
};

use super::{
    connection_control::ConnectionControl,
    handler::{ConnectionEnd, Handler, ServerOptions},
};

/// The limits of a connection (RFC 9113 section 10.5).
const STREAMS_MAX: u32 = 100;
const RESETS_PENDING_MAX: usize = 20;
const SEND_BUFFER_BYTES_MAX: usize = 256 * 1024;
const WINDOW_BYTES: u32 = 256 * 1024;
/// By how many bytes the library's limit for a head is above ours: it counts more for each field, and its refusal would have
/// neither an id nor an audit line.
const HEADER_LIST_SLACK_BYTES: usize = 8 * 1024;

/// Serves `socket` until it is done.
pub async fn serve<S, H>(
    socket: S,
    handler: H,
    control: Arc<ConnectionControl>,
    options: ServerOptions,
) -> ConnectionEnd
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let activity = Arc::new(ConnectionActivity::default());
    let filter_end = Arc::<OnceLock<FrameFilterEnd>>::default();
    let filter = FrameFilter::new(
        socket,
        options.head_bytes_max,
        Arc::clone(&filter_end),
        Arc::clone(&activity),
    );
    let io = TokioIo::new(MonitoredSocket::new(filter, Arc::clone(&activity)));
    let responses = ActiveResponses::<H>::new(options.timeouts.response);
    let service = HandlerService {
        handler,
        responses: Arc::clone(&responses),
        activity: Arc::clone(&activity),
    };
    let list_bytes_max = options.head_bytes_max + HEADER_LIST_SLACK_BYTES;
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
    let mut monitor =
        ConnectionMonitor::new(connection, finish, activity, control, options.timeouts);
    let mut slow_readers = SlowReaderCheck::new(Arc::clone(&responses));
    let ended = poll_fn(|cx| {
        let polled = Pin::new(&mut monitor).poll(cx);
        if polled.is_pending() {
            slow_readers.poll(cx);
        }
        polled
    });
    match (ended.await, filter_end.get()) {
        (None, _) => {
            responses.abort_all();
            ConnectionEnd::TimedOut
        }
        (Some(_), Some(FrameFilterEnd::HeadEvicted)) => ConnectionEnd::HeadEvicted,
        (Some(_), Some(FrameFilterEnd::Malformed)) => ConnectionEnd::NotHttp,
        (Some(Ok(())), None) => ConnectionEnd::Closed,
        (Some(Err(error)), None) if error.is_parse() => ConnectionEnd::NotHttp,
        (Some(Err(_)), None) => ConnectionEnd::Broken,
    }
}

/// The handler as the HTTP library wants it.
struct HandlerService<H: Handler> {
    handler: H,
    activity: Arc<ConnectionActivity>,
    responses: Arc<ActiveResponses<H>>,
}

impl<H: Handler> Service<Request<Incoming>> for HandlerService<H> {
    type Response = Response<CountedResponseBody<H>>;
    type Error = Infallible;
    type Future = CountedResponseFuture<H>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let is_head = request.method() == http::Method::HEAD;
        let response = self.handler.handle(parse_request(request));
        CountedResponseFuture::new(
            is_head,
            response,
            self.activity.begin_request(),
            &self.responses,
        )
    }
}

fn parse_request(request: Request<Incoming>) -> ParsedRequest {
    let (parts, body) = request.into_parts();
    if let Some(error) = request_head_validator::decode_refusal(&parts.headers) {
        return Err(error);
    }
    let target = parts.uri.path_and_query().cloned();
    let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let head = RequestHead {
        method: Method::parse(parts.method.as_str()),
        head_bytes: head_bytes(&parts.method, &target, &parts.headers),
        target,
        authority: parts.uri.authority().cloned(),
        headers: headers::parse_request_headers(parts.headers),
    };
    let body = if body.is_end_stream() {
        IncomingBody::Empty
    } else {
        IncomingBody::Http2(Box::new(Http2RequestBody::new(body)))
    };
    Ok((head, body))
}

/// The size of a head as HTTP/1.1 would write it: the request line, and for each field its name, ": ", value and line end.
fn head_bytes(method: &http::Method, target: &PathAndQuery, headers: &HeaderMap) -> usize {
    const AROUND_LINE: usize = "  HTTP/1.1\r\n\r\n".len();
    const AROUND_FIELD: usize = ": \r\n".len();
    let fields = headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + AROUND_FIELD);
    method.as_str().len() + target.as_str().len() + AROUND_LINE + fields.sum::<usize>()
}
