//! Sends requests to one endpoint, on kept connections where possible. One pool belongs to one worker: nothing is shared
//! between cores.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use tokio::time::Instant;

use crate::{net::worker_cell::WorkerFlag, tasks::Tasks};

use super::{
    connector::{Connector, DialedConnection},
    exchange_error::ExchangeError,
    http1::{Failure, Http1ClientConnection, OutgoingRequestHead},
    http2::Http2Sender,
    http2_messages::{http2_request, http2_response, http2_send_error},
    pooled_connections::{PooledConnections, ServerProtocol},
    response_body::AnswerStream,
};

pub use super::{
    outgoing_request::{OutgoingRequest, ReusePolicy},
    response::ClientResponse,
    send_error::SendError,
};

/// How often a request is put on another connection when it provably never left.
const UNSENT_ATTEMPTS_MAX: u32 = 4;

/// A connection that could not be made.
#[derive(Debug, Clone, Copy)]
struct FailedDial {
    failed_at: Instant,
    error: ExchangeError,
}

/// Sends requests to one endpoint.
pub struct Pool {
    connector: Connector,
    tasks: Tasks,
    kept: Arc<PooledConnections>,
    /// Held while the first connection is made: it tells whether the others are needed. In it, the last one that failed.
    dialing: tokio::sync::Mutex<Option<FailedDial>>,
}

impl Pool {
    /// Without connections yet. Those that were used within `idle_max` are used again; HTTP/2's tasks run under `tasks`.
    #[must_use]
    pub fn new(connector: Connector, idle_max: Duration, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            connector,
            tasks,
            kept: Arc::new(PooledConnections::new(idle_max)),
            dialing: tokio::sync::Mutex::const_new(None),
        })
    }

    /// Makes this pool's connections.
    #[must_use]
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Closes connections that have been idle for too long, and those that the server has closed.
    pub fn close_idle(&self) {
        self.kept.close_idle();
    }

    /// Whether no connection is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Sends once; `begun` is set when a connection is handed the request, so that who gives up waiting knows. A request that
    /// provably did not leave is put on another connection; one that may have left never is.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(
        &self,
        outgoing: OutgoingRequest<'_>,
        freshness: ReusePolicy,
        now: Instant,
        begun: &WorkerFlag,
    ) -> Result<ClientResponse, SendError> {
        let (connection, reused) = match self.reuse(freshness, now).await {
            Some(kept) => (kept, true),
            // Boxed: a TLS handshake's state is many times a request's, and few requests need one.
            None => Box::pin(self.dial_or_reuse(freshness)).await?,
        };
        match connection {
            DialedConnection::Http1(connection) => {
                begun.set(true);
                self.send_http1(connection, outgoing, reused, now).await
            }
            DialedConnection::Http2(sender) => {
                Box::pin(self.send_http2(sender, outgoing, freshness, reused, begun)).await
            }
        }
    }

    async fn reuse(&self, freshness: ReusePolicy, now: Instant) -> Option<DialedConnection> {
        poll_fn(|cx| Poll::Ready(self.kept.reuse(freshness, now, cx))).await
    }

    /// A connection that is ready, and whether it has served before.
    async fn dial_or_reuse(
        &self,
        freshness: ReusePolicy,
    ) -> Result<(DialedConnection, bool), SendError> {
        let asked = Instant::now();
        let mut first = match self.kept.protocol() {
            ServerProtocol::Http1 => None,
            ServerProtocol::Unknown | ServerProtocol::Http2 => Some(self.dialing.lock().await),
        };
        if let Some(last) = &mut first {
            if let Some(found) = self.reuse(freshness, Instant::now()).await {
                return Ok((found, true));
            }
            // That attempt was this request's as well: those who waited for it need not each try in turn.
            if let Some(failed) = last.filter(|it| it.failed_at >= asked) {
                return Err(SendError::NotSent(failed.error));
            }
        }
        match self.connector.dial(&self.tasks).await {
            Ok(dialed) => {
                self.kept.remember(&dialed);
                Ok((dialed, false))
            }
            Err(error) => {
                if let Some(last) = &mut first {
                    let ended = Instant::now();
                    **last = Some(FailedDial {
                        failed_at: ended,
                        error,
                    });
                }
                Err(SendError::NotSent(error))
            }
        }
    }

    async fn send_http1(
        &self,
        connection: Box<Http1ClientConnection>,
        outgoing: OutgoingRequest<'_>,
        reused: bool,
        now: Instant,
    ) -> Result<ClientResponse, SendError> {
        let head = OutgoingRequestHead {
            method: outgoing.method,
            target: outgoing.target.as_str(),
            host: self.connector.host(),
            headers: outgoing.headers,
            extra_headers: outgoing.extra_headers,
        };
        let answer = connection.send(&head, outgoing.body).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::NoResponse if reused => SendError::StaleConnection,
            other => SendError::MaybeSent(other.into()),
        })?;
        let pool = Some((Arc::clone(&self.kept), now));
        Ok(ClientResponse {
            status: answer.status,
            headers: answer.headers,
            body: AnswerStream::http1(answer.connection, pool),
        })
    }

    async fn send_http2(
        &self,
        sender: Http2Sender,
        outgoing: OutgoingRequest<'_>,
        freshness: ReusePolicy,
        reused: bool,
        begun: &WorkerFlag,
    ) -> Result<ClientResponse, SendError> {
        let (mut sender, mut reused) = (sender, reused);
        let has_body = !outgoing.body.is_empty();
        let mut request = http2_request(outgoing, self.connector.authority());
        for _ in 0..UNSENT_ATTEMPTS_MAX {
            begun.set(true);
            let mut error = match sender.try_send(request).await {
                Ok(response) => return http2_response(response),
                Err(error) => error,
            };
            let Some(back) = error.take_message() else {
                // A body that its caller aborts ends a stream, not the connection.
                if !has_body {
                    self.kept.forget_http2(sender.id());
                }
                return Err(http2_send_error(&error.into_error(), reused));
            };
            // Given back by the connection: nothing of it was sent.
            request = back;
            (sender, reused) = match self.kept.reuse_shared(freshness, Instant::now()) {
                Some(kept) => (kept, true),
                None => match self.dial_or_reuse(freshness).await? {
                    (DialedConnection::Http2(sender), reused) => (sender, reused),
                    // The server speaks another protocol than a moment ago.
                    (DialedConnection::Http1(_), _) => break,
                },
            };
        }
        Err(SendError::NotSent(ExchangeError::Broken))
    }
}
