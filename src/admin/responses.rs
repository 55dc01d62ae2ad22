//! Responses of the admin listeners, with the headers that keep them from being cached, guessed at or framed.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, WWW_AUTHENTICATE,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use super::access::AdminAuthError;

const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";

pub(super) fn unauthorized(error: &AdminAuthError) -> Response<Bytes> {
    let mut refusal = text_response(error.status(), &format!("{error}\n"));
    if error.status() == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    refusal
}

pub(super) fn method_refused(sentence: &str, allowed: &'static str) -> Response<Bytes> {
    let mut refusal = text_response(StatusCode::METHOD_NOT_ALLOWED, sentence);
    let allowed = HeaderValue::from_static(allowed);
    refusal.headers_mut().insert(ALLOW, allowed);
    refusal
}

pub(super) fn json_response(json: Response<serde_json::Value>) -> Response<Bytes> {
    let (status, body) = (json.status(), json.into_body().to_string());
    response(status, JSON, body.into_bytes())
}

pub(super) fn text_response(status: StatusCode, body: &str) -> Response<Bytes> {
    response(status, TEXT, body.as_bytes().to_vec())
}

pub(super) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: Vec<u8>,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
