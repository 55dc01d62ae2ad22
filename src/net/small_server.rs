//! Serves few short requests over HTTP/1.1: one a connection, the whole body in memory, a deadline for all of it. For
//! listeners beside the journey, without the patience and the records of the way of a request.

use std::{collections::VecDeque, convert::Infallible, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;

/// After an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE_MS: u64 = 100;

/// How much a listener takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub connections_max: usize,
    pub when_full: WhenFull,
    /// For a request's head to arrive.
    pub head_ms: u64,
    /// For all of a connection.
    pub connection_ms: u64,
    pub head_bytes_max: usize,
    pub body_bytes_max: usize,
}

/// What becomes of one connection more than there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It waits.
    Wait,
    /// The oldest one is cut: nobody holds the listener up by being slow.
    DropOldest,
}

/// Accepts connections until `tasks` are asked to stop. Those under way are finished; `tasks` can wait for them.
pub async fn serve<A, F>(listener: TcpListener, bounds: Bounds, answer: A, tasks: Tasks)
where
    A: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Bytes>> + Send + 'static,
{
    let answer = Arc::new(answer);
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let mut open: VecDeque<CancellationToken> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            () = tasks.stopping() => return,
            accepted = accept(&listener, &places, bounds.when_full) => accepted,
        };
        let Some((stream, place)) = accepted else {
            sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            continue;
        };
        let cut = CancellationToken::new();
        if bounds.when_full == WhenFull::DropOldest {
            open.retain(|it| !it.is_cancelled());
            if open.len() >= bounds.connections_max
                && let Some(oldest) = open.pop_front()
            {
                oldest.cancel();
            }
            open.push_back(cut.clone());
        }
        let answer = Arc::clone(&answer);
        tasks.spawn(async move {
            let connection = serve_connection(stream, bounds, answer);
            cut.run_until_cancelled(connection).await;
            cut.cancel();
            drop(place);
        });
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    when_full: WhenFull,
) -> Option<(TcpStream, Option<OwnedSemaphorePermit>)> {
    let place = match when_full {
        WhenFull::Wait => Some(Arc::clone(places).acquire_owned().await.ok()?),
        WhenFull::DropOldest => None,
    };
    let (stream, _) = listener.accept().await.ok()?;
    Some((stream, place))
}

async fn serve_connection<A, F>(stream: TcpStream, bounds: Bounds, answer: Arc<A>)
where
    A: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Bytes>> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let response = match whole(request, bounds.body_bytes_max).await {
                Ok(request) => answer(request).await,
                Err(refusal) => refusal,
            };
            Ok::<_, Infallible>(response.map(Full::new))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(bounds.head_ms))
        .max_buf_size(bounds.head_bytes_max)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever breaks off or is too slow is no concern of ours.
    let _ = timeout(Duration::from_millis(bounds.connection_ms), connection).await;
}

/// The request with its whole body, or the answer to one that is too long or does not arrive.
async fn whole(
    request: Request<Incoming>,
    body_bytes_max: usize,
) -> Result<Request<Bytes>, Response<Bytes>> {
    let (parts, body) = request.into_parts();
    match Limited::new(body, body_bytes_max).collect().await {
        Ok(body) => Ok(Request::from_parts(parts, body.to_bytes())),
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
