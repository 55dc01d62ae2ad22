//! Serves an [`Admin`] over HTTP/1.1: few connections, one request each, a deadline for all of it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::tasks::Tasks;

use super::Admin;

pub const CONNECTIONS_MAX: usize = 64;
const HEADER_MS: u64 = 10_000;
const CONNECTION_MS: u64 = 30_000;
const HEAD_BYTES_MAX: usize = 16 << 10;
/// After an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE_MS: u64 = 100;

/// Accepts connections until `tasks` are asked to stop. Those under way are finished; `tasks` can wait for them.
///
/// Readiness is only seen to go while somebody still answers: stop these tasks after those that serve callers.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = tasks.stopping() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        tasks.spawn(async move {
            serve_connection(stream, admin).await;
            drop(place);
        });
    }
}

async fn serve_connection(stream: TcpStream, admin: Arc<Admin>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&admin, &request);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEADER_MS))
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever breaks off or is too slow is no concern of ours.
    let _ = timeout(Duration::from_millis(CONNECTION_MS), connection).await;
}

fn answer(admin: &Admin, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let target = request.uri();
    admin
        .answer(
            request.method(),
            target.path(),
            target.query(),
            request.headers(),
        )
        .map(Full::new)
}
