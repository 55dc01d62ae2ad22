//! Sends requests to one endpoint, on kept connections where possible. One pool belongs to one worker: nothing is shared
//! between cores.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use tokio::time::Instant;

use crate::tasks::Tasks;

use super::{
    connector::{Connector, DialedConnection},
    exchange_error::ExchangeError,
    http1::{Http1ClientConnection, Http1ClientError, OutgoingRequestHead},
    http2::Http2Sender,
    http2_messages::{http2_request, http2_response, http2_send_error},
    outgoing_request::{OutgoingRequest, ReusePolicy},
    pooled_connections::{PooledConnections, ServerProtocol},
    response::ClientResponse,
    response_body::ClientResponseBody,
    send_error::SendError,
    send_progress::SendProgress,
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
    connections: Arc<PooledConnections>,
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
            connections: Arc::new(PooledConnections::new(idle_max)),
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
        self.connections.close_idle();
    }

    /// Whether no connection is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// No response has come to a request that left after `sent_at`: other connections that were idle by then lead into the
    /// same silence, as far as anybody knows.
    pub fn record_silence(&self, progress: &SendProgress, sent_at: Instant) {
        self.connections.close_idle_since(sent_at);
        self.connections.forget_silent_http2(progress);
    }

    /// Sends once; `progress` tells one who gives up waiting how far it came. A request that provably did not leave is put on another connection; one that may have left never is.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(
        &self,
        outgoing: OutgoingRequest<'_>,
        reuse_policy: ReusePolicy,
        now: Instant,
        progress: &SendProgress,
    ) -> Result<ClientResponse, SendError> {
        let (connection, reused) = match self.reuse(reuse_policy, now).await {
            Some(kept) => (kept, true),
            // Boxed: a TLS handshake's state is many times a request's, and few requests need one.
            None => Box::pin(self.dial_or_reuse(reuse_policy)).await?,
        };
        match connection {
            DialedConnection::Http1(connection) => {
                progress.start_http1();
                self.send_http1(connection, outgoing, reused, now).await
            }
            DialedConnection::Http2(sender) => {
                Box::pin(self.send_http2(sender, outgoing, reuse_policy, reused, progress)).await
            }
        }
    }

    async fn reuse(&self, reuse_policy: ReusePolicy, now: Instant) -> Option<DialedConnection> {
        poll_fn(|cx| Poll::Ready(self.connections.reuse(reuse_policy, now, cx))).await
    }

    /// A connection that is ready, and whether it has served before.
    async fn dial_or_reuse(
        &self,
        reuse_policy: ReusePolicy,
    ) -> Result<(DialedConnection, bool), SendError> {
        let asked = Instant::now();
        let mut first = match self.connections.protocol() {
            ServerProtocol::Http1 => None,
            ServerProtocol::Unknown | ServerProtocol::Http2 => Some(self.dialing.lock().await),
        };
        if let Some(last) = &mut first {
            if let Some(found) = self.reuse(reuse_policy, Instant::now()).await {
                return Ok((found, true));
            }
            // That attempt was this request's as well: those who waited for it need not each try in turn.
            if let Some(failed) = last.filter(|it| it.failed_at >= asked) {
                return Err(SendError::NotSent(failed.error));
            }
        }
        // Each has a connection of its own to make: nobody waits for the others' any more.
        if self.connections.protocol() == ServerProtocol::Http1 {
            first = None;
        }
        match self.connector.dial(&self.tasks).await {
            Ok(dialed) => {
                self.connections.remember(&dialed);
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
        let response = connection.send(&head, outgoing.body).await;
        let response = response.map_err(|failure| match failure {
            Http1ClientError::NoResponse if reused => SendError::StaleConnection,
            Http1ClientError::Silent => {
                self.connections.close_idle_since(now);
                if reused {
                    SendError::StaleConnection
                } else {
                    SendError::MaybeSent(ExchangeError::TimedOut)
                }
            }
            other => SendError::MaybeSent(other.into()),
        })?;
        let pool = Some((Arc::clone(&self.connections), now));
        Ok(ClientResponse {
            status: response.status,
            headers: response.headers,
            body: ClientResponseBody::http1(response.connection, pool),
        })
    }

    async fn send_http2(
        &self,
        sender: Http2Sender,
        outgoing: OutgoingRequest<'_>,
        reuse_policy: ReusePolicy,
        reused: bool,
        progress: &SendProgress,
    ) -> Result<ClientResponse, SendError> {
        let (mut sender, mut reused) = (sender, reused);
        let has_body = !outgoing.body.is_empty();
        let mut request = http2_request(outgoing, self.connector.authority());
        for _ in 0..UNSENT_ATTEMPTS_MAX {
            progress.start_http2(&sender);
            let mut error = match sender.try_send(request).await {
                Ok(response) => return http2_response(response),
                Err(error) => error,
            };
            let Some(back) = error.take_message() else {
                // A body that its caller aborts ends a stream, not the connection.
                if !has_body {
                    self.connections.forget_http2(sender.id());
                }
                return Err(http2_send_error(&error.into_error(), reused));
            };
            // Given back by the connection: nothing of it was sent.
            request = back;
            (sender, reused) = match self.connections.reuse_shared(reuse_policy, Instant::now()) {
                Some(kept) => (kept, true),
                None => match self.dial_or_reuse(reuse_policy).await? {
                    (DialedConnection::Http2(sender), reused) => (sender, reused),
                    // The server speaks another protocol than a moment ago.
                    (DialedConnection::Http1(_), _) => break,
                },
            };
        }
        Err(SendError::NotSent(ExchangeError::Broken))
    }
}
