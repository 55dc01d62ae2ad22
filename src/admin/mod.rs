//! ADMIN: probes, status, metrics and logins, on listeners of their own. Everything is pulled on request: nothing here counts.

pub mod access;
pub mod accounts;
pub mod audit_report;
pub mod control;
mod diagnosis;
mod duration_text;
pub mod explain;
pub mod health;
pub mod inquiries;
pub mod login_endpoint;
pub mod login_requests;
pub mod logout_report;
pub mod metrics;
pub mod metrics_format;
pub mod metrics_snapshot;
mod operator_action;
pub mod overall_health;
pub mod plain_text;
mod responses;
pub mod server;
pub mod status_snapshot;
pub mod trouble;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, HOST, ORIGIN, VARY},
};

use crate::{
    net::{
        peer::Peer,
        request::allowed_hosts::{AllowedHosts, HostMatch},
    },
    watchdog::Watchdog,
};

use self::{
    access::{AdminAccess, AdminAuthError, Operator, Viewer},
    control::Control,
    health::{ProbeCheck, ReadinessCondition},
    inquiries::{Inquiries, Inquiry},
    login_endpoint::LoginEndpoint,
    metrics_format::MetricsFormat,
    metrics_snapshot::MetricsSnapshot,
    operator_action::OperatorAction,
    responses::{JSON, json_response, method_refused, response, text_response, unauthorized},
    status_snapshot::StatusSnapshot,
};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Names for this machine itself. A page of someone else's cannot have one of them as its own, which is what the list of
/// hosts keeps out; so they are always answered, and `status` works whatever the list says.
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Takes the snapshot that `/status` and the probes show.
pub type StatusSource = Box<dyn Fn() -> StatusSnapshot + Send + Sync>;
/// Takes the numbers that `/metrics` shows.
pub type MetricsSource = Box<dyn Fn() -> MetricsSnapshot + Send + Sync>;
/// Gives the settings in force, as `config show --json` prints them.
pub type ConfigSource = Box<dyn Fn() -> serde_json::Value + Send + Sync>;

/// Answers `GET` and `HEAD` of `/livez`, `/readyz` and `/startupz` to anybody, of `/metrics`, `/status` and `/config` to those
/// who may look, `POST` of `/explain`, `/audit/verify` and `/doctor` to them as well, and `POST` of `/login`, `/logout`, `/reload`
/// and `/drain` to operators.
pub struct AdminService {
    status: StatusSource,
    readiness: ReadinessCondition,
    endpoints: EndpointSet,
    access: Arc<ArcSwap<AdminAccess>>,
    logins: Option<Arc<LoginEndpoint>>,
    control: Option<(Control, ConfigSource)>,
    inquiries: Option<Arc<Inquiries>>,
    watchdog: Option<Watchdog>,
}

enum EndpointSet {
    /// Everything, to those who call us by a name that we have.
    All {
        metrics: Option<MetricsSource>,
        hosts: AllowedHosts,
    },
    /// The probes alone, by whatever name: a kubelet calls a pod by its address. Says yes or no, and not why.
    ProbesOnly,
    /// `/metrics` alone, by whatever name: a scraper calls a pod by its address.
    MetricsOnly(MetricsSource),
}

enum AdminEndpoint {
    Livez,
    Readyz,
    Startupz,
    Metrics,
    Status,
    Config,
}

impl AdminService {
    /// `hosts` are names without port, besides those of the loopback; without `figures` there is no `/metrics`.
    #[must_use]
    pub fn new(
        status: StatusSource,
        figures: Option<MetricsSource>,
        readiness: ReadinessCondition,
        hosts: Vec<String>,
    ) -> Self {
        let always = LOOPBACK_HOSTS.into_iter().map(str::to_owned);
        Self {
            status,
            readiness,
            endpoints: EndpointSet::All {
                metrics: figures,
                hosts: AllowedHosts::new(always.chain(hosts)),
            },
            access: Arc::default(),
            logins: None,
            control: None,
            inquiries: None,
            watchdog: None,
        }
    }

    /// Makes `/livez` fail while a part of the program has stalled.
    #[must_use]
    pub fn with_watchdog(self, watchdog: Watchdog) -> Self {
        Self {
            watchdog: Some(watchdog),
            ..self
        }
    }

    /// Who may look and who may change something; without it nobody may.
    #[must_use]
    pub fn with_access(self, access: Arc<ArcSwap<AdminAccess>>) -> Self {
        Self { access, ..self }
    }

    /// Whether this user of the admin socket has a role as such, without a key.
    fn has_account(&self, uid: u32) -> bool {
        self.access.load().has_account(uid)
    }

    /// Lets operators reload and stop the program, and see its configuration.
    #[must_use]
    pub fn with_control(self, control: Control, config: ConfigSource) -> Self {
        Self {
            control: Some((control, config)),
            ..self
        }
    }

    /// Lets those who may look ask why, and what is wrong.
    #[must_use]
    pub fn with_inquiries(self, inquiries: Arc<Inquiries>) -> Self {
        Self {
            inquiries: Some(inquiries),
            ..self
        }
    }

    /// Lets operators log users in from other machines.
    #[must_use]
    pub fn with_logins(self, logins: Arc<LoginEndpoint>) -> Self {
        Self {
            logins: Some(logins),
            ..self
        }
    }

    /// A listener that serves probes and nothing else.
    #[must_use]
    pub fn probes_only(status: StatusSource, readiness: ReadinessCondition) -> Self {
        Self {
            status,
            readiness,
            endpoints: EndpointSet::ProbesOnly,
            access: Arc::default(),
            logins: None,
            control: None,
            inquiries: None,
            watchdog: None,
        }
    }

    /// A listener that serves `/metrics` and nothing else.
    #[must_use]
    pub fn metrics_only(status: StatusSource, figures: MetricsSource) -> Self {
        Self {
            status,
            readiness: ReadinessCondition::Listening,
            endpoints: EndpointSet::MetricsOnly(figures),
            access: Arc::default(),
            logins: None,
            control: None,
            inquiries: None,
            watchdog: None,
        }
    }

    /// The response to a request by its head alone; none for an operator's that changes something: then its body counts.
    #[must_use]
    pub fn respond_to_head(&self, head: &Request<()>) -> Option<Response<Bytes>> {
        let path = head.uri().path();
        if let Some(refusal) = self.reject_early(head.headers()) {
            return Some(refusal);
        }
        if self.logins.is_some() && LoginEndpoint::handles_path(path) {
            let refusal = match self.operator(head) {
                Ok(_) => LoginEndpoint::reject_early(head.method()),
                Err(error) => Some(LoginEndpoint::refuse(&error)),
            };
            return refusal.map(json_response);
        }
        if self.control.is_some() && OperatorAction::at(path).is_some() {
            return self.authorize_action(head).err().map(|refusal| *refusal);
        }
        if self.inquiries.is_some() && Inquiry::at(path).is_some() {
            return self.authorize_inquiry(head).err().map(|refusal| *refusal);
        }
        Some(self.look(head))
    }

    /// The response to a request with its complete body.
    pub async fn respond(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        if let Some(refusal) = self.reject_early(request.headers()) {
            return refusal;
        }
        if let Some(logins) = &self.logins
            && LoginEndpoint::handles_path(path)
        {
            return json_response(match self.operator(request) {
                Ok(operator) => logins.respond(request, &operator).await,
                Err(error) => LoginEndpoint::refuse(&error),
            });
        }
        if let (Some((control, _)), Some(action)) = (&self.control, OperatorAction::at(path)) {
            return match self.authorize_action(request) {
                Ok(operator) => action.run(control, &operator).await,
                Err(refusal) => *refusal,
            };
        }
        if let (Some(inquiries), Some(inquiry)) = (&self.inquiries, Inquiry::at(path)) {
            return match self.authorize_inquiry(request) {
                Ok(viewer) => {
                    let operator = self.operator(request);
                    let asked = inquiries.respond(inquiry, request, &viewer, operator);
                    json_response(asked.await)
                }
                Err(refusal) => *refusal,
            };
        }
        self.look(request)
    }

    fn operator<B>(&self, request: &Request<B>) -> Result<Operator, AdminAuthError> {
        let peer = request.extensions().get::<Peer>().copied();
        self.access.load().operator(peer, request.headers())
    }

    fn authorize_action<B>(&self, request: &Request<B>) -> Result<Operator, Box<Response<Bytes>>> {
        let operator = self
            .operator(request)
            .map_err(|error| Box::new(unauthorized(&error)))?;
        if *request.method() == Method::POST {
            return Ok(operator);
        }
        Err(Box::new(method_refused("only POST\n", "POST")))
    }

    fn authorize_inquiry<B>(&self, request: &Request<B>) -> Result<Viewer, Box<Response<Bytes>>> {
        let peer = request.extensions().get::<Peer>().copied();
        let viewer = self.access.load().known_viewer(peer, request.headers());
        let viewer = viewer.map_err(|error| Box::new(unauthorized(&error)))?;
        if *request.method() == Method::POST {
            return Ok(viewer);
        }
        Err(Box::new(method_refused("only POST\n", "POST")))
    }

    fn look<B>(&self, request: &Request<B>) -> Response<Bytes> {
        let peer = request.extensions().get::<Peer>().copied();
        let (target, headers) = (request.uri(), request.headers());
        self.respond_without_body(
            peer,
            request.method(),
            target.path(),
            target.query(),
            headers,
        )
    }

    /// The response to a request whose body is not looked at: one that changes nothing.
    #[must_use]
    pub fn respond_without_body(
        &self,
        peer: Option<Peer>,
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Response<Bytes> {
        if let Some(refusal) = self.reject_early(headers) {
            return refusal;
        }
        let Some(page) = self.route(path) else {
            return text_response(StatusCode::NOT_FOUND, "there is nothing here\n");
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return method_refused("only GET and HEAD\n", "GET, HEAD");
        }
        let needs_no_proof = matches!(self.endpoints, EndpointSet::MetricsOnly(_));
        match page {
            AdminEndpoint::Livez | AdminEndpoint::Readyz | AdminEndpoint::Startupz => {
                self.render_probe(&page, query)
            }
            AdminEndpoint::Metrics if needs_no_proof => {
                self.metrics(MetricsFormat::negotiate(headers))
            }
            AdminEndpoint::Metrics | AdminEndpoint::Status | AdminEndpoint::Config => {
                let access = self.access.load();
                let viewer = match page {
                    AdminEndpoint::Config => access.known_viewer(peer, headers),
                    _ => access.viewer(peer, headers),
                };
                match viewer {
                    Ok(viewer) => self.render(&page, headers, &viewer),
                    Err(error) => unauthorized(&error),
                }
            }
        }
    }

    fn reject_early(&self, headers: &HeaderMap) -> Option<Response<Bytes>> {
        let (status, sentence) = if !self.is_known_host(headers) {
            (
                StatusCode::MISDIRECTED_REQUEST,
                "this host name is not served here: see admin.hosts\n",
            )
        } else if is_from_web_page(headers) {
            (
                StatusCode::FORBIDDEN,
                "requests from web pages are refused\n",
            )
        } else {
            return None;
        };
        Some(text_response(status, sentence))
    }

    fn is_known_host(&self, headers: &HeaderMap) -> bool {
        let EndpointSet::All { hosts, .. } = &self.endpoints else {
            return true;
        };
        let mut named = headers.get_all(HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return false;
        };
        hosts.check(host.as_bytes()) == HostMatch::Allowed
    }

    fn route(&self, path: &str) -> Option<AdminEndpoint> {
        let page = match path {
            "/livez" => AdminEndpoint::Livez,
            "/readyz" => AdminEndpoint::Readyz,
            "/startupz" => AdminEndpoint::Startupz,
            "/metrics" => AdminEndpoint::Metrics,
            "/status" => AdminEndpoint::Status,
            "/config" => AdminEndpoint::Config,
            _ => return None,
        };
        let offered = match (&self.endpoints, &page) {
            (EndpointSet::MetricsOnly(_), page) => matches!(page, AdminEndpoint::Metrics),
            (
                EndpointSet::ProbesOnly,
                AdminEndpoint::Metrics | AdminEndpoint::Status | AdminEndpoint::Config,
            ) => false,
            (EndpointSet::All { .. }, AdminEndpoint::Config) => self.control.is_some(),
            (
                EndpointSet::All {
                    metrics: figures, ..
                },
                AdminEndpoint::Metrics,
            ) => figures.is_some(),
            (
                _,
                AdminEndpoint::Livez
                | AdminEndpoint::Readyz
                | AdminEndpoint::Startupz
                | AdminEndpoint::Status,
            ) => true,
        };
        offered.then_some(page)
    }

    fn render_probe(&self, page: &AdminEndpoint, query: Option<&str>) -> Response<Bytes> {
        match page {
            // Looks at our own parts alone: a restart repairs nothing that is wrong at NinjaOne.
            AdminEndpoint::Livez => {
                let parts = self.watchdog.as_ref().map(Watchdog::parts);
                let checks = health::liveness(&parts.unwrap_or_default());
                self.probe("livez", &checks, query)
            }
            AdminEndpoint::Readyz => self.probe(
                "readyz",
                &health::readiness(&(self.status)(), self.readiness),
                query,
            ),
            _ => self.probe("startupz", &health::startup(&(self.status)()), query),
        }
    }

    fn render(
        &self,
        page: &AdminEndpoint,
        headers: &HeaderMap,
        _viewer: &Viewer,
    ) -> Response<Bytes> {
        match (page, &self.control) {
            (AdminEndpoint::Metrics, _) => self.metrics(MetricsFormat::negotiate(headers)),
            (AdminEndpoint::Config, Some((_, config))) => {
                response(StatusCode::OK, JSON, config().to_string().into_bytes())
            }
            _ => match serde_json::to_vec(&(self.status)()) {
                Ok(object) => response(StatusCode::OK, JSON, object),
                Err(_) => text_response(StatusCode::INTERNAL_SERVER_ERROR, "no status\n"),
            },
        }
    }

    fn probe(&self, name: &str, checks: &[ProbeCheck], query: Option<&str>) -> Response<Bytes> {
        let status = if checks.iter().all(ProbeCheck::is_passed) {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let with_reasons = matches!(self.endpoints, EndpointSet::All { .. });
        let verbose = query.is_some_and(is_verbose);
        text_response(
            status,
            &health::probe_body(name, checks, verbose, with_reasons),
        )
    }

    fn metrics(&self, format: MetricsFormat) -> Response<Bytes> {
        let (EndpointSet::All {
            metrics: Some(figures),
            ..
        }
        | EndpointSet::MetricsOnly(figures)) = &self.endpoints
        else {
            return text_response(StatusCode::NOT_FOUND, "there is nothing here\n");
        };
        match metrics::render(figures()) {
            Ok(page) => {
                let page = format.convert(page).into_bytes();
                let mut response = response(StatusCode::OK, format.content_type(), page);
                let vary = HeaderValue::from_name(ACCEPT);
                response.headers_mut().insert(VARY, vary);
                response
            }
            Err(_) => text_response(StatusCode::INTERNAL_SERVER_ERROR, "no metrics\n"),
        }
    }
}

/// A browser says so by itself when a page, not its user, makes a request (Fetch Metadata; `Origin`, RFC 6454 section 7).
fn is_from_web_page(headers: &HeaderMap) -> bool {
    let across = headers
        .get_all(SEC_FETCH_SITE)
        .iter()
        .any(|site| site != "none");
    across || headers.contains_key(ORIGIN)
}

fn is_verbose(query: &str) -> bool {
    query
        .split('&')
        .any(|pair| pair == "verbose" || pair.starts_with("verbose="))
}
