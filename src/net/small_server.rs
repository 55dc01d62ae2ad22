//! Serves few short requests over HTTP/1.1: one a connection, a deadline for all of it, and the oldest connection goes when
//! there are too many. For listeners beside the journey, without the patience and the records of the way of a request.
//!
//! A request is judged by its head; only one that is let through may bring a body, which is read whole, and take its time.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
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
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;

/// After an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE_MS: u64 = 100;
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
    let mut open: VecDeque<CancellationToken> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            () = tasks.stopping() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // One less may be one descriptor more.
            cut_oldest(&mut open);
            sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            continue;
        };
        if open.len() >= bounds.connections_max {
            open.retain(|it| !it.is_cancelled());
        }
        if open.len() >= bounds.connections_max {
            cut_oldest(&mut open);
        }
        let cut = CancellationToken::new();
        open.push_back(cut.clone());
        let desk = Arc::clone(&desk);
        tasks.spawn(async move {
            let connection = serve_connection(stream, bounds, desk);
            cut.run_until_cancelled(connection).await;
            cut.cancel();
        });
        // In a flood, too, each has its turn before it can be the oldest.
        tokio::task::yield_now().await;
    }
}

fn cut_oldest(open: &mut VecDeque<CancellationToken>) {
    while let Some(oldest) = open.pop_front() {
        if !oldest.is_cancelled() {
            oldest.cancel();
            return;
        }
    }
}

async fn serve_connection<D: Desk>(stream: TcpStream, bounds: Bounds, desk: Arc<D>) {
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
    let head = Duration::from_millis(bounds.head_ms);
    let ended = match timeout(head, connection.as_mut()).await {
        Ok(ended) => ended,
        Err(_) if is_let_through.load(Ordering::Relaxed) => {
            let all = Duration::from_millis(bounds.connection_ms);
            match timeout(all.saturating_sub(head), connection).await {
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
