//! The login endpoint: `POST /login` starts a user login from another machine, `POST /login/<id>` completes it with the callback
//! that the browser received. PKCE verifier, code exchange and tokens stay in this process. `POST /logout` revokes a login at
//! NinjaOne and deletes it here.

use std::{
    sync::{Arc, MutexGuard},
    time::Duration,
};

use arc_swap::ArcSwap;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    audit::{entry::AuditEvent, ledger::Ledger},
    credentials::{
        login::{
            authorization::{
                AuthorizationFlow, AuthorizationParams, AuthorizationRequest, AuthorizationResponse,
            },
            callback::{CALLBACK_BYTES_MAX, CallbackError},
            completion::{CompletedLogin, complete_login},
            logout::{LogoutOutcome, log_out},
        },
        store::{LoginStore, stored_login::Slot},
    },
    lock::Lock,
    random,
    tasks::Tasks,
};

use super::{
    access::{AdminAuthError, Operator},
    login_requests::LoginRequests,
    logout_report::{self, LogoutReport},
};

/// Logins that are under way at most.
pub const PENDING_MAX: usize = 8;

/// How long a login may take, in milliseconds.
pub const PENDING_MS_MAX: u64 = 300_000;

/// Longest body that begins a login.
pub const BEGIN_BYTES_MAX: usize = 8 * 1024;

/// Longest body that brings a callback; quotes around it and escapes in it take room.
pub const FINISH_BYTES_MAX: usize = CALLBACK_BYTES_MAX + 8 * 1024;

const PATH: &str = "/login";

const LOGOUT_PATH: &str = "/logout";

const SCHEMA: &str = "login/1";

const ID_RANDOM_BYTES: usize = 16;

/// A user identity that somebody can log in for.
#[derive(Clone)]
pub struct LoginTarget {
    pub slot: Slot,
    pub params: AuthorizationParams,
}

/// The desk for logins from other machines.
pub struct LoginEndpoint {
    targets: ArcSwap<Vec<LoginTarget>>,
    store: Option<LoginStore>,
    ledger: Ledger,
    /// Outlive the connection: a granted login is stored even if the client hangs up.
    tasks: Tasks,
    pending: Lock<Vec<PendingLogin>>,
    requests: LoginRequests,
}

struct PendingLogin {
    id: String,
    slot: Slot,
    expires_at: Instant,
    request: AuthorizationRequest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginLogin {
    #[serde(default)]
    tenant: Option<String>,
    /// Where the browser is awaited, for a native application with any port.
    #[serde(default)]
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FinishLogin {
    callback: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogOut {
    #[serde(default)]
    tenant: Option<String>,
}

/// A step that was not taken.
struct LoginEndpointError {
    status: StatusCode,
    error: &'static str,
    detail: String,
}

impl LoginEndpoint {
    /// What is granted is stored under `tasks`: they are to be waited for.
    #[must_use]
    pub fn new(store: Option<LoginStore>, ledger: Ledger, tasks: Tasks) -> Self {
        Self {
            targets: ArcSwap::default(),
            store,
            ledger,
            tasks,
            pending: Lock::default(),
            requests: LoginRequests::default(),
        }
    }

    /// Who asked for the logins and logouts that are to be seen in the store.
    #[must_use]
    pub fn requests(&self) -> LoginRequests {
        self.requests.clone()
    }

    /// What a new configuration says. Logins under way go on.
    pub fn set_targets(&self, targets: Vec<LoginTarget>) {
        self.targets.store(Arc::new(targets));
    }

    /// Whether a path is handled here.
    #[must_use]
    pub fn handles_path(path: &str) -> bool {
        path == PATH || path == LOGOUT_PATH || path.starts_with("/login/")
    }

    /// Status and body of the response to a request whose host and origin were checked.
    pub async fn respond(
        self: &Arc<Self>,
        request: &Request<Bytes>,
        operator: &Operator,
    ) -> Response<Value> {
        if request.uri().path() == LOGOUT_PATH {
            let outcome = self.log_out(request.body(), operator).await;
            return outcome.map_or_else(LoginEndpointError::into_logout_response, Response::new);
        }
        let outcome = self.dispatch(request, operator).await;
        outcome.map_or_else(LoginEndpointError::into_response, Response::new)
    }

    /// The response to somebody who may not log users in.
    pub(super) fn refuse(error: &AdminAuthError) -> Response<Value> {
        failed(error.status(), "not-permitted", &error.to_string()).into_response()
    }

    /// The response to a request that is not made as a login is; its body need not be read.
    pub(super) fn reject_early(method: &Method) -> Option<Response<Value>> {
        if *method == Method::POST {
            return None;
        }
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Some(failed(status, "method", "only POST").into_response())
    }

    async fn dispatch(
        self: &Arc<Self>,
        request: &Request<Bytes>,
        operator: &Operator,
    ) -> Result<Value, LoginEndpointError> {
        let id = request.uri().path().strip_prefix("/login/");
        match id {
            None => {
                self.begin(parse_body(request.body(), BEGIN_BYTES_MAX)?)
                    .await
            }
            Some(id) => {
                let finish: FinishLogin = parse_body(request.body(), FINISH_BYTES_MAX)?;
                self.finish(id, &finish.callback, operator.describe()).await
            }
        }
    }

    async fn begin(&self, begin: BeginLogin) -> Result<Value, LoginEndpointError> {
        let LoginTarget {
            slot,
            params: wanted,
        } = self.target(begin.tenant.as_deref())?;
        let wanted = match begin.port {
            Some(port) if port > 0 => wanted.with_port(port),
            _ if wanted.needs_port() => {
                let detail = "say with `port` where the browser is awaited";
                return Err(failed(StatusCode::BAD_REQUEST, "port-needed", detail));
            }
            _ => wanted,
        };
        let (client_id, scopes) = (wanted.application.client_id.clone(), wanted.scopes.clone());
        let request = AuthorizationRequest::begin(wanted).await;
        let request = request.map_err(|error| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            failed(status, error.as_str(), &error.to_string())
        })?;
        let id = random::bytes::<ID_RANDOM_BYTES>().ok_or_else(|| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            failed(status, "no-randomness", "the system provides no randomness")
        })?;
        let id = BASE64_URL_SAFE_NO_PAD.encode(id);
        let told = json!({
            "schema": SCHEMA,
            "next_step": "open",
            "id": &id,
            "tenant": slot.tenant.as_str(),
            "identity": slot.identity.as_str(),
            "authorize_url": request.url(),
            "redirect_uri": request.redirect_uri(),
            "client_id": client_id,
            "grant": match request.flow() { AuthorizationFlow::Code => "code", AuthorizationFlow::Implicit => "implicit" },
            "scopes": scopes,
            "expires_in": PENDING_MS_MAX / 1000,
        });
        let mut pending = self.pending();
        if pending.len() >= PENDING_MAX {
            let detail = format!("{PENDING_MAX} logins are under way; wait for one to end");
            return Err(failed(StatusCode::TOO_MANY_REQUESTS, "busy", &detail));
        }
        pending.push(PendingLogin {
            id,
            slot,
            expires_at: Instant::now() + Duration::from_millis(PENDING_MS_MAX),
            request,
        });
        Ok(told)
    }

    /// The only target if none is named.
    fn target(&self, tenant: Option<&str>) -> Result<LoginTarget, LoginEndpointError> {
        let targets = self.targets.load();
        let mut found = targets
            .iter()
            .filter(|it| tenant.is_none_or(|name| it.slot.tenant.as_str() == name));
        match (found.next(), found.next()) {
            (Some(target), None) => Ok(target.clone()),
            (None, _) => {
                let detail = match names(&targets).as_str() {
                    "" => "no tenant has a user identity".to_owned(),
                    names => {
                        format!("there is no such tenant with a user identity; there is: {names}")
                    }
                };
                Err(failed(StatusCode::NOT_FOUND, "tenant-unknown", &detail))
            }
            (Some(_), Some(_)) => {
                let detail = format!(
                    "several tenants have a user identity: name one of {}",
                    names(&targets)
                );
                Err(failed(StatusCode::BAD_REQUEST, "tenant-needed", &detail))
            }
        }
    }

    async fn finish(
        self: &Arc<Self>,
        id: &str,
        callback: &str,
        by: String,
    ) -> Result<Value, LoginEndpointError> {
        let (pending, received) = self.take_callback(id, callback, &by)?;
        let store = self.store()?;
        let (tell, told) = oneshot::channel();
        let desk = Arc::clone(self);
        self.tasks.spawn(async move {
            let PendingLogin { slot, request, .. } = pending;
            desk.requests.note(&slot, by.clone());
            let outcome = complete_login(request, received, &store, &slot).await;
            if outcome.is_ok() {
                desk.requests.shown(&slot).await;
            } else {
                desk.requests.forget(&slot);
                desk.record_failure(&slot, &by);
            }
            // Whoever asked may have hung up.
            let _ = tell.send((slot, outcome));
        });
        let Ok((slot, outcome)) = told.await else {
            return Err(stopping());
        };
        match outcome {
            Ok(completed) => Ok(completed_json(&slot, &completed)),
            Err(error) => {
                let status = StatusCode::BAD_GATEWAY;
                Err(failed(status, error.as_str(), &error.to_string()))
            }
        }
    }

    /// `logout/1` with `exit`.
    async fn log_out(
        self: &Arc<Self>,
        body: &[u8],
        operator: &Operator,
    ) -> Result<Value, LoginEndpointError> {
        let LogOut { tenant } = parse_body(body, BEGIN_BYTES_MAX)?;
        let LoginTarget { slot, params } = self.target(tenant.as_deref())?;
        let store = self.store()?;
        let (tell, told) = oneshot::channel();
        let (desk, by) = (Arc::clone(self), operator.describe());
        // Goes on if the client hangs up: what is revoked must be deleted.
        self.tasks.spawn(async move {
            desk.requests.note(&slot, by.clone());
            let outcome = log_out(&params.application, &store, &slot).await;
            match &outcome {
                Ok(LogoutOutcome::NotLoggedIn) => desk.requests.forget(&slot),
                Ok(_) => desk.requests.shown(&slot).await,
                Err(_) => {
                    desk.requests.forget(&slot);
                    desk.record(&slot, "logout-failed", &by);
                }
            }
            let _ = tell.send(LogoutReport::of(&slot, &outcome));
        });
        let report = told.await.map_err(|_| stopping())?;
        let mut document = report.document();
        document["exit"] = report.exit_code.into();
        Ok(document)
    }

    fn store(&self) -> Result<LoginStore, LoginEndpointError> {
        self.store.clone().ok_or_else(|| {
            let detail = "there is no store for logins: set store.seal";
            failed(StatusCode::CONFLICT, "store", detail)
        })
    }

    /// Takes the login out if this is its end, one way or the other. What does not belong to it changes nothing.
    fn take_callback(
        &self,
        id: &str,
        callback: &str,
        by: &str,
    ) -> Result<(PendingLogin, AuthorizationResponse), LoginEndpointError> {
        let mut pending = self.pending();
        let Some(at) = pending.iter().position(|it| it.id == id) else {
            let detail = "there is no such login: it is over, or took too long";
            return Err(failed(StatusCode::NOT_FOUND, "login-unknown", detail));
        };
        let outcome = match pending.get(at) {
            Some(found) => found.request.parse_pasted(callback),
            None => Err(CallbackError::NoCodeOrToken),
        };
        match outcome {
            Ok(received) => Ok((pending.swap_remove(at), received)),
            Err(error) => {
                if error.ends_login() {
                    let ended = pending.swap_remove(at);
                    self.record_failure(&ended.slot, by);
                }
                let status = StatusCode::CONFLICT;
                Err(failed(status, error.as_str(), &error.to_string()))
            }
        }
    }

    fn record_failure(&self, slot: &Slot, by: &str) {
        self.record(slot, "failed", by);
    }

    fn record(&self, slot: &Slot, result: &'static str, by: &str) {
        self.ledger.event(AuditEvent::Login {
            tenant: slot.tenant.as_str().into(),
            identity: slot.identity,
            result,
            by: Some(by.into()),
        });
    }

    /// Those that have not taken too long.
    fn pending(&self) -> MutexGuard<'_, Vec<PendingLogin>> {
        let mut pending = self.pending.lock();
        let now = Instant::now();
        pending.retain(|it| it.expires_at > now);
        pending
    }
}

fn completed_json(slot: &Slot, completed: &CompletedLogin) -> Value {
    json!({
        "schema": SCHEMA,
        "next_step": "done",
        "tenant": slot.tenant.as_str(),
        "identity": slot.identity.as_str(),
        "scopes": &completed.scopes,
        "renewable": completed.renewable,
        "expires_at": completed.expires_at.map(|it| it.to_string()),
    })
}

fn parse_body<'a, T: Deserialize<'a>>(
    body: &'a [u8],
    bytes_max: usize,
) -> Result<T, LoginEndpointError> {
    if body.len() > bytes_max {
        let detail = format!("at most {bytes_max} bytes");
        return Err(failed(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &detail));
    }
    // What is wrong with it is not repeated: it may hold a code.
    serde_json::from_slice(body).map_err(|_| {
        let detail = "the body is a JSON object: {\"tenant\":…}, or {\"callback\":…} for a login";
        failed(StatusCode::BAD_REQUEST, "bad-request", detail)
    })
}

fn failed(status: StatusCode, error: &'static str, detail: &str) -> LoginEndpointError {
    LoginEndpointError {
        status,
        error,
        detail: detail.to_owned(),
    }
}

fn stopping() -> LoginEndpointError {
    failed(
        StatusCode::SERVICE_UNAVAILABLE,
        "stopping",
        "the proxy is stopping",
    )
}

impl LoginEndpointError {
    fn into_logout_response(self) -> Response<Value> {
        let body = json!({
            "schema": logout_report::SCHEMA,
            "forgotten": false,
            "revoked": false,
            "error": self.error,
            "detail": self.detail,
        });
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response
    }

    fn into_response(self) -> Response<Value> {
        let body = json!({
            "schema": SCHEMA,
            "next_step": "failed",
            "error": self.error,
            "detail": self.detail,
        });
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response
    }
}

/// Whom somebody can log in to.
fn names(targets: &[LoginTarget]) -> String {
    let names = targets.iter().map(|it| it.slot.tenant.as_str());
    names.collect::<Vec<_>>().join(", ")
}
