//! A small HTTP/1.1 server for listeners beside the journey: one short request on each connection, a deadline for all of it,
//! and the oldest connection is closed when there are too many. No streaming, no audit lines.
//!
//! The handler decides by a request's head; only an accepted one may bring a body, which is buffered, and take its time.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    body::Incoming,
    server::conn::http1::{self, Parts},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{net::peer::Peer, tasks::Tasks};

use super::{accept_batch::AcceptBatch, connection_control::ConnectionControl};

/// After an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE_MS: u64 = 100;
/// While as many connections are accepted as may be open, those that are open run at least this often.
const YIELDS_PER_CAPACITY: usize = 8;
/// Lingering close, in milliseconds: if a caller's late bytes found nobody, the kernel would reset the connection before the
/// response is read (RFC 9112 section 9.6).
const LINGER_MS_MAX: u64 = 500;
/// Most that is read and dropped meanwhile, in bytes.
const LINGER_BYTES_MAX: usize = 1 << 20;
/// At once.
const LINGER_READ_BYTES: usize = 16 * 1024;

/// The limits of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneShotLimits {
    /// One more, and the oldest is closed: nobody holds the listener up by being slow.
    pub connections_max: usize,
    /// For a request's head to arrive, and for the response unless the request is accepted, in milliseconds.
    pub head_timeout_ms: u64,
    /// For all of a connection whose request was accepted, in milliseconds.
    pub connection_timeout_ms: u64,
    /// Longest head, in bytes.
    pub head_bytes_max: usize,
    /// Longest body, in bytes.
    pub body_bytes_max: usize,
}

/// What the handler decides by a request's head.
pub enum HeadDecision {
    /// This is the response; a body is not read.
    Respond(Response<Bytes>),
    /// The body is to be read.
    ReadBody,
}

/// Makes responses.
pub trait OneShotHandler: Send + Sync + 'static {
    /// Decides by the head whether the body is read.
    fn check_head(&self, head: &Request<()>) -> HeadDecision;

    /// Responds to a request whose body has been read.
    fn handle(&self, request: Request<Bytes>) -> impl Future<Output = Response<Bytes>> + Send;
}

/// Accepts connections until `tasks` are asked to stop. Those under way are finished; `tasks` can be waited for.
pub async fn serve<H: OneShotHandler>(
    listener: TcpListener,
    limits: OneShotLimits,
    handler: Arc<H>,
    tasks: Tasks,
) {
    let (listener, queue) = match duplicate_listener(listener) {
        Ok(both) => both,
        Err(error) => {
            tracing::error!(%error, "a listener cannot be served");
            return;
        }
    };
    let mut connections = OneShotConnections::new(limits.connections_max);
    loop {
        let first = tokio::select! {
            biased;
            () = tasks.shutdown_requested() => return,
            first = listener.accept() => first.and_then(|(stream, _)| stream.into_std()),
        };
        let batch = AcceptBatch::collect(first, &queue, limits.connections_max);
        for stream in batch.ready.into_iter().chain(batch.waiting) {
            let Ok(stream) = TcpStream::from_std(stream) else {
                continue;
            };
            let (guard, handler) = (connections.open(), Arc::clone(&handler));
            tasks.spawn(async move {
                let connection = serve_tcp(stream, limits, handler);
                guard.control.run(connection).await;
            });
            if connections.should_yield() {
                tokio::task::yield_now().await;
            }
        }
        if batch.has_failed {
            // One connection less may be one descriptor more.
            connections.close_oldest();
            sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
        }
    }
}

/// The same for a Unix socket. Whoever connects is somebody of this machine: no flood is sorted through.
pub async fn serve_unix<H: OneShotHandler>(
    listener: UnixListener,
    limits: OneShotLimits,
    handler: Arc<H>,
    tasks: Tasks,
) {
    let mut connections = OneShotConnections::new(limits.connections_max);
    loop {
        let accepted = tokio::select! {
            biased;
            () = tasks.shutdown_requested() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            connections.close_oldest();
            sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            continue;
        };
        // The kernel knows who connected; a peer that it does not name is not served.
        let Ok(uid) = stream.peer_cred().map(|it| it.uid()) else {
            continue;
        };
        let (guard, handler) = (connections.open(), Arc::clone(&handler));
        tasks.spawn(async move {
            let started = Instant::now();
            let peer = Some(Peer::Unix { uid });
            let connection = serve_connection(stream, peer, started, limits, handler);
            guard.control.run(connection).await;
        });
        if connections.should_yield() {
            tokio::task::yield_now().await;
        }
    }
}

/// The listener once more, for non-blocking accepts of what is queued.
fn duplicate_listener(listener: TcpListener) -> io::Result<(TcpListener, std::net::TcpListener)> {
    let listener = listener.into_std()?;
    let queue = listener.try_clone()?;
    Ok((TcpListener::from_std(listener)?, queue))
}

/// The connections that are open, the oldest first.
struct OneShotConnections {
    connections_max: usize,
    controls: VecDeque<Weak<ConnectionControl>>,
    /// How many of them are still open.
    open_count: Arc<AtomicUsize>,
    /// Accepted since those that are open ran last.
    accepted_since_yield: usize,
}

/// Counts a connection as open until it is dropped.
struct OpenGuard {
    control: Arc<ConnectionControl>,
    open_count: Arc<AtomicUsize>,
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.open_count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl OneShotConnections {
    fn new(connections_max: usize) -> Self {
        Self {
            connections_max,
            controls: VecDeque::new(),
            open_count: Arc::default(),
            accepted_since_yield: 0,
        }
    }

    /// Counts a new connection; closes the oldest if there are too many.
    fn open(&mut self) -> OpenGuard {
        if self.open_count.load(Ordering::Relaxed) >= self.connections_max {
            self.close_oldest();
        }
        if self.controls.len() >= 2 * self.connections_max {
            self.controls.retain(|it| it.strong_count() > 0);
        }
        let control = Arc::<ConnectionControl>::default();
        self.controls.push_back(Arc::downgrade(&control));
        self.open_count.fetch_add(1, Ordering::Relaxed);
        self.accepted_since_yield += 1;
        OpenGuard {
            control,
            open_count: Arc::clone(&self.open_count),
        }
    }

    fn close_oldest(&mut self) {
        while let Some(oldest) = self.controls.pop_front() {
            if let Some(control) = oldest.upgrade() {
                return control.close_now();
            }
        }
    }

    /// Whether the open ones are to run now: in a flood, too, each runs before it can be the oldest.
    fn should_yield(&mut self) -> bool {
        let is_due = self.accepted_since_yield * YIELDS_PER_CAPACITY >= self.connections_max;
        if is_due {
            self.accepted_since_yield = 0;
        }
        is_due
    }
}

async fn serve_tcp<H: OneShotHandler>(stream: TcpStream, limits: OneShotLimits, handler: Arc<H>) {
    let started = Instant::now();
    let head = started + Duration::from_millis(limits.head_timeout_ms);
    // A connection on which nothing comes costs nothing more than this.
    if !matches!(timeout_at(head, stream.readable()).await, Ok(Ok(()))) {
        return;
    }
    let peer = stream.peer_addr().ok().map(Peer::Tcp);
    serve_connection(stream, peer, started, limits, handler).await;
}

/// Handlers find the [`Peer`] among the request's extensions.
async fn serve_connection<H: OneShotHandler, S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: Option<Peer>,
    started: Instant,
    limits: OneShotLimits,
    handler: Arc<H>,
) {
    let head = started + Duration::from_millis(limits.head_timeout_ms);
    let is_accepted = Arc::new(AtomicBool::new(false));
    let service = {
        let is_accepted = Arc::clone(&is_accepted);
        service_fn(move |mut request: Request<Incoming>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let (handler, is_accepted) = (Arc::clone(&handler), Arc::clone(&is_accepted));
            async move {
                let response = respond(&*handler, request, limits.body_bytes_max, &is_accepted);
                Ok::<_, Infallible>(response.await.map(Full::new))
            }
        })
    };
    let connection = http1::Builder::new()
        .max_buf_size(limits.head_bytes_max)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .without_shutdown();
    let mut connection = std::pin::pin!(connection);
    let ended = match timeout_at(head, connection.as_mut()).await {
        Ok(ended) => ended,
        Err(_) if is_accepted.load(Ordering::Relaxed) => {
            let all = started + Duration::from_millis(limits.connection_timeout_ms);
            match timeout_at(all, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
        Err(_) => return,
    };
    // Errors of the connection are the caller's concern.
    if let Ok(Parts { io, .. }) = ended {
        let lingering = lingering_close(io.into_inner());
        let _ = timeout(Duration::from_millis(LINGER_MS_MAX), lingering).await;
    }
}

async fn respond<H: OneShotHandler>(
    handler: &H,
    request: Request<Incoming>,
    body_bytes_max: usize,
    is_accepted: &AtomicBool,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let head = Request::from_parts(parts, ());
    if let HeadDecision::Respond(response) = handler.check_head(&head) {
        return response;
    }
    is_accepted.store(true, Ordering::Relaxed);
    match read_body(body, body_bytes_max).await {
        Ok(body) => handler.handle(head.map(|()| body)).await,
        Err(refusal) => refusal,
    }
}

/// Ends our side, and reads and drops what still comes.
async fn lingering_close(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut room = vec![0; LINGER_READ_BYTES];
    let mut left = LINGER_BYTES_MAX;
    while let Ok(length @ 1..) = stream.read(&mut room).await {
        left = left.saturating_sub(length);
        if left == 0 {
            return;
        }
    }
}

/// The whole body, or the response to one that is too long or does not arrive.
async fn read_body(body: Incoming, bytes_max: usize) -> Result<Bytes, Response<Bytes>> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(plain_text_response(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than allowed\n",
        )),
        Err(_) => Err(plain_text_response(
            StatusCode::BAD_REQUEST,
            "the body did not arrive\n",
        )),
    }
}

fn plain_text_response(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
