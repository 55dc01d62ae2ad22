//! Connections to one endpoint, kept for the next request. One pool belongs to one worker: nothing is shared between cores.
//!
//! HTTP/2 where the server offers it: one connection carries all requests. Otherwise a stack of HTTP/1.1 connections, the
//! one used last on top, so that the rest can grow old and be closed.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{
    HeaderMap, Method, Request, Response, Uri, Version, header,
    uri::{PathAndQuery, Scheme},
};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use tokio::time::Instant;

use crate::tasks::Tasks;

use super::{
    body::{Passage, RequestBody},
    client::{Connector, Dialed, ExchangeError},
};

/// Idle connections that a worker keeps to one endpoint.
pub const IDLE_CONNECTIONS_MAX: usize = 1024;
/// How often a request is put on another connection when it provably never left.
const UNSENT_TRIES_MAX: u32 = 4;

type Http1 = http1::SendRequest<RequestBody>;
type Http2 = http2::SendRequest<RequestBody>;

/// What the server speaks, as far as we know.
const UNKNOWN: u8 = 0;
const HTTP1: u8 = 1;
const HTTP2: u8 = 2;

/// The connection that carries all requests.
struct Shared {
    sender: Http2,
    /// Last given a request.
    used: Instant,
}

struct Idle {
    sender: Http1,
    since: Instant,
}

/// Connections to one endpoint.
pub struct Pool {
    connector: Connector,
    idle_max: Duration,
    tasks: Tasks,
    idle: Mutex<Vec<Idle>>,
    shared: Mutex<Option<Shared>>,
    /// HTTP/2 connections made so far: the number of the one that is shared.
    http2_made: AtomicU64,
    speaks: AtomicU8,
    /// Held while the first connection is made: it tells whether the others are needed.
    dialing: tokio::sync::Mutex<()>,
}

/// A request that is ready to leave.
pub struct Outgoing {
    pub method: Method,
    pub target: PathAndQuery,
    /// Without `host`: the pool knows it.
    pub headers: HeaderMap,
    pub body: RequestBody,
}

/// How old a connection may be that a request is sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Any,
    /// Idle no longer than this: for requests that must not be lost to a connection that the server is just closing.
    Within(Duration),
    /// None that has served before. Over HTTP/2 the shared one will do: one that died is shared no more, and a connection
    /// for each request that it carried would be many.
    New,
}

/// An answer whose body is still to come, and the connection that it comes on.
pub struct Answered {
    pub response: Response<Incoming>,
    pub hold: Hold,
}

/// Keeps an HTTP/1.1 connection until its answer is read. Dropped: the connection is closed.
pub struct Hold {
    sender: Option<Http1>,
    pool: Arc<Pool>,
    /// The request's body, if it has one.
    passage: Option<Arc<Passage>>,
}

impl Hold {
    /// The answer was read to its end: the connection may serve another request, unless the answer came before its
    /// own request had gone out. Whoever got that connection next would wait for another caller's body.
    pub fn give_back(&mut self) {
        let is_sent = self.passage.as_ref().is_none_or(|it| it.is_ended());
        if let Some(sender) = self.sender.take()
            && is_sent
            && !sender.is_closed()
        {
            let mut idle = self.pool.lock_idle();
            if idle.len() < IDLE_CONNECTIONS_MAX {
                idle.push(Idle {
                    sender,
                    since: Instant::now(),
                });
            }
        }
    }
}

/// Why a request brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// Nothing of it was sent.
    Unsent(ExchangeError),
    /// It was sent on a connection that had served others, and the connection died before the first byte of an answer.
    DiedReused,
    /// It may have arrived.
    Lost(ExchangeError),
}

impl Pool {
    #[must_use]
    pub fn new(connector: Connector, idle_max: Duration, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            connector,
            idle_max,
            tasks,
            idle: Mutex::default(),
            shared: Mutex::default(),
            http2_made: AtomicU64::new(0),
            speaks: AtomicU8::new(UNKNOWN),
            dialing: tokio::sync::Mutex::const_new(()),
        })
    }

    #[must_use]
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    fn lock_idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_shared(&self) -> MutexGuard<'_, Option<Shared>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes connections that have been idle for too long.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.lock_idle()
            .retain(|it| now - it.since < self.idle_max && !it.sender.is_closed());
        let mut shared = self.lock_shared();
        let is_fit = |it: &Shared| !it.sender.is_closed() && now - it.used < self.idle_max;
        // Streams under way keep the connection until they end.
        *shared = shared.take().filter(is_fit);
    }

    /// Whether no connection is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock_idle().is_empty() && self.lock_shared().is_none()
    }

    /// Sends once; `begun` is set when a connection is handed the request. A request that provably did not leave is put on another connection; one that may have left never is.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(
        self: &Arc<Self>,
        outgoing: Outgoing,
        freshness: Freshness,
        now: Instant,
        begun: &AtomicBool,
    ) -> Result<Answered, SendError> {
        let mut outgoing = outgoing;
        for _ in 0..UNSENT_TRIES_MAX {
            let (connection, reused) = match self.ready(freshness, now) {
                Some(ready) => (ready, true),
                // Boxed: a TLS handshake's state is many times a request's, and few requests need one.
                None => Box::pin(self.connection(freshness)).await?,
            };
            let number = self.http2_made.load(Ordering::Relaxed);
            let has_body = !outgoing.body.is_empty();
            begun.store(true, Ordering::Relaxed);
            let sent = match connection {
                Dialed::Http1(sender) => self.send_http1(sender, outgoing).await,
                Dialed::Http2(sender) => self.send_http2(sender, outgoing).await,
            };
            match sent {
                Ok(answered) => return Ok(answered),
                Err(Unanswered::Returned(back)) => outgoing = *back,
                Err(Unanswered::Failed(error)) => {
                    // A body that its caller breaks off ends a stream, not the connection.
                    if !has_body {
                        self.forget_http2(number);
                    }
                    return Err(failure(&error, reused));
                }
            }
        }
        Err(SendError::Unsent(ExchangeError::Broken))
    }

    /// A connection that failed one request is not given to another, unless a newer one has taken its place.
    fn forget_http2(&self, number: u64) {
        if self.http2_made.load(Ordering::Relaxed) == number {
            *self.lock_shared() = None;
        }
    }

    /// A connection that is ready, and whether it has served before.
    async fn connection(
        &self,
        freshness: Freshness,
    ) -> Result<(Dialed<RequestBody>, bool), SendError> {
        if let Some(found) = self.kept(freshness).await {
            return Ok((found, true));
        }
        let first = if self.speaks.load(Ordering::Relaxed) == HTTP1 {
            None
        } else {
            Some(self.dialing.lock().await)
        };
        if first.is_some()
            && let Some(found) = self.kept(freshness).await
        {
            return Ok((found, true));
        }
        let dialed = self
            .connector
            .dial(&self.tasks)
            .await
            .map_err(SendError::Unsent)?;
        match &dialed {
            Dialed::Http1(_) => self.speaks.store(HTTP1, Ordering::Relaxed),
            Dialed::Http2(sender) => {
                self.speaks.store(HTTP2, Ordering::Relaxed);
                self.http2_made.fetch_add(1, Ordering::Relaxed);
                *self.lock_shared() = Some(Shared {
                    sender: sender.clone(),
                    used: Instant::now(),
                });
            }
        }
        Ok((dialed, false))
    }

    /// How long a kept connection may have been idle; none if none will do.
    fn age_max(&self, freshness: Freshness) -> Option<Duration> {
        match freshness {
            Freshness::New => None,
            Freshness::Any => Some(self.idle_max),
            Freshness::Within(age) => Some(age.min(self.idle_max)),
        }
    }

    /// A kept connection that can take a request now.
    fn ready(&self, freshness: Freshness, now: Instant) -> Option<Dialed<RequestBody>> {
        if self.speaks.load(Ordering::Relaxed) == HTTP2 {
            // A connection that was just made serves `New` too: see there.
            let age_max = self.age_max(freshness).unwrap_or(self.idle_max);
            let mut kept = self.lock_shared();
            let shared = kept.as_mut()?;
            let idle = now.saturating_duration_since(shared.used);
            if shared.sender.is_closed() || idle >= age_max {
                *kept = None;
                return None;
            }
            shared.used = now;
            return Some(Dialed::Http2(shared.sender.clone()));
        }
        let age_max = self.age_max(freshness)?;
        let mut idle = self.lock_idle();
        let Idle { sender, since } = idle.last()?;
        // The one on top was used last: if it is not fit, `kept` looks further.
        if !sender.is_ready() || now.saturating_duration_since(*since) >= age_max {
            return None;
        }
        idle.pop().map(|it| Dialed::Http1(it.sender))
    }

    /// A kept connection, if need be after it has finished with the request before.
    async fn kept(&self, freshness: Freshness) -> Option<Dialed<RequestBody>> {
        loop {
            if let Some(ready) = self.ready(freshness, Instant::now()) {
                return Some(ready);
            }
            let age_max = self.age_max(freshness)?;
            let Idle { mut sender, since } = self.lock_idle().pop()?;
            if since.elapsed() < age_max && sender.ready().await.is_ok() {
                return Some(Dialed::Http1(sender));
            }
        }
    }

    async fn send_http1(
        self: &Arc<Self>,
        mut sender: Http1,
        outgoing: Outgoing,
    ) -> Result<Answered, Unanswered> {
        let passage = outgoing.body.passage();
        let mut request = Request::new(outgoing.body);
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = Uri::from(outgoing.target);
        *request.headers_mut() = outgoing.headers;
        request
            .headers_mut()
            .insert(header::HOST, self.connector.host().clone());
        let response = sender.try_send_request(request).await.map_err(returned)?;
        Ok(Answered {
            response,
            hold: Hold {
                sender: Some(sender),
                pool: Arc::clone(self),
                passage,
            },
        })
    }

    async fn send_http2(
        self: &Arc<Self>,
        mut sender: Http2,
        outgoing: Outgoing,
    ) -> Result<Answered, Unanswered> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.connector.authority().clone());
        parts.path_and_query = Some(outgoing.target);
        let mut request = Request::new(outgoing.body);
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = outgoing.headers;
        let response = sender.try_send_request(request).await.map_err(returned)?;
        Ok(Answered {
            response,
            hold: Hold {
                sender: None,
                pool: Arc::clone(self),
                passage: None,
            },
        })
    }
}

enum Unanswered {
    /// Given back by the connection: nothing of it was sent.
    Returned(Box<Outgoing>),
    Failed(hyper::Error),
}

fn failure(error: &hyper::Error, reused: bool) -> SendError {
    match ExchangeError::of_hyper(error) {
        ExchangeError::Broken if reused && !error.is_canceled() => SendError::DiedReused,
        other => SendError::Lost(other),
    }
}

fn returned(mut error: hyper::client::conn::TrySendError<Request<RequestBody>>) -> Unanswered {
    match error.take_message() {
        Some(request) => {
            let (mut parts, body) = request.into_parts();
            parts.headers.remove(header::HOST);
            let target = parts
                .uri
                .into_parts()
                .path_and_query
                .unwrap_or_else(|| PathAndQuery::from_static("/"));
            Unanswered::Returned(Box::new(Outgoing {
                method: parts.method,
                target,
                headers: parts.headers,
                body,
            }))
        }
        None => Unanswered::Failed(error.into_error()),
    }
}
