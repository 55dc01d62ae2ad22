//! HTTP/2 towards callers (RFC 9113), by the library, which reads what `gate` lets pass: requests and answers are brought
//! into the form that they share with HTTP/1.1.

pub mod body;
pub mod gate;
pub mod hpack;
pub mod huffman;
pub mod readers;
pub mod request_head;
#[cfg(test)]
mod tests;
pub mod vigil;

use std::{
    convert::Infallible,
    error::Error,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, uri::PathAndQuery};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, server::conn::http2, service::Service};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    handler::{Answering, Ended, Handler, ServerOptions},
    headers,
    incoming::{Received, Wire},
    incoming_body::WireBody,
    method::Method,
    seat::Seat,
};

use self::{
    body::Http2Body,
    gate::{FrameFilterEnd, Gate},
    readers::{Held, Look, Place, Readers},
    vigil::{InFlight, Vigil, Watch, Watched},
};

/// What connections may do (RFC 9113 section 10.5).
const STREAMS_MAX: u32 = 100;
const RESETS_PENDING_MAX: usize = 20;
const SEND_BUFFER_BYTES_MAX: usize = 256 * 1024;
const WINDOW_BYTES: u32 = 256 * 1024;
/// By how much the library's bound for a head is above ours: it counts more for each field, and its refusal would have
/// neither an id nor a line in the log.
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
        Counting {
            is_head: request.method() == http::Method::HEAD,
            answering: self.handler.handle(read(request)),
            in_flight: Some(self.vigil.begin()),
            readers: Arc::clone(&self.readers),
        }
    }
}

fn read(request: Request<Incoming>) -> Wire {
    let (parts, body) = request.into_parts();
    if let Some(unreadable) = request_head::refused(&parts.headers) {
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

/// As HTTP/1.1 would write it: the request line, and for each field its name, ": ", its value and the line end.
fn head_bytes(method: &http::Method, target: &PathAndQuery, headers: &HeaderMap) -> usize {
    const AROUND_LINE: usize = "  HTTP/1.1\r\n\r\n".len();
    const AROUND_FIELD: usize = ": \r\n".len();
    let fields = headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + AROUND_FIELD);
    method.as_str().len() + target.as_str().len() + AROUND_LINE + fields.sum::<usize>()
}

/// An answer that is being made, and counted as such.
struct Counting<H: Handler> {
    /// Its answer has no body, whatever GET would get (RFC 9110 section 9.3.2).
    is_head: bool,
    answering: Answering<H::Body>,
    in_flight: Option<InFlight>,
    readers: Arc<Readers<H>>,
}

impl<H: Handler> Future for Counting<H> {
    type Output = Result<Response<Counted<H>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = Response::from(ready!(this.answering.as_mut().poll(cx)));
        let mut in_flight = this.in_flight.take();
        if let Some(in_flight) = &mut in_flight {
            in_flight.answer();
        }
        let (readers, is_head) = (&this.readers, this.is_head);
        Poll::Ready(Ok(response.map(|body| {
            let mut counted = Counted::new(body, in_flight, readers);
            counted.is_end |= is_head;
            counted
        })))
    }
}

/// The body of an answer: the connection counts its request as served when it is gone.
struct Counted<H: Handler> {
    place: Arc<Place<H>>,
    readers: Arc<Readers<H>>,
    /// Both as they were when it was asked last: they are asked for without being changed.
    is_end: bool,
    size: SizeHint,
    /// Why the body broke off, while what came before it is being written.
    error: Option<Box<dyn Error + Send + Sync>>,
}

impl<H: Handler> Counted<H> {
    fn new(body: H::Body, in_flight: Option<InFlight>, readers: &Arc<Readers<H>>) -> Self {
        Self {
            is_end: body.is_end_stream(),
            size: body.size_hint(),
            place: readers.begin(Held::new(body, in_flight)),
            readers: Arc::clone(readers),
            error: None,
        }
    }
}

impl<H: Handler> Drop for Counted<H> {
    fn drop(&mut self) {
        self.readers.end(&self.place);
    }
}

/// The answer's caller did not read it.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the caller reads too slowly")]
struct GivenUp;

impl<H: Handler> Body for Counted<H> {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let mut place = this.place.lock();
        let Some(held) = &mut *place else {
            return Poll::Ready(Some(Err(GivenUp.into())));
        };
        held.asked();
        if let Some(in_flight) = &held.in_flight {
            in_flight.progress();
        }
        let polled = ready!(Pin::new(&mut held.body).poll_frame(cx));
        this.is_end = held.body.is_end_stream();
        this.size = held.body.size_hint();
        match polled {
            None => Poll::Ready(None),
            Some(Ok(frame)) => {
                held.given(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            // The library drops what it has not written yet when a body fails, be it the head. It writes when a body makes it
            // wait, so the error waits for one poll: then the caller sees what came before it.
            Some(Err(error)) => {
                this.error = Some(error.into());
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_end
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
