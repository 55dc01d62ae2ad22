//! `GET /.well-known/oauth-authorization-server` (RFC 8414).

use http::Method;
use serde_json::json;

use crate::{
    ninjaone::paths::{AUTHORIZE_PATH, REVOKE_PATH, TOKEN_PATH},
    sandbox::{SandboxState, received_request::SandboxRequest, response::SandboxResponse},
};

/// The members that NinjaOne sends; `authorization_response_iss_parameter_supported` (RFC 9207) only while it is true.
pub(super) fn respond(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    let persistent = state.faults.persistent();
    if persistent.no_discovery || request.method != Method::GET {
        return SandboxResponse::not_found("There is nothing here");
    }
    let origin = &request.origin;
    let mut metadata = json!({
        "issuer": issuer(origin),
        "authorization_endpoint": format!("{origin}{AUTHORIZE_PATH}"),
        "revocation_endpoint": format!("{origin}{REVOKE_PATH}"),
        "token_endpoint": format!("{origin}{TOKEN_PATH}"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["monitoring"],
    });
    if persistent.issuer_in_answers
        && let Some(members) = metadata.as_object_mut()
    {
        let supported = "authorization_response_iss_parameter_supported";
        members.insert(supported.to_owned(), json!(true));
    }
    SandboxResponse::ok(&metadata)
}

/// `origin` has no trailing slash; NinjaOne's issuer has one.
pub(super) fn issuer(origin: &str) -> String {
    format!("{origin}/")
}
