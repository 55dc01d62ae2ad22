//! A small HTTP/1.1 server for listeners beside the journey: one short request on each connection, a deadline for all of it,
//! and the oldest connection is closed when there are too many. No streaming, no audit lines.
//!
//! The handler decides by a request's head; only an accepted one may bring a body, which is buffered, and take its time.

use std::{
    convert::Infallible,
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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

use super::{
    accept_batch::AcceptBatch,
    one_shot_connections::{OneShotConnection, OneShotConnections},
};

/// After an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE_MS: u64 = 100;
/// Lingering close, in milliseconds: if a caller's late bytes found nobody, the kernel would reset the connection before the
/// response is read (RFC 9112 section 9.6).
const LINGER_MS_MAX: u64 = 500;
/// Most that is read and dropped meanwhile, in bytes.
const LINGER_BYTES_MAX: usize = 1 << 20;
/// At once.
const LINGER_READ_BYTES: usize = 16 * 1024;

/// Connections of a Unix socket at a time by peers that the handler does not know; one more, and the oldest of them is closed.
/// Most are told only that they have no access.
pub const STRANGERS_MAX: usize = 16;

/// The limits of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneShotLimits {
    /// One more, and the oldest whose request is not being handled is closed: nobody holds the listener up by being slow.
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

    /// Whether this peer of a Unix socket may ask at all. Others have few connections of their own: they close nobody else's.
    fn knows(&self, _uid: u32) -> bool {
        true
    }

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
            let Some(guard) = connections.open() else {
                continue;
            };
            let handler = Arc::clone(&handler);
            tasks.spawn(async move {
                let connection = serve_tcp(stream, limits, handler, &guard.connection);
                guard.connection.control.run(connection).await;
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
    let mut of_known = OneShotConnections::new(limits.connections_max);
    let mut of_strangers = OneShotConnections::new(STRANGERS_MAX);
    loop {
        let accepted = tokio::select! {
            biased;
            () = tasks.shutdown_requested() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // One connection less may be one descriptor more.
            let _ = of_strangers.close_oldest() || of_known.close_oldest();
            sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            continue;
        };
        // The kernel knows who connected; a peer that it does not name is not served.
        let Ok(uid) = stream.peer_cred().map(|it| it.uid()) else {
            continue;
        };
        let connections = if handler.knows(uid) {
            &mut of_known
        } else {
            &mut of_strangers
        };
        let Some(guard) = connections.open() else {
            continue;
        };
        let handler = Arc::clone(&handler);
        tasks.spawn(async move {
            let started = Instant::now();
            let peer = Some(Peer::Unix { uid });
            let open = &guard.connection;
            let connection = serve_connection(stream, peer, started, limits, handler, open);
            open.control.run(connection).await;
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

async fn serve_tcp<H: OneShotHandler>(
    stream: TcpStream,
    limits: OneShotLimits,
    handler: Arc<H>,
    open: &Arc<OneShotConnection>,
) {
    let started = Instant::now();
    let head = started + Duration::from_millis(limits.head_timeout_ms);
    // A connection on which nothing comes costs nothing more than this.
    if !matches!(timeout_at(head, stream.readable()).await, Ok(Ok(()))) {
        return;
    }
    let peer = stream.peer_addr().ok().map(Peer::Tcp);
    serve_connection(stream, peer, started, limits, handler, open).await;
}

/// Handlers find the [`Peer`] among the request's extensions.
async fn serve_connection<H: OneShotHandler, S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: Option<Peer>,
    started: Instant,
    limits: OneShotLimits,
    handler: Arc<H>,
    open: &Arc<OneShotConnection>,
) {
    let head = started + Duration::from_millis(limits.head_timeout_ms);
    let is_accepted = Arc::new(AtomicBool::new(false));
    let service = {
        let (is_accepted, open) = (Arc::clone(&is_accepted), Arc::clone(open));
        service_fn(move |mut request: Request<Incoming>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let (handler, is_accepted) = (Arc::clone(&handler), Arc::clone(&is_accepted));
            let open = Arc::clone(&open);
            async move {
                let bytes_max = limits.body_bytes_max;
                let response = respond(&*handler, request, bytes_max, &is_accepted, &open);
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
    open: &OneShotConnection,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let head = Request::from_parts(parts, ());
    if let HeadDecision::Respond(response) = handler.check_head(&head) {
        return response;
    }
    is_accepted.store(true, Ordering::Relaxed);
    match read_body(body, body_bytes_max).await {
        Ok(body) => {
            open.is_handled.store(true, Ordering::Relaxed);
            let response = handler.handle(head.map(|()| body)).await;
            open.is_handled.store(false, Ordering::Relaxed);
            response
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use tokio::{net::UnixStream, sync::Notify};

    use super::*;

    const CONNECTIONS_MAX: usize = 8;
    const LONG_MS: u64 = 60_000;

    /// Responds once it is told to.
    #[derive(Default)]
    struct Waiting {
        knows_nobody: AtomicBool,
        began: Notify,
        go_on: Notify,
    }

    impl OneShotHandler for Waiting {
        fn check_head(&self, _: &Request<()>) -> HeadDecision {
            HeadDecision::ReadBody
        }

        fn knows(&self, _: u32) -> bool {
            !self.knows_nobody.load(Ordering::Relaxed)
        }

        async fn handle(&self, _: Request<Bytes>) -> Response<Bytes> {
            self.began.notify_one();
            self.go_on.notified().await;
            Response::new(Bytes::new())
        }
    }

    struct Served {
        handler: Arc<Waiting>,
        directory: tempfile::TempDir,
        tasks: Tasks,
    }

    impl Served {
        fn start() -> Self {
            let limits = OneShotLimits {
                connections_max: CONNECTIONS_MAX,
                head_timeout_ms: LONG_MS,
                connection_timeout_ms: LONG_MS,
                head_bytes_max: 16 << 10,
                body_bytes_max: 1,
            };
            let directory = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
            let (handler, tasks) = (Arc::<Waiting>::default(), Tasks::new());
            let serving = serve_unix(listener, limits, Arc::clone(&handler), tasks.clone());
            tasks.spawn(serving);
            Self {
                handler,
                directory,
                tasks,
            }
        }

        async fn connect(&self) -> UnixStream {
            let path = self.directory.path().join("socket");
            UnixStream::connect(path).await.unwrap()
        }

        async fn ask(&self) -> UnixStream {
            let mut asking = self.connect().await;
            let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
            asking.write_all(request).await.unwrap();
            self.handler.began.notified().await;
            asking
        }

        async fn is_answered(&self, mut asking: UnixStream) -> bool {
            self.handler.go_on.notify_one();
            let mut answer = Vec::new();
            let _ = asking.read_to_end(&mut answer).await;
            answer.starts_with(b"HTTP/1.1 200")
        }
    }

    async fn is_closed(connection: &mut UnixStream) -> bool {
        matches!(connection.read(&mut [0]).await, Ok(0) | Err(_))
    }

    #[tokio::test]
    async fn a_connection_whose_request_is_handled_outlives_any_number_that_send_nothing() {
        let served = Served::start();
        let asking = served.ask().await;
        let mut idle = Vec::new();
        for _ in 0..2 * CONNECTIONS_MAX {
            idle.push(served.connect().await);
        }
        for connection in &mut idle[..=CONNECTIONS_MAX] {
            assert!(is_closed(connection).await);
        }
        assert!(served.is_answered(asking).await);
    }

    #[tokio::test]
    async fn where_all_have_their_requests_handled_one_more_is_closed() {
        let served = Served::start();
        let mut asking = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            asking.push(served.ask().await);
        }
        assert!(is_closed(&mut served.connect().await).await);
        for one in asking {
            assert!(served.is_answered(one).await);
        }
    }

    #[tokio::test]
    async fn strangers_close_one_another_and_nobody_else() {
        let served = Served::start();
        let mut known = served.connect().await;
        // The one after it is served, so it has been accepted.
        let asking = served.ask().await;
        served.handler.knows_nobody.store(true, Ordering::Relaxed);
        let mut strangers = Vec::new();
        for _ in 0..=STRANGERS_MAX {
            strangers.push(served.connect().await);
        }
        assert!(is_closed(&mut strangers[0]).await);
        let still_open = STRANGERS_MAX + 2;
        assert!(served.tasks.running() > still_open);
        assert!(known.try_read(&mut [0]).is_err(), "it is open still");
        assert!(served.is_answered(asking).await);
        known.shutdown().await.unwrap();
    }
}
