//! The responses that the token and revocation endpoints share.

use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, SERVER},
};
use serde_json::json;

use crate::sandbox::response::{SandboxResponse, incident_id};

/// 400 with an error code (RFC 6749 section 5.2).
pub(super) fn error_response(error: &str) -> SandboxResponse {
    SandboxResponse::json(StatusCode::BAD_REQUEST, &json!({ "error": error }))
}

/// NinjaOne's error for an invalid refresh token or code.
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

/// The app's platform does not offer the grant: the status 401 was reported, the error code is that of RFC 6749 section 5.2.
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

/// Adds the headers of the OAuth endpoints, which are behind another server.
pub(super) fn with_oauth_headers(response: SandboxResponse) -> SandboxResponse {
    response
        .with(SERVER, HeaderValue::from_static("nginx"))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
