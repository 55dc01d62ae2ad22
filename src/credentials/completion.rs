//! The end of a login: what the browser brought becomes tokens, and those are stored; or are given back if they cannot be.

use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::clock::Timestamp;

use super::{
    authorization::{AuthorizationError, AuthorizationRequest, Received},
    login::RENEWAL_WAIT_MS_MAX,
    logout::revoke,
    store::{
        Store,
        error::StoreError,
        kept::{Kept, Slot},
    },
};

/// What a login brought, in words that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    pub scopes: Vec<Box<str>>,
    /// Whether there is a refresh token.
    pub renewable: bool,
    /// The end of the first access token; none if NinjaOne gave none that can be used.
    pub expires_at: Option<Timestamp>,
}

/// Why a login that NinjaOne agreed to came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompletionError {
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    #[error(
        "NinjaOne granted the login, but it could not be stored, so it was given back to NinjaOne and is of no use to anybody; {0}"
    )]
    GivenBack(StoreError),
    #[error(
        "NinjaOne granted the login, but it could not be stored and is lost here, and NinjaOne did not confirm that it was given back: delete it in NinjaOne under Administration, Apps, API, OAuth Tokens; {0}"
    )]
    Lost(StoreError),
}

impl CompletionError {
    /// A name out of a closed set.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Authorization(error) => error.as_str(),
            Self::GivenBack(_) | Self::Lost(_) => "store",
        }
    }
}

/// # Errors
/// See [`CompletionError`]: then there is no login, or the one before is still there.
pub async fn complete(
    request: AuthorizationRequest,
    received: Received,
    store: &Store,
    slot: &Slot,
) -> Result<Completed, CompletionError> {
    let application = request.application().clone();
    let login = request.finish(received).await?;
    let completed = Completed {
        scopes: login.scopes.clone(),
        renewable: login.refresh_token.is_some(),
        expires_at: login.access.as_ref().map(|it| it.expires_at),
    };
    let Err(error) = keep(store, slot, login.clone()).await else {
        return Ok(completed);
    };
    Err(match revoke(&application, &login).await {
        Ok(()) => CompletionError::GivenBack(error),
        Err(_) => CompletionError::Lost(error),
    })
}

/// Puts a new login in the place of whatever was there, and lets processes that keep the one before know.
///
/// # Errors
/// When it is not stored: then it is lost, and NinjaOne still knows it.
pub async fn keep(store: &Store, slot: &Slot, mut login: Kept) -> Result<(), StoreError> {
    let longest = Duration::from_millis(RENEWAL_WAIT_MS_MAX);
    let locked = store.lock(slot, longest).await?;
    let stored = spawn_blocking(move || {
        // What cannot be read is what a new login is the cure for.
        let before = locked.read().ok().flatten();
        login.generation += before.map_or(0, |it| it.kept.generation);
        locked.start_anew(&login)
    });
    stored
        .await
        .unwrap_or_else(|_| Err(StoreError::interrupted(slot)))
}
