//! Serves few short requests over HTTP/1.1: one a connection, a deadline for all of it, and the oldest connection goes when
//! there are too many. For listeners beside the journey, without the patience and the records of the way of a request.
//!
//! A request is judged by its head; only one that is let through may bring a body, which is read whole, and take its time.

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
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::tasks::Tasks;

use super::seat::Seat;

/// After an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE_MS: u64 = 100;
/// Connections that are accepted together at most.
const BURST_MAX: usize = 1024;
/// How far into what has come the end of a head is looked for.
const PEEKED_BYTES: usize = 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";
/// How often connections have their turn at least while as many are accepted as may be open.
const TURNS: usize = 8;
/// How long a caller is heard out that was answered before it had sent everything: if bytes of its found nobody, the kernel
/// would break the connection before the answer is read (RFC 9112 section 9.6).
const LINGER_MS_MAX: u64 = 500;
/// Most that is read of it meanwhile.
const LINGER_BYTES_MAX: usize = 1 << 20;
/// At once.
const LINGER_READ_BYTES: usize = 16 * 1024;

/// How much a listener takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// One more, and the oldest is cut: nobody holds the listener up by being slow.
    pub connections_max: usize,
    /// For a request's head to arrive, and for its answer unless it is let through.
    pub head_ms: u64,
    /// For all of a connection whose request was let through.
    pub connection_ms: u64,
    pub head_bytes_max: usize,
    pub body_bytes_max: usize,
}

/// What is made of a request's head.
pub enum Judged {
    /// This is the answer; a body is not read.
    Answered(Response<Bytes>),
    /// Its body may come.
    LetThrough,
}

/// What answers requests.
pub trait Desk: Send + Sync + 'static {
    fn judge(&self, head: &Request<()>) -> Judged;

    /// Answers a request that was let through.
    fn answer(&self, request: Request<Bytes>) -> impl Future<Output = Response<Bytes>> + Send;
}

/// Accepts connections until `tasks` are asked to stop. Those under way are finished; `tasks` can wait for them.
pub async fn serve<D: Desk>(listener: TcpListener, bounds: Bounds, desk: Arc<D>, tasks: Tasks) {
    let (listener, queue) = match twice(listener) {
        Ok(both) => both,
        Err(error) => {
            tracing::error!(%error, "a listener cannot be served");
            return;
        }
    };
    let mut open = Open::new(bounds.connections_max);
    loop {
        let first = tokio::select! {
            biased;
            () = tasks.stopping() => return,
            first = listener.accept() => first.and_then(|(stream, _)| stream.into_std()),
        };
        let burst = Burst::of(first, &queue, bounds.connections_max);
        for stream in burst.asking.into_iter().chain(burst.silent) {
            let Ok(stream) = TcpStream::from_std(stream) else {
                continue;
            };
            let (place, desk) = (open.seat(), Arc::clone(&desk));
            tasks.spawn(async move {
                let connection = serve_connection(stream, bounds, desk);
                place.seat.run(connection).await;
            });
            if open.is_their_turn() {
                tokio::task::yield_now().await;
            }
        }
        if burst.has_failed {
            // One connection less may be one descriptor more.
            open.cut_oldest();
            sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
        }
    }
}

/// The listener once more, to take what waits in it without waiting.
fn twice(listener: TcpListener) -> io::Result<(TcpListener, std::net::TcpListener)> {
    let listener = listener.into_std()?;
    let queue = listener.try_clone()?;
    Ok((TcpListener::from_std(listener)?, queue))
}

/// Connections that were accepted together. In a flood the kernel holds thousands of them, and a probe among them must not
/// wait until each has been served: those that would be cut at once as the oldest are not served at all, and those that have
/// sent their head come first.
#[derive(Default)]
struct Burst {
    asking: Vec<std::net::TcpStream>,
    /// The newest of those whose head is not there yet.
    silent: VecDeque<std::net::TcpStream>,
    has_failed: bool,
}

impl Burst {
    /// `first`, and what waits behind it in `queue`.
    fn of(
        first: io::Result<std::net::TcpStream>,
        queue: &std::net::TcpListener,
        most: usize,
    ) -> Self {
        let mut burst = Self::default();
        let mut goes_on = burst.add(first, most);
        for _ in 1..BURST_MAX {
            if !goes_on {
                break;
            }
            goes_on = burst.add(queue.accept().map(|(stream, _)| stream), most);
        }
        burst
    }

    /// False when there is no sense in trying the next.
    fn add(&mut self, accepted: io::Result<std::net::TcpStream>, most: usize) -> bool {
        match accepted.map_err(|error| error.kind()) {
            Ok(stream) => self.take(stream, most),
            Err(io::ErrorKind::WouldBlock) => return false,
            Err(io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {}
            Err(_) => {
                self.has_failed = true;
                return false;
            }
        }
        true
    }

    fn take(&mut self, stream: std::net::TcpStream, most: usize) {
        // Accepted sockets do not have it from their listener.
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if has_sent_head(&stream) {
            self.asking.push(stream);
            return;
        }
        if self.silent.len() >= most {
            self.silent.pop_front();
        }
        self.silent.push_back(stream);
    }
}

/// Whether a whole head, of a usual length, is there already.
fn has_sent_head(stream: &std::net::TcpStream) -> bool {
    let mut room = [0; PEEKED_BYTES];
    match stream.peek(&mut room) {
        Ok(length) => {
            let come = room.get(..length).unwrap_or_default();
            come.windows(HEAD_END.len()).any(|it| it == HEAD_END)
        }
        Err(_) => false,
    }
}

/// The connections that are open, the oldest first.
struct Open {
    most: usize,
    seats: VecDeque<Weak<Seat>>,
    /// How many of them are still there.
    count: Arc<AtomicUsize>,
    /// Accepted since those that are open had their turn last.
    accepted: usize,
}

/// A connection's place, given back on drop.
struct Place {
    seat: Arc<Seat>,
    count: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Open {
    fn new(most: usize) -> Self {
        Self {
            most,
            seats: VecDeque::new(),
            count: Arc::default(),
            accepted: 0,
        }
    }

    /// Takes a place, from the oldest if there is no other.
    fn seat(&mut self) -> Place {
        if self.count.load(Ordering::Relaxed) >= self.most {
            self.cut_oldest();
        }
        if self.seats.len() >= 2 * self.most {
            self.seats.retain(|it| it.strong_count() > 0);
        }
        let seat = Arc::<Seat>::default();
        self.seats.push_back(Arc::downgrade(&seat));
        self.count.fetch_add(1, Ordering::Relaxed);
        self.accepted += 1;
        Place {
            seat,
            count: Arc::clone(&self.count),
        }
    }

    fn cut_oldest(&mut self) {
        while let Some(oldest) = self.seats.pop_front() {
            if let Some(seat) = oldest.upgrade() {
                return seat.leave();
            }
        }
    }

    /// In a flood, too, each connection is served before it can be the oldest.
    fn is_their_turn(&mut self) -> bool {
        let is_due = self.accepted * TURNS >= self.most;
        if is_due {
            self.accepted = 0;
        }
        is_due
    }
}

async fn serve_connection<D: Desk>(stream: TcpStream, bounds: Bounds, desk: Arc<D>) {
    let began = Instant::now();
    let head = began + Duration::from_millis(bounds.head_ms);
    // One that says nothing costs nothing more than this.
    if !matches!(timeout_at(head, stream.readable()).await, Ok(Ok(()))) {
        return;
    }
    let is_let_through = Arc::new(AtomicBool::new(false));
    let service = {
        let is_let_through = Arc::clone(&is_let_through);
        service_fn(move |request: Request<Incoming>| {
            let (desk, is_let_through) = (Arc::clone(&desk), Arc::clone(&is_let_through));
            async move {
                let response = respond(&*desk, request, bounds.body_bytes_max, &is_let_through);
                Ok::<_, Infallible>(response.await.map(Full::new))
            }
        })
    };
    let connection = http1::Builder::new()
        .max_buf_size(bounds.head_bytes_max)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .without_shutdown();
    let mut connection = std::pin::pin!(connection);
    let ended = match timeout_at(head, connection.as_mut()).await {
        Ok(ended) => ended,
        Err(_) if is_let_through.load(Ordering::Relaxed) => {
            let all = began + Duration::from_millis(bounds.connection_ms);
            match timeout_at(all, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
        Err(_) => return,
    };
    // Whoever breaks off or is too slow is no concern of ours.
    if let Ok(Parts { io, .. }) = ended {
        let lingering = linger(io.into_inner());
        let _ = timeout(Duration::from_millis(LINGER_MS_MAX), lingering).await;
    }
}

async fn respond<D: Desk>(
    desk: &D,
    request: Request<Incoming>,
    body_bytes_max: usize,
    is_let_through: &AtomicBool,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let head = Request::from_parts(parts, ());
    if let Judged::Answered(answer) = desk.judge(&head) {
        return answer;
    }
    is_let_through.store(true, Ordering::Relaxed);
    match whole(body, body_bytes_max).await {
        Ok(body) => desk.answer(head.map(|()| body)).await,
        Err(refusal) => refusal,
    }
}

/// Says that nothing more will be said, and reads what still comes.
async fn linger(mut stream: TcpStream) {
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

/// The whole body, or the answer to one that is too long or does not arrive.
async fn whole(body: Incoming, bytes_max: usize) -> Result<Bytes, Response<Bytes>> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than allowed\n",
        )),
        Err(_) => Err(refusal(
            StatusCode::BAD_REQUEST,
            "the body did not arrive\n",
        )),
    }
}

fn refusal(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
