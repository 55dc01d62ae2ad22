//! The listener: HTTP/1.1 and HTTP/2 by prior knowledge, or by ALPN under TLS.

use std::{io, pin::pin, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    sandbox::{SandboxState, connection::ConnectionEnding, exchange},
    tasks::Tasks,
};

const CONNECTIONS_MAX: usize = 4096;

/// How long a connection may be silent before and between requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait after a failed accept, so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const HEAD_BYTES_MAX: usize = 64 * 1024;

const STREAMS_PER_CONNECTION_MAX: u32 = 256;

/// Accepts connections until the task is stopped.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    state: Arc<SandboxState>,
    tasks: Tasks,
) {
    let tls = tls.map(TlsAcceptor::from);
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tasks.spawn_until_shutdown(async move {
            // A connection that breaks off is the client's affair.
            let _ = serve(stream, tls, state).await;
            drop(permit);
        });
    }
}

async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    state: Arc<SandboxState>,
) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    // hyper detects the protocol from the first bytes, and waits for those without limit.
    timeout(IDLE_TIMEOUT, stream.peek(&mut [0])).await??;
    match tls {
        None => serve_http(stream, state).await,
        Some(acceptor) => {
            let stream = timeout(TLS_HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??;
            serve_http(stream, state).await
        }
    }
}

async fn serve_http<S>(stream: S, state: Arc<SandboxState>) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pings = state.faults.persistent().ping_seconds;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .keep_alive_interval(pings.map_or(IDLE_TIMEOUT, |it| Duration::from_secs(it.into())));
    let control = ConnectionEnding::default();
    let of_requests = control.clone();
    let service = service_fn(move |request| {
        exchange::respond(Arc::clone(&state), of_requests.clone(), request)
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = serving.as_mut() => return ended.map_err(|_| ConnectionError),
        () = control.is_leaving() => {}
    }
    serving.as_mut().graceful_shutdown();
    serving.await.map_err(|_| ConnectionError)
}

/// The connection ended in the middle of something.
struct ConnectionError;

impl From<io::Error> for ConnectionError {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl From<tokio::time::error::Elapsed> for ConnectionError {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self
    }
}
