//! Logins without the consent page: for tests and for trying things out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{ninjaone::operation::Scope, sandbox::State, secret::Secret};

use super::{token, token_registry::Tokens, token_strings::Texts};

/// What a person's login gave to the app.
pub struct Login {
    pub access_token: Secret<String>,
    /// Good for one use.
    pub refresh_token: Secret<String>,
    /// Of the access token.
    pub life: Duration,
    pub scopes: Vec<Scope>,
}

/// Why nobody could log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoLogin {
    #[error("there is no app with this client id")]
    UnknownClient,
    #[error("the app's platform gets no refresh tokens: only Web and Native do")]
    NoRefreshTokens,
    #[error("the system has no randomness to give")]
    NoRandomness,
}

/// All scopes of the app, and `offline_access`.
pub(in crate::sandbox) fn log_in(state: &State, client_id: &str) -> Result<Login, NoLogin> {
    let tokens = begin(state, client_id)?;
    Ok(Login {
        access_token: Secret::new(tokens.access),
        refresh_token: Secret::new(tokens.refresh.unwrap_or_default()),
        life: tokens.life,
        scopes: tokens.granted.scopes,
    })
}

/// The same as the token endpoint's answer.
pub(in crate::sandbox) fn log_in_as_json(state: &State, client_id: &str) -> Result<Value, NoLogin> {
    let tokens = begin(state, client_id)?;
    let life = json!(tokens.life.as_secs());
    Ok(token::body(&tokens, Some(life)))
}

fn begin(state: &State, client_id: &str) -> Result<Tokens, NoLogin> {
    let (place, client) = state
        .oauth
        .client(client_id)
        .ok_or(NoLogin::UnknownClient)?;
    let granted = client
        .everything_offline()
        .ok_or(NoLogin::NoRefreshTokens)?;
    let texts = Texts::new().ok_or(NoLogin::NoRandomness)?;
    let terms = state.oauth.terms(&state.switches.lasting());
    Ok(state.oauth.issued().log_in(texts, place, granted, &terms))
}
