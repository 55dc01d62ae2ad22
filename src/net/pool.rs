//! Connections to one endpoint, kept for the next request. One pool belongs to one worker: nothing is shared between cores.
//!
//! HTTP/2 where the server offers it: one connection carries all requests. Otherwise a stack of HTTP/1.1 connections, the
//! one used last on top, so that the rest can grow old and be closed.

pub mod answer_stream;

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, Version, header,
    uri::{PathAndQuery, Scheme},
};
use hyper::client::conn::http2;
use tokio::time::Instant;

use crate::tasks::Tasks;

use super::{
    body::RequestBody,
    client::{Connector, Dialed, ExchangeError},
    headers,
    http1::client::{Connection, Failure, RequestHead},
    method::Method,
    response::Fields,
};

use self::answer_stream::AnswerStream;

/// Idle connections that a worker keeps to one endpoint.
pub const IDLE_CONNECTIONS_MAX: usize = 1024;
/// How often a request is put on another connection when it provably never left.
const UNSENT_TRIES_MAX: u32 = 4;

/// Room for the headers of most requests.
const HTTP2_HEADERS_USUALLY: usize = 8;

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

/// A connection that could not be made.
#[derive(Debug, Clone, Copy)]
struct FailedDial {
    ended: Instant,
    error: ExchangeError,
}

struct Idle {
    connection: Box<Connection>,
    /// Last sent a request. Its answer is no sign of life: a long one makes the connection look older than it is, and
    /// costs a new one, but a reading of the clock for each answer costs more.
    used: Instant,
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
    /// Held while the first connection is made: it tells whether the others are needed. In it, the last one that failed.
    dialing: tokio::sync::Mutex<Option<FailedDial>>,
}

/// A request that is ready to leave.
pub struct Outgoing<'a> {
    pub method: Method,
    pub target: PathAndQuery,
    /// Without `host` and what frames the body: those are written here.
    pub headers: &'a [(HeaderName, HeaderValue)],
    pub more: &'a [(HeaderName, &'a HeaderValue)],
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

/// An answer whose body is still to come.
pub struct Answered {
    pub status: StatusCode,
    /// Those that may reach a caller, and no others.
    pub fields: Fields,
    pub body: AnswerStream,
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
            dialing: tokio::sync::Mutex::const_new(None),
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

    fn keep(&self, connection: Box<Connection>, used: Instant) {
        let mut idle = self.lock_idle();
        if idle.len() < IDLE_CONNECTIONS_MAX {
            idle.push(Idle { connection, used });
        }
    }

    /// Closes connections that have been idle for too long, and those that the server has closed.
    pub fn sweep(&self) {
        let now = Instant::now();
        let cx = &mut Context::from_waker(Waker::noop());
        self.lock_idle()
            .retain_mut(|it| now - it.used < self.idle_max && it.connection.is_fit(cx));
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

    /// Sends once; `begun` is set when a connection is handed the request. A request that provably did not leave is put on
    /// another connection; one that may have left never is.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(
        self: &Arc<Self>,
        outgoing: Outgoing<'_>,
        freshness: Freshness,
        now: Instant,
        begun: &AtomicBool,
    ) -> Result<Answered, SendError> {
        let (connection, reused) = match self.kept(freshness, now).await {
            Some(kept) => (kept, true),
            // Boxed: a TLS handshake's state is many times a request's, and few requests need one.
            None => Box::pin(self.connection(freshness)).await?,
        };
        match connection {
            Dialed::Http1(connection) => {
                begun.store(true, Ordering::Relaxed);
                self.send_http1(connection, outgoing, reused, now).await
            }
            Dialed::Http2(sender) => {
                Box::pin(self.send_http2(sender, outgoing, freshness, reused, begun)).await
            }
        }
    }

    /// A connection that failed one request is not given to another, unless a newer one has taken its place.
    fn forget_http2(&self, number: u64) {
        if self.http2_made.load(Ordering::Relaxed) == number {
            *self.lock_shared() = None;
        }
    }

    /// A connection that is ready, and whether it has served before.
    async fn connection(&self, freshness: Freshness) -> Result<(Dialed, bool), SendError> {
        let asked = Instant::now();
        let mut first = match self.speaks.load(Ordering::Relaxed) {
            HTTP1 => None,
            _ => Some(self.dialing.lock().await),
        };
        if let Some(last) = &mut first {
            if let Some(found) = self.kept(freshness, Instant::now()).await {
                return Ok((found, true));
            }
            // It was this request's as much as the one's that made it: not each has to find out for itself.
            if let Some(failed) = last.filter(|it| it.ended >= asked) {
                return Err(SendError::Unsent(failed.error));
            }
        }
        match self.connector.dial(&self.tasks).await {
            Ok(dialed) => {
                self.learn(&dialed);
                Ok((dialed, false))
            }
            Err(error) => {
                if let Some(last) = &mut first {
                    let ended = Instant::now();
                    **last = Some(FailedDial { ended, error });
                }
                Err(SendError::Unsent(error))
            }
        }
    }

    /// Keeps in mind what the server speaks, and a connection that others can share.
    fn learn(&self, dialed: &Dialed) {
        match dialed {
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
    }

    /// How long a kept connection may have been idle; none if none will do.
    fn age_max(&self, freshness: Freshness) -> Option<Duration> {
        match freshness {
            Freshness::New => None,
            Freshness::Any => Some(self.idle_max),
            Freshness::Within(age) => Some(age.min(self.idle_max)),
        }
    }

    /// A kept connection that can take a request.
    async fn kept(&self, freshness: Freshness, now: Instant) -> Option<Dialed> {
        if self.speaks.load(Ordering::Relaxed) == HTTP2 {
            self.kept_http2(freshness, now).map(Dialed::Http2)
        } else {
            poll_fn(|cx| Poll::Ready(self.kept_http1(freshness, now, cx)))
                .await
                .map(Dialed::Http1)
        }
    }

    fn kept_http2(&self, freshness: Freshness, now: Instant) -> Option<Http2> {
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
        Some(shared.sender.clone())
    }

    /// The connection that was used last, if it is young enough and still good: those below it are older.
    fn kept_http1(
        &self,
        freshness: Freshness,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<Box<Connection>> {
        let age_max = self.age_max(freshness)?;
        let mut idle = self.lock_idle();
        let is_young = |it: &mut Idle| now.saturating_duration_since(it.used) < age_max;
        while let Some(mut top) = idle.pop_if(is_young) {
            if top.connection.is_fit(cx) {
                return Some(top.connection);
            }
        }
        None
    }

    async fn send_http1(
        self: &Arc<Self>,
        connection: Box<Connection>,
        outgoing: Outgoing<'_>,
        reused: bool,
        now: Instant,
    ) -> Result<Answered, SendError> {
        let head = RequestHead {
            method: outgoing.method,
            target: outgoing.target.as_str(),
            host: self.connector.host(),
            headers: outgoing.headers,
            more: outgoing.more,
        };
        let answer = connection.send(&head, outgoing.body).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::Unanswered if reused => SendError::DiedReused,
            other => SendError::Lost(other.into()),
        })?;
        Ok(Answered {
            status: answer.status,
            fields: answer.fields,
            body: AnswerStream::http1(answer.body, Arc::clone(self), now),
        })
    }

    async fn send_http2(
        self: &Arc<Self>,
        sender: Http2,
        outgoing: Outgoing<'_>,
        freshness: Freshness,
        reused: bool,
        begun: &AtomicBool,
    ) -> Result<Answered, SendError> {
        let (mut sender, mut reused) = (sender, reused);
        let has_body = !outgoing.body.is_empty();
        let mut request = self.http2_request(outgoing);
        for _ in 0..UNSENT_TRIES_MAX {
            let number = self.http2_made.load(Ordering::Relaxed);
            begun.store(true, Ordering::Relaxed);
            let mut error = match sender.try_send_request(request).await {
                Ok(response) => return answered(response),
                Err(error) => error,
            };
            let Some(back) = error.take_message() else {
                // A body that its caller breaks off ends a stream, not the connection.
                if !has_body {
                    self.forget_http2(number);
                }
                return Err(failure(&error.into_error(), reused));
            };
            // Given back by the connection: nothing of it was sent.
            request = back;
            (sender, reused) = match self.kept_http2(freshness, Instant::now()) {
                Some(kept) => (kept, true),
                None => match self.connection(freshness).await? {
                    (Dialed::Http2(sender), reused) => (sender, reused),
                    // The server speaks another protocol than a moment ago.
                    (Dialed::Http1(_), _) => break,
                },
            };
        }
        Err(SendError::Unsent(ExchangeError::Broken))
    }

    fn http2_request(&self, outgoing: Outgoing<'_>) -> Request<RequestBody> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.connector.authority().clone());
        parts.path_and_query = Some(outgoing.target);
        let mut headers = HeaderMap::with_capacity(HTTP2_HEADERS_USUALLY);
        for (name, value) in outgoing.headers {
            headers.append(name.clone(), value.clone());
        }
        for (name, value) in outgoing.more {
            headers.insert(name.clone(), (*value).clone());
        }
        if outgoing.body.is_empty() && !matches!(outgoing.method, Method::Get | Method::Head) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let mut request = Request::new(outgoing.body);
        *request.method_mut() = outgoing.method.to_http();
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = headers;
        request
    }
}

fn answered(response: http::Response<hyper::body::Incoming>) -> Result<Answered, SendError> {
    let (parts, body) = response.into_parts();
    if !headers::STATUSES.contains(&parts.status.as_u16()) {
        return Err(SendError::Lost(ExchangeError::NotHttp));
    }
    Ok(Answered {
        status: parts.status,
        fields: headers::sort_answer(parts.headers),
        body: AnswerStream::Http2(body),
    })
}

fn failure(error: &hyper::Error, reused: bool) -> SendError {
    match ExchangeError::of_hyper(error) {
        ExchangeError::Broken if reused && !error.is_canceled() => SendError::DiedReused,
        other => SendError::Lost(other),
    }
}
