//! Where the browser comes back to (RFC 8252 section 7.3): a listener on the loopback for one login.
//!
//! Any program on this machine and any page in the browser can send requests here, so only a request with the login's
//! `state` ends the wait; everything else is refused without effect.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ALLOW, HOST, ORIGIN},
};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    credentials::login::{authorization::AuthorizationFlow, callback::CALLBACK_BYTES_MAX},
    net::server::one_shot::{self, HeadDecision, OneShotLimits},
    secret::Secret,
    tasks::Tasks,
};

use super::{
    callback_page::{self, FRAGMENT_PATH, Page},
    error::Failure,
};

/// Decides whether parameters belong to the login.
pub(super) type Judge = Arc<dyn Fn(&str) -> bool + Send + Sync>;

const BOUNDS: OneShotLimits = OneShotLimits {
    connections_max: 16,
    head_timeout_ms: 10_000,
    connection_timeout_ms: 20_000,
    // A query of the longest kind, and what browsers send besides.
    head_bytes_max: CALLBACK_BYTES_MAX + 24 * 1024,
    body_bytes_max: CALLBACK_BYTES_MAX,
};

/// Longest time to send the last response.
const CLOSE_MS_MAX: u64 = 900;

/// A bound socket that does not respond yet: bound before anything is shown, so that no other program can take the port.
pub(super) struct Socket {
    listener: TcpListener,
    pub(super) at: SocketAddr,
}

impl Socket {
    pub(super) async fn bind(at: SocketAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind(at).await;
        let bound = listener.and_then(|it| Ok((it.local_addr()?, it)));
        let (at, listener) = bound.map_err(|error| Failure::of_bind(at, &error))?;
        Ok(Self { listener, at })
    }

    /// Starts to respond. `path` is that of the redirect URI.
    pub(super) fn open(self, path: String, flow: AuthorizationFlow, judge: Judge) -> Callback {
        let (tell, arrived) = oneshot::channel();
        let (tasks, refused) = (Tasks::new(), Arc::<AtomicU32>::default());
        let desk = Arc::new(Desk {
            at: self.at,
            path,
            flow,
            judge,
            tell: Mutex::new(Some(tell)),
            refused: Arc::clone(&refused),
        });
        let serving = one_shot::serve(self.listener, BOUNDS, desk, tasks.clone());
        tasks.spawn(serving);
        Callback {
            tasks,
            arrived,
            refused,
        }
    }
}

/// A listener for one login. It ends with its tasks at the latest.
pub(super) struct Callback {
    tasks: Tasks,
    arrived: oneshot::Receiver<Secret<String>>,
    refused: Arc<AtomicU32>,
}

impl Callback {
    /// The parameters of the callback, once.
    pub(super) async fn arrival(&mut self) -> Option<Secret<String>> {
        (&mut self.arrived).await.ok()
    }

    /// The number of requests that did not belong to this login.
    pub(super) fn refused(&self) -> u32 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Stops accepting at once; the response under way may finish.
    pub(super) async fn close(self) {
        self.tasks.request_shutdown();
        self.tasks
            .join_timeout(Duration::from_millis(CLOSE_MS_MAX))
            .await;
    }
}

struct Desk {
    at: SocketAddr,
    path: String,
    flow: AuthorizationFlow,
    judge: Judge,
    /// Taken by the only callback.
    tell: Mutex<Option<oneshot::Sender<Secret<String>>>>,
    refused: Arc<AtomicU32>,
}

/// A response under construction.
struct Answer {
    status: StatusCode,
    page: Page,
    allow: Option<&'static str>,
}

impl one_shot::OneShotHandler for Desk {
    /// What is no callback is refused with its body read or not: nobody waits here but a browser.
    fn check_head(&self, _: &Request<()>) -> HeadDecision {
        HeadDecision::ReadBody
    }

    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.told(&request).into_response()
    }
}

impl Desk {
    fn told(&self, request: &Request<Bytes>) -> Answer {
        let (target, headers) = (request.uri(), request.headers());
        if !self.is_called_by_name(headers) || target.authority().is_some() {
            return refusal(StatusCode::MISDIRECTED_REQUEST);
        }
        let is_script = self.flow == AuthorizationFlow::Implicit && target.path() == FRAGMENT_PATH;
        if !is_script && target.path() != self.path {
            return refusal(StatusCode::NOT_FOUND);
        }
        let method = if is_script { Method::POST } else { Method::GET };
        if request.method() != method {
            return Answer {
                allow: Some(if is_script { "POST" } else { "GET" }),
                ..refusal(StatusCode::METHOD_NOT_ALLOWED)
            };
        }
        if is_script {
            return self.fragment(request);
        }
        if !is_navigation(headers) {
            return refusal(StatusCode::FORBIDDEN);
        }
        let query = target.query().unwrap_or_default();
        if query.len() > CALLBACK_BYTES_MAX {
            return refusal(StatusCode::URI_TOO_LONG);
        }
        if self.flow == AuthorizationFlow::Implicit && !is_complaint(query) {
            return Answer::of(StatusCode::OK, Page::Script);
        }
        self.take(query)
    }

    /// The fragment that our own page posted.
    fn fragment(&self, request: &Request<Bytes>) -> Answer {
        let headers = request.headers();
        let origin = format!("http://{}", self.authorities().swap_remove(0));
        let is_ours = match headers.get("sec-fetch-site") {
            Some(site) => site == "same-origin",
            None => headers.get(ORIGIN).is_some_and(|it| it == origin.as_str()),
        };
        match std::str::from_utf8(request.body()) {
            Ok(fragment) if is_ours => self.take(fragment),
            _ => refusal(StatusCode::FORBIDDEN),
        }
    }

    fn take(&self, parameters: &str) -> Answer {
        let mut tell = self.tell.lock().unwrap_or_else(PoisonError::into_inner);
        if tell.is_none() {
            return refusal(StatusCode::GONE);
        }
        if !(self.judge)(parameters) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return refusal(StatusCode::BAD_REQUEST);
        }
        if let Some(tell) = tell.take() {
            // The receiver may just have given up.
            let _ = tell.send(Secret::new(parameters.to_owned()));
        }
        let page = if is_complaint(parameters) {
            Page::Denied
        } else {
            Page::Arrived
        };
        Answer::of(StatusCode::OK, page)
    }

    fn is_called_by_name(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return false;
        };
        self.authorities().iter().any(|it| host == it.as_str())
    }

    /// As a browser writes it: the scheme's own port is left out.
    fn authorities(&self) -> Vec<String> {
        let whole = self.at.to_string();
        match whole.strip_suffix(":80") {
            Some(short) => vec![short.to_owned(), whole],
            None => vec![whole],
        }
    }
}

/// A person's browser going somewhere, and not a page's script or frame (Fetch Metadata). Other programs say nothing.
fn is_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &str| headers.get(name).is_none_or(|it| it == wanted);
    let says_origin = headers.get(ORIGIN).is_some_and(|it| it != "null");
    is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
        && (!says_origin || headers.contains_key("sec-fetch-mode"))
}

/// Some servers put the errors of the implicit grant into the query. A token does not belong there.
fn is_complaint(query: &str) -> bool {
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    names.any(|it| it == "error") && !query.contains("access_token")
}

fn refusal(status: StatusCode) -> Answer {
    Answer::of(status, Page::Refused)
}

impl Answer {
    const fn of(status: StatusCode, page: Page) -> Self {
        Self {
            status,
            page,
            allow: None,
        }
    }

    fn into_response(self) -> Response<Bytes> {
        let mut response = callback_page::response(self.status, self.page);
        if let Some(allow) = self.allow {
            let allow = http::HeaderValue::from_static(allow);
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}
