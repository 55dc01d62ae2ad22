//! Responses to refused requests: problem details (RFC 9457), `Proxy-Status` (RFC 9209) and the `RateLimit` headers.

use std::time::Duration;

use http::{HeaderName, HeaderValue, header};

use crate::{
    audit::entry::RequestFacts,
    limits::{LimitKind, RateLimitStatus},
    names::{CallerName, RequestId},
    net::response::{Response, ResponseHeaders},
};

use super::{
    error_code::ErrorCode,
    hint::ask_operator,
    problem_details::{self, ProblemDetails},
    recorded_response::{self, ProxyResponseBody},
    refusal::Refusal,
};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What `Retry-After` may say, in seconds.
const RETRY_AFTER_S: std::ops::RangeInclusive<u64> = 1..=300;

/// How a caller may prove who it is (RFC 9110 section 11.6.1).
const CHALLENGES: [&str; 2] = [
    "Bearer realm=\"ninjaone-proxy\"",
    "Basic realm=\"ninjaone-proxy\"",
];

/// The response to a refused request: a problem body, and the headers that belong to the refusal.
pub(super) fn problem_response(
    refusal: &Refusal,
    id: RequestId,
    facts: &RequestFacts,
) -> Response<ProxyResponseBody> {
    let status = refusal.status();
    let code = refusal.code.as_str();
    // How to mend a request is told to everybody; whom to ask, to callers that are known.
    let hint = match &refusal.hint {
        Some(hint) => Some(hint.for_caller(id)),
        None => facts.caller.is_some().then(|| ask_operator(id)),
    };
    let problem = ProblemDetails {
        kind: format!("urn:ninjaone-proxy:error:{code}"),
        title: refusal.code.title(),
        status: status.as_u16(),
        detail: &refusal.detail,
        instance: format!("/requests/{id}"),
        hint: hint.as_deref(),
        code,
        caller: facts.caller.as_ref().map(CallerName::as_str),
        operation: facts.operation.as_ref().map(|it| &*it.id),
        bucket: refusal.bucket.map(LimitKind::as_str),
        error: refusal.code.ninjaone_error(),
        error_description: &refusal.detail,
        error_code: (refusal.code == ErrorCode::Unauthenticated).then_some(10),
    };
    let mut response = Response::new(status, ProxyResponseBody::full(problem.to_bytes()));
    let headers = &mut response.headers;
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(problem_details::CONTENT_TYPE),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        recorded_response::REQUEST_ID,
        recorded_response::request_id_value(id),
    );
    insert_proxy_status(headers, refusal.code, refusal.proxy_status);
    let retry_after_s = refusal.retry_after.map(retry_after_s);
    if let Some((policy, status)) = &refusal.rate_limit {
        let status = retry_after_s.map_or(*status, |after| status.capped_by(after));
        append_rate_limit_headers(headers, policy, status);
    }
    if let Some(after) = retry_after_s {
        headers.insert(header::RETRY_AFTER, after.into());
    }
    match refusal.code {
        ErrorCode::Unauthenticated => {
            // Both in lines of their own: wget, curl, urllib and Java's Authenticator wait for `Basic`.
            for challenge in CHALLENGES {
                let challenge = HeaderValue::from_static(challenge);
                headers.append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        // An ambiguous request ends its connection: nobody guesses where the next one begins.
        ErrorCode::BadRequest => {
            let close = HeaderValue::from_static("close");
            headers.insert(header::CONNECTION, close);
        }
        // What would be taken (RFC 9110 section 15.5.16).
        ErrorCode::EncodingRefused => {
            let identity = HeaderValue::from_static("identity");
            headers.insert(header::ACCEPT_ENCODING, identity);
        }
        ErrorCode::MethodRefused => {
            let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
            headers.insert(header::ALLOW, allowed);
        }
        _ => {}
    }
    response
}

/// The value of `Retry-After`: whole seconds, rounded up, within bounds.
pub(super) fn retry_after_s(after: Duration) -> u64 {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    seconds.clamp(*RETRY_AFTER_S.start(), *RETRY_AFTER_S.end())
}

/// Adds `Proxy-Status` (RFC 9209). `exact` replaces the error type of `code`.
pub(super) fn insert_proxy_status(
    headers: &mut ResponseHeaders,
    code: ErrorCode,
    exact: Option<&'static str>,
) {
    let error = exact.unwrap_or_else(|| code.proxy_status());
    let text = format!(
        "ninjaone-proxy; error={error}; details=\"{}\"",
        code.as_str()
    );
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(PROXY_STATUS, value);
    }
}

/// Adds the `RateLimit` headers after any that NinjaOne sent.
pub(super) fn append_rate_limit_headers(
    headers: &mut ResponseHeaders,
    policy: &HeaderValue,
    status: RateLimitStatus,
) {
    headers.append(RATELIMIT_POLICY, policy.clone());
    headers.append(RATELIMIT, status.header());
}
