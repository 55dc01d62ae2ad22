//! Completes a login: gets its tokens and stores them, or revokes them if they cannot be stored.

use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::{
    clock::Timestamp,
    credentials::store::{
        LoginStore,
        error::StoreError,
        stored_login::{Slot, StoredLogin},
    },
};

use super::{
    authorization::{AuthorizationError, AuthorizationRequest, AuthorizationResponse},
    logout::revoke_login,
    session::RENEWAL_WAIT_MS_MAX,
};

/// What a completed login shows. No secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedLogin {
    pub scopes: Vec<Box<str>>,
    /// Whether NinjaOne issued a refresh token.
    pub renewable: bool,
    /// When the first access token expires; none if it cannot be used.
    pub expires_at: Option<Timestamp>,
}

/// Why a login that the user agreed to failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompletionError {
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    #[error(
        "NinjaOne granted the login, but it could not be stored, so it was revoked at NinjaOne; {0}"
    )]
    StoreFailedRevoked(StoreError),
    #[error(
        "NinjaOne granted the login, but it could not be stored, and NinjaOne did not confirm that it was revoked: delete it in NinjaOne under Administration, Apps, API, OAuth Tokens; {0}"
    )]
    StoreFailedNotRevoked(StoreError),
}

impl CompletionError {
    /// A name from a closed set.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Authorization(error) => error.as_str(),
            Self::StoreFailedRevoked(_) | Self::StoreFailedNotRevoked(_) => "store",
        }
    }
}

/// Gets the tokens for what the browser brought back, and stores them in `slot`.
///
/// # Errors
/// See [`CompletionError`]. The slot holds what it held before.
pub async fn complete_login(
    request: AuthorizationRequest,
    received: AuthorizationResponse,
    store: &LoginStore,
    slot: &Slot,
) -> Result<CompletedLogin, CompletionError> {
    let application = request.application().clone();
    let login = request.finish(received).await?;
    let completed = CompletedLogin {
        scopes: login.scopes.clone(),
        renewable: login.refresh_token.is_some(),
        expires_at: login.access_token.as_ref().map(|it| it.expires_at),
    };
    let Err(error) = store_login(store, slot, login.clone()).await else {
        return Ok(completed);
    };
    Err(match revoke_login(&application, &login).await {
        Ok(()) => CompletionError::StoreFailedRevoked(error),
        Err(_) => CompletionError::StoreFailedNotRevoked(error),
    })
}

/// Stores a new login in place of any other. Processes that use the old one notice.
///
/// # Errors
/// The login is not stored, but its tokens are still valid at NinjaOne.
pub async fn store_login(
    store: &LoginStore,
    slot: &Slot,
    mut login: StoredLogin,
) -> Result<(), StoreError> {
    let longest = Duration::from_millis(RENEWAL_WAIT_MS_MAX);
    let locked = store.lock(slot, longest).await?;
    let stored = spawn_blocking(move || {
        // An unreadable login is what a new one repairs.
        let before = locked.read().ok().flatten();
        login.generation += before.map_or(0, |it| it.login.generation);
        locked.overwrite(&login)
    });
    stored
        .await
        .unwrap_or_else(|_| Err(StoreError::interrupted(slot)))
}
