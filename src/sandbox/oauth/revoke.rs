//! `POST /ws/oauth/revoke`: revokes a token (RFC 7009).

use http::{Method, StatusCode};

use crate::sandbox::{SandboxState, received_request::SandboxRequest, response::SandboxResponse};

use super::{
    client_auth::authenticate_client,
    responses::{invalid_request, unauthorized_client, with_oauth_headers},
};

pub(super) fn respond(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    if request.method != Method::POST {
        return SandboxResponse::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    with_oauth_headers(revoke(state, request).unwrap_or_else(|refusal| refusal))
}

/// 200 for an unknown token too: it is invalid, as requested.
fn revoke(
    state: &SandboxState,
    request: &SandboxRequest,
) -> Result<SandboxResponse, SandboxResponse> {
    let authenticated = authenticate_client(&state.oauth, request)?;
    let token = authenticated
        .form
        .get("token")
        .ok_or_else(invalid_request)?;
    state
        .oauth
        .issued()
        .revoke(token, authenticated.client_index)
        .map_err(|_| unauthorized_client())?;
    Ok(SandboxResponse::empty(StatusCode::OK))
}
