//! The responses that the token and revocation endpoints share.

use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, SERVER},
};
use serde_json::json;

use crate::sandbox::response::{Answer, incident};

/// 400 with the word for it (RFC 6749 section 5.2).
pub(super) fn refusal(error: &str) -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, &json!({ "error": error }))
}

/// What NinjaOne says of a refresh token or code that is no good.
pub(super) fn invalid_token() -> Answer {
    refusal("invalid_token")
}

pub(super) fn invalid_request() -> Answer {
    refusal("invalid_request")
}

pub(super) fn invalid_scope() -> Answer {
    refusal("invalid_scope")
}

pub(super) fn invalid_client() -> Answer {
    unauthorized("invalid_client")
}

/// The app's platform does not offer the grant: 401 was reported, the word is that of RFC 6749 section 5.2.
pub(super) fn unauthorized_client() -> Answer {
    unauthorized("unauthorized_client")
}

fn unauthorized(error: &str) -> Answer {
    Answer::json(StatusCode::UNAUTHORIZED, &json!({ "error": error }))
}

/// The client id of another instance, or of nobody.
pub(super) fn no_such_client() -> Answer {
    let result = "Client app not exist";
    Answer::json(
        StatusCode::NOT_FOUND,
        &json!({"resultCode": result, "incidentId": incident(result)}),
    )
}

pub(super) fn server_error(status: StatusCode) -> Answer {
    Answer::application_error(status, "ERROR", "The server could not answer")
}

/// With the headers of the OAuth endpoints, which another server stands in front of.
pub(super) fn dressed(answer: Answer) -> Answer {
    answer
        .with(SERVER, HeaderValue::from_static("nginx"))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
