//! The responses that the token and revocation endpoints share.

use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, SERVER},
};
use serde_json::json;

use crate::sandbox::response::{SandboxResponse, incident_id};

/// 400 with the word for it (RFC 6749 section 5.2).
pub(super) fn error_response(error: &str) -> SandboxResponse {
    SandboxResponse::json(StatusCode::BAD_REQUEST, &json!({ "error": error }))
}

/// What NinjaOne says of a refresh token or code that is no good.
pub(super) fn invalid_token() -> SandboxResponse {
    error_response("invalid_token")
}

pub(super) fn invalid_request() -> SandboxResponse {
    error_response("invalid_request")
}

pub(super) fn invalid_scope() -> SandboxResponse {
    error_response("invalid_scope")
}

pub(super) fn invalid_client() -> SandboxResponse {
    unauthorized("invalid_client")
}

/// The app's platform does not offer the grant: 401 was reported, the word is that of RFC 6749 section 5.2.
pub(super) fn unauthorized_client() -> SandboxResponse {
    unauthorized("unauthorized_client")
}

fn unauthorized(error: &str) -> SandboxResponse {
    SandboxResponse::json(StatusCode::UNAUTHORIZED, &json!({ "error": error }))
}

/// The client id of another instance, or of nobody.
pub(super) fn no_such_client() -> SandboxResponse {
    let result = "Client app not exist";
    SandboxResponse::json(
        StatusCode::NOT_FOUND,
        &json!({"resultCode": result, "incidentId": incident_id(result)}),
    )
}

pub(super) fn server_error(status: StatusCode) -> SandboxResponse {
    SandboxResponse::application_error(status, "ERROR", "The server could not answer")
}

/// With the headers of the OAuth endpoints, which another server stands in front of.
pub(super) fn with_oauth_headers(answer: SandboxResponse) -> SandboxResponse {
    answer
        .with(SERVER, HeaderValue::from_static("nginx"))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
