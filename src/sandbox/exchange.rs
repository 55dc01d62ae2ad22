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
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};
use percent_encoding::percent_decode_str;

use crate::{
    hex,
    ninjaone::paths::{API_BASE, API_BASE_ALIAS},
};

use super::{
    SandboxState, api,
    connection::ConnectionEnding,
    control,
    faults::{ConnectionFault, DELAY_MAX, ExceededLimit, Faults, RetryAfterForm, Throttle},
    form_pairs::FormPairs,
    oauth::OAuthEndpoint,
    received_request::SandboxRequest,
    request_log::{NewRequest, RequestRecord},
    response::{SandboxBody, SandboxResponse},
};

/// Longest request body.
const BODY_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// How much of it is stored for operations to read; the rest is only counted and hashed.
const BODY_KEPT_BYTES_MAX: usize = 1024 * 1024;

struct ReceivedBody {
    kept: Bytes,
    length: u64,
    sha256: Box<str>,
}

/// Responds to a request.
///
/// # Errors
/// The body did not arrive whole or is too long, or the response is lost on purpose: the connection closes.
pub(super) async fn respond(
    state: Arc<SandboxState>,
    connection: ConnectionEnding,
    request: Request<Incoming>,
) -> io::Result<Response<SandboxBody>> {
    let is_head = request.method() == Method::HEAD;
    let response = respond_with_body(state, &connection, request).await?;
    Ok(if is_head {
        head_only(response)
    } else {
        response
    })
}

/// HTTP/2 sends whatever body it is given, so the response to HEAD must have none.
fn head_only(response: Response<SandboxBody>) -> Response<SandboxBody> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, SandboxBody::Full(None))
}

async fn respond_with_body(
    state: Arc<SandboxState>,
    connection: &ConnectionEnding,
    request: Request<Incoming>,
) -> io::Result<Response<SandboxBody>> {
    let (parts, body) = request.into_parts();
    let body = read(body).await?;
    let request = SandboxRequest {
        path: canonical_path(parts.uri.path()),
        query: FormPairs::parse(parts.uri.query().unwrap_or_default()),
        origin: origin(state.scheme, &parts.uri, &parts.headers),
        method: parts.method,
        headers: parts.headers,
        body: body.kept,
    };
    if state.control && request.path.starts_with(control::PREFIX) {
        return Ok(control::respond(&state, &request).into_response());
    }
    let target = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let record = state.requests.push(NewRequest {
        method: request.method.as_str(),
        target: target.as_bytes(),
        headers: &request.headers,
        body_bytes: body.length,
        body_sha256: body.sha256,
    });
    if let Some(endpoint) = OAuthEndpoint::of(&request.path) {
        let response = endpoint.respond(&state, &request).await?;
        return Ok(finish(&record, response));
    }
    if is_api(&request.path) {
        return api_with_faults(&state, connection, &request, &record).await;
    }
    Ok(finish(
        &record,
        SandboxResponse::not_found("There is nothing here"),
    ))
}

fn finish(record: &RequestRecord, response: SandboxResponse) -> Response<SandboxBody> {
    record.set_status(response.status.as_u16());
    response.into_response()
}

async fn api_with_faults(
    state: &SandboxState,
    connection: &ConnectionEnding,
    request: &SandboxRequest,
    record: &RequestRecord,
) -> io::Result<Response<SandboxBody>> {
    let faults = state.faults.for_api();
    match faults.connection {
        Some(ConnectionFault::Goaway) => connection.go_away(),
        Some(ConnectionFault::Reset) => return Err(io::Error::other("reset on purpose")),
        Some(ConnectionFault::Silent) => {
            tokio::time::sleep(DELAY_MAX).await;
            return Err(io::Error::other("silent on purpose"));
        }
        None => {}
    }
    if let Some(delay) = faults.delay(&request.path) {
        tokio::time::sleep(delay).await;
    }
    let exceeded = state.faults.exceeded_limit(&request.path);
    let refused = fault_response(&faults).or_else(|| exceeded.as_ref().map(limit_response));
    let is_refused = refused.is_some();
    let response = refused.unwrap_or_else(|| api::respond(state, request));
    if faults.lose_response {
        return Err(io::Error::other("lost on purpose"));
    }
    let response = api::with_api_headers(state, record.number, response);
    record.set_status(response.status.as_u16());
    if faults.cut_body && !is_refused {
        return Ok(response.into_truncated_response());
    }
    Ok(response.into_response())
}

/// The response that the switches substitute for the real one; then the operation is not performed.
fn fault_response(faults: &Faults) -> Option<SandboxResponse> {
    if let Some(throttle) = faults.throttle {
        return Some(throttle_response(throttle).with_retry_after(faults.retry_after));
    }
    let status = |status| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(page) = faults.page {
        let response = SandboxResponse::gateway_page(status(page));
        return Some(response.with_retry_after(faults.retry_after));
    }
    if let Some(error) = faults.status {
        let message = "The server could not answer";
        let response = SandboxResponse::application_error(status(error), "ERROR", message);
        return Some(response.with_retry_after(faults.retry_after));
    }
    faults
        .insufficient_privileges
        .then(SandboxResponse::insufficient_privileges)
}

fn throttle_response(throttle: Throttle) -> SandboxResponse {
    match throttle {
        Throttle::Status => SandboxResponse::application_error(
            StatusCode::TOO_MANY_REQUESTS,
            "TOO_MANY_REQUESTS",
            "Rate limit exceeded",
        ),
        Throttle::RequestLimitPage => SandboxResponse::throttle_page("Request limit exceeded"),
        Throttle::RateLimitPage => SandboxResponse::throttle_page("Rate limit reached"),
        Throttle::TooManyRequestsPage => SandboxResponse::throttle_page("Too many requests"),
    }
}

fn limit_response(exceeded: &ExceededLimit) -> SandboxResponse {
    let response = throttle_response(exceeded.answer);
    let seconds = exceeded.wait.as_secs_f64().ceil();
    match exceeded.retry_after {
        RetryAfterForm::None => response,
        RetryAfterForm::Seconds => response.with_retry_after_text(&format!("{seconds}")),
        RetryAfterForm::Date => match http_date_after(seconds) {
            Some(date) => response.with_retry_after_text(&date),
            None => response,
        },
    }
}

/// RFC 9110 section 5.6.7.
fn http_date_after(seconds: f64) -> Option<String> {
    let at = Timestamp::now()
        .checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?)
        .ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()
}

fn is_api(path: &str) -> bool {
    path.strip_prefix(API_BASE)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn canonical_path(path: &str) -> String {
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

async fn read(mut body: Incoming) -> io::Result<ReceivedBody> {
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
    Ok(ReceivedBody {
        kept: kept.freeze(),
        length,
        sha256: hex::encode(hash.finish().as_ref()).into(),
    })
}
