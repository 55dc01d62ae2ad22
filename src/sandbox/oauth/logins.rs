//! Logins without the consent page: for tests and for trying things out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{ninjaone::operation::Scope, sandbox::SandboxState, secret::Secret};

use super::{token, token_registry::TokenPair, token_strings::TokenStrings};

/// What a person's login gave to the app.
pub struct SandboxLogin {
    pub access_token: Secret<String>,
    /// Good for one use.
    pub refresh_token: Secret<String>,
    /// Of the access token.
    pub life: Duration,
    pub scopes: Vec<Scope>,
}

/// Why nobody could log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SandboxLoginError {
    #[error("there is no app with this client id")]
    UnknownClient,
    #[error("the app's platform gets no refresh tokens: only Web and Native do")]
    NoRefreshTokens,
    #[error("the system has no randomness to give")]
    NoRandomness,
}

/// All scopes of the app, and `offline_access`.
pub(in crate::sandbox) fn log_in(
    state: &SandboxState,
    client_id: &str,
) -> Result<SandboxLogin, SandboxLoginError> {
    let tokens = begin(state, client_id)?;
    Ok(SandboxLogin {
        access_token: Secret::new(tokens.access),
        refresh_token: Secret::new(tokens.refresh.unwrap_or_default()),
        life: tokens.life,
        scopes: tokens.granted.scopes,
    })
}

/// The same as the token endpoint's answer.
pub(in crate::sandbox) fn log_in_as_json(
    state: &SandboxState,
    client_id: &str,
) -> Result<Value, SandboxLoginError> {
    let tokens = begin(state, client_id)?;
    let life = json!(tokens.life.as_secs());
    Ok(token::body(&tokens, Some(life)))
}

fn begin(state: &SandboxState, client_id: &str) -> Result<TokenPair, SandboxLoginError> {
    let (place, client) = state
        .oauth
        .client(client_id)
        .ok_or(SandboxLoginError::UnknownClient)?;
    let granted = client
        .all_scopes_offline()
        .ok_or(SandboxLoginError::NoRefreshTokens)?;
    let texts = TokenStrings::new().ok_or(SandboxLoginError::NoRandomness)?;
    let terms = state.oauth.issuance_policy(&state.faults.persistent());
    Ok(state.oauth.issued().log_in(texts, place, granted, &terms))
}
