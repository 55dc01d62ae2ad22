//! `POST /ws/oauth/revoke`: revokes a token (RFC 7009).

use http::{Method, StatusCode};

use crate::sandbox::{SandboxState, exchange::SandboxRequest, response::SandboxResponse};

use super::{
    client_auth::authenticate_client,
    responses::{invalid_request, unauthorized_client, with_oauth_headers},
};

pub(super) fn respond(state: &SandboxState, asked: &SandboxRequest) -> SandboxResponse {
    if asked.method != Method::POST {
        return SandboxResponse::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    with_oauth_headers(revoke(state, asked).unwrap_or_else(|refusal| refusal))
}

/// 200 for a token that nobody knows too: it is as dead as it should be.
fn revoke(
    state: &SandboxState,
    asked: &SandboxRequest,
) -> Result<SandboxResponse, SandboxResponse> {
    let proved = authenticate_client(&state.oauth, asked)?;
    let token = proved.form.get("token").ok_or_else(invalid_request)?;
    state
        .oauth
        .issued()
        .revoke(token, proved.place)
        .map_err(|_| unauthorized_client())?;
    Ok(SandboxResponse::empty(StatusCode::OK))
}
