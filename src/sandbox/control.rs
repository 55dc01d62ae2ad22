//! `/sandbox/…`: how another process looks at the sandbox and switches faults.

use http::{HeaderValue, Method, StatusCode, header::ALLOW};
use serde_json::{Value, json};

use std::sync::{Arc, atomic::Ordering};

use crate::sandbox::{
    State,
    answer::Answer,
    exchange::Asked,
    faults::{FaultDesk, Faults},
    seen::{REQUESTS_MAX, Seen},
};

pub(super) const PREFIX: &str = "/sandbox/";

/// How many requests are shown unless `limit` says otherwise.
const SHOWN_BY_DEFAULT: usize = 1_000;

const FAULTS_BYTES_MAX: usize = 4 * 1024;

pub(super) fn answer(state: &Arc<State>, asked: &Asked) -> Answer {
    match asked.path.strip_prefix(PREFIX) {
        Some("requests") => requests(state, asked),
        Some("faults") => faults(state, asked),
        _ => complaint(
            StatusCode::NOT_FOUND,
            "there are /sandbox/requests and /sandbox/faults",
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
                "token_calls": state.token_calls.load(Ordering::Relaxed),
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
        Method::POST if asked.body.len() > FAULTS_BYTES_MAX => {
            complaint(StatusCode::PAYLOAD_TOO_LARGE, "at most 4 KiB")
        }
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

fn complaint(status: StatusCode, sentence: &str) -> Answer {
    Answer::json(status, &json!({ "error": sentence }))
}

fn not_allowed(allowed: &'static str) -> Answer {
    complaint(StatusCode::METHOD_NOT_ALLOWED, allowed)
        .with(ALLOW, HeaderValue::from_static(allowed))
}
