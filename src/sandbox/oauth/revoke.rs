//! `POST /ws/oauth/revoke`: revokes a token (RFC 7009).

use http::{Method, StatusCode};

use crate::sandbox::{State, exchange::Asked, response::Answer};

use super::{
    client_auth::prove,
    responses::{dressed, invalid_request, unauthorized_client},
};

pub(super) fn answer(state: &State, asked: &Asked) -> Answer {
    if asked.method != Method::POST {
        return Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    dressed(revoke(state, asked).unwrap_or_else(|refusal| refusal))
}

/// 200 for a token that nobody knows too: it is as dead as it should be.
fn revoke(state: &State, asked: &Asked) -> Result<Answer, Answer> {
    let proved = prove(&state.oauth, asked)?;
    let token = proved.form.get("token").ok_or_else(invalid_request)?;
    state
        .oauth
        .issued()
        .revoke(token, proved.place)
        .map_err(|_| unauthorized_client())?;
    Ok(Answer::empty(StatusCode::OK))
}
