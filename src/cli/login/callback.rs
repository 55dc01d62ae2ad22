//! Where the browser comes back to (RFC 8252 section 7.3): a listener on the loopback for one login.
//!
//! Any program on this machine and any page in the browser can send requests here, so only a request with the login's
//! `state` ends the wait; everything else is refused without effect.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
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
    lock::Lock,
    net::server::one_shot::{self, HeadDecision, OneShotLimits},
    secret::Secret,
    tasks::Tasks,
};

use super::{
    callback_page::{self, CallbackPage, FRAGMENT_PATH},
    error::LoginCommandError,
};

/// Decides whether parameters belong to the login.
pub(super) type CallbackMatcher = Arc<dyn Fn(&str) -> bool + Send + Sync>;

const BOUNDS: OneShotLimits = OneShotLimits {
    connections_max: 16,
    head_timeout_ms: 10_000,
    connection_timeout_ms: 20_000,
    // A query of the longest kind, and what browsers send besides.
    head_bytes_max: CALLBACK_BYTES_MAX + 24 * 1024,
    body_bytes_max: CALLBACK_BYTES_MAX,
};

/// Longest time to send the last response.
const CLOSE_TIMEOUT_MS: u64 = 900;

/// A bound socket that does not respond yet: bound before anything is shown, so that no other program can take the port.
pub(super) struct CallbackSocket {
    listener: TcpListener,
    pub(super) address: SocketAddr,
}

impl CallbackSocket {
    pub(super) async fn bind(at: SocketAddr) -> Result<Self, LoginCommandError> {
        let listener = TcpListener::bind(at).await;
        let bound = listener.and_then(|it| Ok((it.local_addr()?, it)));
        let (at, listener) = bound.map_err(|error| LoginCommandError::from_bind(at, &error))?;
        Ok(Self {
            listener,
            address: at,
        })
    }

    /// Starts to respond. `path` is that of the redirect URI.
    pub(super) fn serve(
        self,
        path: String,
        flow: AuthorizationFlow,
        matcher: CallbackMatcher,
    ) -> CallbackListener {
        let (sender, received) = oneshot::channel();
        let (tasks, rejected) = (Tasks::new(), Arc::<AtomicU32>::default());
        let server = Arc::new(CallbackServer {
            address: self.address,
            path,
            flow,
            matcher,
            sender: Lock::new(Some(sender)),
            rejected: Arc::clone(&rejected),
        });
        let serving = one_shot::serve(self.listener, BOUNDS, server, tasks.clone());
        tasks.spawn(serving);
        CallbackListener {
            tasks,
            received,
            rejected,
        }
    }
}

/// A listener for one login. It ends with its tasks at the latest.
pub(super) struct CallbackListener {
    tasks: Tasks,
    received: oneshot::Receiver<Secret<String>>,
    rejected: Arc<AtomicU32>,
}

impl CallbackListener {
    /// The parameters of the callback, once.
    pub(super) async fn received(&mut self) -> Option<Secret<String>> {
        (&mut self.received).await.ok()
    }

    /// The number of requests that did not belong to this login.
    pub(super) fn rejected_count(&self) -> u32 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// Stops accepting at once; the response under way may finish.
    pub(super) async fn close(self) {
        self.tasks.request_shutdown();
        self.tasks
            .join_timeout(Duration::from_millis(CLOSE_TIMEOUT_MS))
            .await;
    }
}

struct CallbackServer {
    address: SocketAddr,
    path: String,
    flow: AuthorizationFlow,
    matcher: CallbackMatcher,
    /// Taken by the only callback.
    sender: Lock<Option<oneshot::Sender<Secret<String>>>>,
    rejected: Arc<AtomicU32>,
}

/// A response under construction.
struct CallbackResponse {
    status: StatusCode,
    page: CallbackPage,
    allow: Option<&'static str>,
}

impl one_shot::OneShotHandler for CallbackServer {
    /// What is no callback is refused with its body read or not: nobody waits here but a browser.
    fn check_head(&self, _: &Request<()>) -> HeadDecision {
        HeadDecision::ReadBody
    }

    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.respond(&request).into_response()
    }
}

impl CallbackServer {
    fn respond(&self, request: &Request<Bytes>) -> CallbackResponse {
        let (target, headers) = (request.uri(), request.headers());
        if !self.has_own_host(headers) || target.authority().is_some() {
            return rejection(StatusCode::MISDIRECTED_REQUEST);
        }
        let is_script = self.flow == AuthorizationFlow::Implicit && target.path() == FRAGMENT_PATH;
        if !is_script && target.path() != self.path {
            return rejection(StatusCode::NOT_FOUND);
        }
        let method = if is_script { Method::POST } else { Method::GET };
        if request.method() != method {
            return CallbackResponse {
                allow: Some(if is_script { "POST" } else { "GET" }),
                ..rejection(StatusCode::METHOD_NOT_ALLOWED)
            };
        }
        if is_script {
            return self.receive_fragment(request);
        }
        if !is_navigation(headers) {
            return rejection(StatusCode::FORBIDDEN);
        }
        let query = target.query().unwrap_or_default();
        if query.len() > CALLBACK_BYTES_MAX {
            return rejection(StatusCode::URI_TOO_LONG);
        }
        if self.flow == AuthorizationFlow::Implicit && !is_error_response(query) {
            return CallbackResponse::of(StatusCode::OK, CallbackPage::FragmentScript);
        }
        self.receive_callback(query)
    }

    /// The fragment that our own page posted.
    fn receive_fragment(&self, request: &Request<Bytes>) -> CallbackResponse {
        let headers = request.headers();
        let origin = format!("http://{}", self.authorities().swap_remove(0));
        let is_ours = match headers.get("sec-fetch-site") {
            Some(site) => site == "same-origin",
            None => headers.get(ORIGIN).is_some_and(|it| it == origin.as_str()),
        };
        match std::str::from_utf8(request.body()) {
            Ok(fragment) if is_ours => self.receive_callback(fragment),
            _ => rejection(StatusCode::FORBIDDEN),
        }
    }

    fn receive_callback(&self, parameters: &str) -> CallbackResponse {
        let mut sender = self.sender.lock();
        if sender.is_none() {
            return rejection(StatusCode::GONE);
        }
        if !(self.matcher)(parameters) {
            self.rejected.fetch_add(1, Ordering::Relaxed);
            return rejection(StatusCode::BAD_REQUEST);
        }
        if let Some(sender) = sender.take() {
            // The receiver may just have given up.
            let _ = sender.send(Secret::new(parameters.to_owned()));
        }
        let page = if is_error_response(parameters) {
            CallbackPage::Denied
        } else {
            CallbackPage::Received
        };
        CallbackResponse::of(StatusCode::OK, page)
    }

    fn has_own_host(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return false;
        };
        self.authorities().iter().any(|it| host == it.as_str())
    }

    /// As a browser writes it: the scheme's own port is left out.
    fn authorities(&self) -> Vec<String> {
        let whole = self.address.to_string();
        match whole.strip_suffix(":80") {
            Some(short) => vec![short.to_owned(), whole],
            None => vec![whole],
        }
    }
}

/// A navigation by the user, not a page's script or frame (Fetch Metadata). Other programs do not send these headers.
fn is_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &str| headers.get(name).is_none_or(|it| it == wanted);
    let says_origin = headers.get(ORIGIN).is_some_and(|it| it != "null");
    is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
        && (!says_origin || headers.contains_key("sec-fetch-mode"))
}

/// Some servers put the errors of the implicit grant into the query. A token does not belong there.
fn is_error_response(query: &str) -> bool {
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    names.any(|it| it == "error") && !query.contains("access_token")
}

fn rejection(status: StatusCode) -> CallbackResponse {
    CallbackResponse::of(status, CallbackPage::Rejected)
}

impl CallbackResponse {
    const fn of(status: StatusCode, page: CallbackPage) -> Self {
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
