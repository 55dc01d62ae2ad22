//! One request and its response: reads the request, records it, dispatches it, and applies faults.

use std::{io, sync::Arc};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    header::{CONTENT_LENGTH, HOST},
};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use crate::{
    hex,
    ninjaone::paths::{API_BASE, API_BASE_ALIAS},
};

use super::{
    State, api, control,
    faults::{Faults, Throttle},
    form_pairs::Query,
    oauth::Endpoint,
    request_log::{Arrived, Seen},
    response::{Answer, Outgoing},
};

/// Longest request body.
const BODY_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// How much of it is kept to be read; the rest is counted and hashed.
const BODY_KEPT_BYTES_MAX: usize = 1024 * 1024;

/// A request with its body.
pub(super) struct Asked {
    pub(super) method: Method,
    /// Percent-decoded, `/api/v2` folded onto `/v2`.
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    /// At most the first mebibyte.
    pub(super) body: Bytes,
    /// `http://host` or `https://host`, as the other end calls us.
    pub(super) origin: String,
}

struct ReadBody {
    kept: Bytes,
    length: u64,
    sha256: Box<str>,
}

/// Answers a request.
///
/// # Errors
/// The body did not arrive whole or is too long, or the answer is lost on purpose: the connection closes.
pub(super) async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> io::Result<Response<Outgoing>> {
    let is_head = request.method() == Method::HEAD;
    let response = answer_in_full(state, request).await?;
    Ok(if is_head {
        head_only(response)
    } else {
        response
    })
}

/// HTTP/2 sends whatever body it is given, so the answer to HEAD must have none.
fn head_only(response: Response<Outgoing>) -> Response<Outgoing> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Outgoing::Whole(None))
}

async fn answer_in_full(
    state: Arc<State>,
    request: Request<Incoming>,
) -> io::Result<Response<Outgoing>> {
    let (parts, body) = request.into_parts();
    let body = read(body).await?;
    let asked = Asked {
        path: folded(parts.uri.path()),
        query: Query::parse(parts.uri.query().unwrap_or_default()),
        origin: origin(state.scheme, &parts.uri, &parts.headers),
        method: parts.method,
        headers: parts.headers,
        body: body.kept,
    };
    if state.control && asked.path.starts_with(control::PREFIX) {
        return Ok(control::answer(&state, &asked).into_response());
    }
    let target = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let seen = state.seen.push(Arrived {
        method: asked.method.as_str(),
        target: target.as_bytes(),
        headers: &asked.headers,
        body_bytes: body.length,
        body_sha256: body.sha256,
    });
    if let Some(endpoint) = Endpoint::of(&asked.path) {
        let answer = endpoint.answer(&state, &asked).await?;
        return Ok(finish(&seen, answer));
    }
    if is_api(&asked.path) {
        return api_with_faults(&state, &asked, &seen).await;
    }
    Ok(finish(&seen, Answer::not_found("There is nothing here")))
}

fn finish(seen: &Seen, answer: Answer) -> Response<Outgoing> {
    seen.http2_response(answer.status.as_u16());
    answer.into_response()
}

async fn api_with_faults(
    state: &State,
    asked: &Asked,
    seen: &Seen,
) -> io::Result<Response<Outgoing>> {
    let faults = state.switches.for_api();
    if let Some(delay) = faults.delay() {
        tokio::time::sleep(delay).await;
    }
    let refused = refusal(&faults);
    let is_refused = refused.is_some();
    let answer = refused.unwrap_or_else(|| api::answer(state, asked));
    if faults.lose_response {
        return Err(io::Error::other("lost on purpose"));
    }
    let answer = api::dressed(state, seen.number, answer);
    seen.http2_response(answer.status.as_u16());
    if faults.cut_body && !is_refused {
        return Ok(answer.into_cut_response());
    }
    Ok(answer.into_response())
}

/// The answer that the switches put in place of the real one; then nothing is done.
fn refusal(faults: &Faults) -> Option<Answer> {
    match faults.throttle {
        Some(Throttle::Page) => return Some(Answer::throttle_page()),
        Some(Throttle::Status) => {
            let answer = Answer::application_error(
                StatusCode::TOO_MANY_REQUESTS,
                "TOO_MANY_REQUESTS",
                "Rate limit exceeded",
            );
            return Some(answer.with_retry_after(faults.retry_after));
        }
        None => {}
    }
    if let Some(status) = faults.status {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let answer = Answer::application_error(status, "ERROR", "The server could not answer");
        return Some(answer.with_retry_after(faults.retry_after));
    }
    faults
        .insufficient_privileges
        .then(Answer::insufficient_privileges)
}

fn is_api(path: &str) -> bool {
    path.strip_prefix(API_BASE)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn folded(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    match decoded.strip_prefix(API_BASE_ALIAS) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{API_BASE}{rest}"),
        _ => decoded.into_owned(),
    }
}

fn origin(scheme: &str, uri: &Uri, headers: &HeaderMap) -> String {
    let host = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| headers.get(HOST)?.to_str().ok())
        .unwrap_or("localhost");
    format!("{scheme}://{host}")
}

async fn read(mut body: Incoming) -> io::Result<ReadBody> {
    let mut hash = Context::new(&SHA256);
    let mut kept = BytesMut::new();
    let mut length = 0_u64;
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else {
            break;
        };
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else {
            continue;
        };
        hash.update(&data);
        length += u64::try_from(data.len()).unwrap_or(u64::MAX);
        if length > BODY_BYTES_MAX {
            return Err(io::Error::other("the body is too long"));
        }
        let room = BODY_KEPT_BYTES_MAX - kept.len();
        kept.extend_from_slice(data.get(..room).unwrap_or(&data));
    }
    Ok(ReadBody {
        kept: kept.freeze(),
        length,
        sha256: hex::encode(hash.finish().as_ref()).into(),
    })
}
