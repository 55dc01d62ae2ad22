//! `/sandbox/…`: how another process inspects the sandbox and switches faults.

use http::{HeaderValue, Method, StatusCode, header::ALLOW};
use serde::Deserialize;
use serde_json::{Value, json};

use std::sync::Arc;

use super::{
    SandboxState,
    faults::{FaultControl, Faults},
    oauth::logins::log_in_as_json,
    operations,
    received_request::SandboxRequest,
    request_log::{REQUESTS_MAX, RequestRecord},
    response::SandboxResponse,
};

pub(super) const PREFIX: &str = "/sandbox/";

/// How many requests are shown unless `limit` says otherwise.
const DEFAULT_LIMIT: usize = 1_000;

/// Longest body of a POST.
const BODY_BYTES_MAX: usize = 4 * 1024;

/// Body of `POST /sandbox/logins`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginRequestBody {
    client_id: String,
}

/// Body of `POST /sandbox/clock`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockRequestBody {
    advance_seconds: u64,
}

pub(super) fn respond(state: &Arc<SandboxState>, request: &SandboxRequest) -> SandboxResponse {
    match request.path.strip_prefix(PREFIX) {
        Some("requests") => requests(state, request),
        Some("faults") => faults(state, request),
        Some("counts") => counts(state, request),
        Some("logins") => logins(state, request),
        Some("reset") => reset(state, request),
        Some("clock") => clock(state, request),
        Some("webhooks") => webhooks(state, request),
        _ => error_response(
            StatusCode::NOT_FOUND,
            "there are /sandbox/requests, /sandbox/faults, /sandbox/counts, /sandbox/logins, /sandbox/reset, \
             /sandbox/clock and /sandbox/webhooks",
        ),
    }
}

fn requests(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    match request.method {
        Method::GET => {
            let limit = request
                .query
                .number("limit")
                .and_then(|limit| usize::try_from(limit).ok())
                .unwrap_or(DEFAULT_LIMIT);
            let (last, count) = state.requests.last(limit.min(REQUESTS_MAX));
            let requests: Vec<Value> = last
                .iter()
                .map(|record| RequestRecord::to_json(record))
                .collect();
            SandboxResponse::ok(&json!({
                "seen": count,
                "token_calls": state.oauth.counts().token_calls.all(),
                "requests": requests,
            }))
        }
        Method::DELETE => {
            state.requests.clear();
            SandboxResponse::no_content()
        }
        _ => not_allowed("GET, DELETE"),
    }
}

fn faults(state: &Arc<SandboxState>, request: &SandboxRequest) -> SandboxResponse {
    let control = FaultControl::new(Arc::clone(state));
    match request.method {
        Method::GET => SandboxResponse::ok(&control.current()),
        Method::DELETE => {
            control.clear();
            SandboxResponse::no_content()
        }
        Method::POST if request.body.len() > BODY_BYTES_MAX => too_large(),
        Method::POST => match Faults::parse(&request.body) {
            Ok(faults) => {
                control.set(faults);
                SandboxResponse::ok(&control.current())
            }
            Err(bad) => error_response(StatusCode::BAD_REQUEST, &bad.to_string()),
        },
        _ => not_allowed("GET, POST, DELETE"),
    }
}

fn counts(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    match request.method {
        Method::GET => SandboxResponse::ok(&state.oauth.counts()),
        _ => not_allowed("GET"),
    }
}

fn logins(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    match request.method {
        Method::POST if request.body.len() > BODY_BYTES_MAX => too_large(),
        Method::POST => match log_in(state, &request.body) {
            Ok(tokens) => SandboxResponse::json(StatusCode::CREATED, &tokens),
            Err(sentence) => error_response(StatusCode::BAD_REQUEST, &sentence),
        },
        _ => not_allowed("POST"),
    }
}

fn log_in(state: &SandboxState, body: &[u8]) -> Result<Value, String> {
    let wanted: LoginRequestBody = serde_json::from_slice(body)
        .map_err(|error| format!("not an object with a client_id: {error}"))?;
    log_in_as_json(state, &wanted.client_id).map_err(|error| error.to_string())
}

fn reset(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    if request.method != Method::POST {
        return not_allowed("POST");
    }
    state.world.reset();
    state.cursors.clear();
    SandboxResponse::no_content()
}

fn clock(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    match request.method {
        Method::GET => {}
        Method::POST if request.body.len() > BODY_BYTES_MAX => return too_large(),
        Method::POST => match serde_json::from_slice::<ClockRequestBody>(&request.body) {
            Ok(body) => state.world.data().advance(body.advance_seconds),
            Err(error) => {
                let sentence = format!("not an object with advance_seconds: {error}");
                return error_response(StatusCode::BAD_REQUEST, &sentence);
            }
        },
        _ => return not_allowed("GET, POST"),
    }
    SandboxResponse::ok(&json!({ "now": state.world.data().now() }))
}

fn webhooks(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    match request.method {
        Method::GET => {
            let world = state.world.data();
            SandboxResponse::ok(&json!({ "webhooks": operations::webhooks(&world) }))
        }
        _ => not_allowed("GET"),
    }
}

fn too_large() -> SandboxResponse {
    error_response(StatusCode::PAYLOAD_TOO_LARGE, "at most 4 KiB")
}

fn error_response(status: StatusCode, sentence: &str) -> SandboxResponse {
    SandboxResponse::json(status, &json!({ "error": sentence }))
}

fn not_allowed(allowed: &'static str) -> SandboxResponse {
    error_response(StatusCode::METHOD_NOT_ALLOWED, allowed)
        .with(ALLOW, HeaderValue::from_static(allowed))
}
