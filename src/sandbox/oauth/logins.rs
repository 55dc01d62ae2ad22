//! Logins without the consent page: for tests and for trying things out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{ninjaone::operation::Scope, sandbox::SandboxState, secret::Secret};

use super::{token, token_registry::TokenPair, token_strings::TokenStrings};

/// The tokens that a user's login gave to the app.
pub struct SandboxLogin {
    pub access_token: Secret<String>,
    /// Valid for one use.
    pub refresh_token: Secret<String>,
    /// Of the access token.
    pub life: Duration,
    pub scopes: Vec<Scope>,
}

/// Why a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SandboxLoginError {
    #[error("there is no app with this client id")]
    UnknownClient,
    #[error("the app's platform gets no refresh tokens: only Web and Native do")]
    NoRefreshTokens,
    #[error("the system provides no randomness")]
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

/// The body of a token response.
pub(in crate::sandbox) fn log_in_as_json(
    state: &SandboxState,
    client_id: &str,
) -> Result<Value, SandboxLoginError> {
    let tokens = begin(state, client_id)?;
    let life = json!(tokens.life.as_secs());
    Ok(token::body(&tokens, Some(life)))
}

fn begin(state: &SandboxState, client_id: &str) -> Result<TokenPair, SandboxLoginError> {
    let (client_index, client) = state
        .oauth
        .client(client_id)
        .ok_or(SandboxLoginError::UnknownClient)?;
    let granted = client
        .all_scopes_offline()
        .ok_or(SandboxLoginError::NoRefreshTokens)?;
    let strings = TokenStrings::new().ok_or(SandboxLoginError::NoRandomness)?;
    let policy = state.oauth.issuance_policy(&state.faults.persistent());
    Ok(state
        .oauth
        .issued()
        .log_in(strings, client_index, granted, &policy))
}
