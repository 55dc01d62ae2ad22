//! `/sandbox/…`: how another process inspects the sandbox and switches faults.

use http::{HeaderValue, Method, StatusCode, header::ALLOW};
use serde::Deserialize;
use serde_json::{Value, json};

use std::sync::Arc;

use super::{
    State,
    exchange::Asked,
    faults::{FaultDesk, Faults},
    oauth::logins::log_in_as_json,
    request_log::{REQUESTS_MAX, Seen},
    response::Answer,
};

pub(super) const PREFIX: &str = "/sandbox/";

/// How many requests are shown unless `limit` says otherwise.
const SHOWN_BY_DEFAULT: usize = 1_000;

/// Longest body of a POST.
const BODY_BYTES_MAX: usize = 4 * 1024;

/// Body of `POST /sandbox/logins`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginWanted {
    client_id: String,
}

pub(super) fn answer(state: &Arc<State>, asked: &Asked) -> Answer {
    match asked.path.strip_prefix(PREFIX) {
        Some("requests") => requests(state, asked),
        Some("faults") => faults(state, asked),
        Some("counts") => counts(state, asked),
        Some("logins") => logins(state, asked),
        _ => complaint(
            StatusCode::NOT_FOUND,
            "there are /sandbox/requests, /sandbox/faults, /sandbox/counts and /sandbox/logins",
        ),
    }
}

fn requests(state: &State, asked: &Asked) -> Answer {
    match asked.method {
        Method::GET => {
            let limit = asked
                .query
                .number("limit")
                .and_then(|limit| usize::try_from(limit).ok())
                .unwrap_or(SHOWN_BY_DEFAULT);
            let (last, count) = state.seen.last(limit.min(REQUESTS_MAX));
            let requests: Vec<Value> = last.iter().map(|seen| Seen::to_json(seen)).collect();
            Answer::ok(&json!({
                "seen": count,
                "token_calls": state.oauth.counts().token_calls.all(),
                "requests": requests,
            }))
        }
        Method::DELETE => {
            state.seen.clear();
            Answer::no_content()
        }
        _ => not_allowed("GET, DELETE"),
    }
}

fn faults(state: &Arc<State>, asked: &Asked) -> Answer {
    let desk = FaultDesk::new(Arc::clone(state));
    match asked.method {
        Method::GET => Answer::ok(&desk.now()),
        Method::DELETE => {
            desk.clear();
            Answer::no_content()
        }
        Method::POST if asked.body.len() > BODY_BYTES_MAX => too_large(),
        Method::POST => match Faults::parse(&asked.body) {
            Ok(faults) => {
                desk.set(faults);
                Answer::ok(&desk.now())
            }
            Err(bad) => complaint(StatusCode::BAD_REQUEST, &bad.to_string()),
        },
        _ => not_allowed("GET, POST, DELETE"),
    }
}

fn counts(state: &State, asked: &Asked) -> Answer {
    match asked.method {
        Method::GET => Answer::ok(&state.oauth.counts()),
        _ => not_allowed("GET"),
    }
}

fn logins(state: &State, asked: &Asked) -> Answer {
    match asked.method {
        Method::POST if asked.body.len() > BODY_BYTES_MAX => too_large(),
        Method::POST => match log_in(state, &asked.body) {
            Ok(tokens) => Answer::json(StatusCode::CREATED, &tokens),
            Err(sentence) => complaint(StatusCode::BAD_REQUEST, &sentence),
        },
        _ => not_allowed("POST"),
    }
}

fn log_in(state: &State, body: &[u8]) -> Result<Value, String> {
    let wanted: LoginWanted = serde_json::from_slice(body)
        .map_err(|error| format!("not an object with a client_id: {error}"))?;
    log_in_as_json(state, &wanted.client_id).map_err(|error| error.to_string())
}

fn too_large() -> Answer {
    complaint(StatusCode::PAYLOAD_TOO_LARGE, "at most 4 KiB")
}

fn complaint(status: StatusCode, sentence: &str) -> Answer {
    Answer::json(status, &json!({ "error": sentence }))
}

fn not_allowed(allowed: &'static str) -> Answer {
    complaint(StatusCode::METHOD_NOT_ALLOWED, allowed)
        .with(ALLOW, HeaderValue::from_static(allowed))
}
