//! HTTP/2 connections to a server (RFC 9113), by the library: one carries all requests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Request;
use hyper::client::conn::{TrySendError, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use crate::{
    net::{body::request_body::RequestBody, worker_cell::WorkerCounter},
    tasks::Tasks,
};

use super::{exchange_error::ExchangeError, tls_io::TlsIo};

const H2_STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const H2_CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// What a server may send in one frame: each frame wakes the caller's side once.
const H2_FRAME_BYTES: u32 = 64 * 1024;
const H2_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const H2_KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of the next HTTP/2 connection, of any worker; 0 is none.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One connection's sending end. A clone sends on the same connection.
#[derive(Clone)]
pub struct Http2Sender {
    /// Of the connection: no other in this process has it.
    id: u64,
    /// How often something has come on the connection.
    reads: Arc<WorkerCounter>,
    sender: http2::SendRequest<RequestBody>,
}

impl Http2Sender {
    /// Opens HTTP/2 on a connection. Its own task is started under `tasks` and ends with the connection.
    ///
    /// # Errors
    /// When the server does not speak HTTP/2, or the connection broke.
    pub async fn connect(stream: TlsIo, tasks: &Tasks) -> Result<Self, ExchangeError> {
        let reads = stream.reads();
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
            .max_frame_size(H2_FRAME_BYTES)
            .keep_alive_interval(H2_KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(H2_KEEP_ALIVE_TIMEOUT)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ExchangeError::from_hyper(&error))?;
        tasks.spawn(async move {
            let _ = connection.await;
        });
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Self { id, reads, sender })
    }

    /// Tells this connection from all others of the process.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// How often something has come on the connection.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.get()
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request and waits for the response's head.
    ///
    /// # Errors
    /// The library's. It holds the request if nothing of it was sent.
    pub async fn try_send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<http::Response<hyper::body::Incoming>, TrySendError<Request<RequestBody>>> {
        self.sender.try_send_request(request).await
    }
}
