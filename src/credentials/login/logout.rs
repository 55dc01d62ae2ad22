//! Logout: revokes a login's tokens at NinjaOne, then erases them from the store.

use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::credentials::{
    grant::{
        application::Application, discovery::OAuthPaths, revocation::TokenTypeHint,
        token_endpoint_error::TokenEndpointError,
    },
    store::{
        LoginStore,
        error::StoreError,
        stored_login::{Slot, StoredLogin},
    },
};

use super::session::RENEWAL_WAIT_MS_MAX;

/// What a logout did at NinjaOne. The login is erased from the store in every case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutOutcome {
    Revoked,
    /// NinjaOne did not confirm the revocation. The tokens may stay valid until somebody deletes them in NinjaOne's own
    /// administration.
    NotRevoked(TokenEndpointError),
    /// The stored login could not be read, so no token could be revoked.
    Unreadable(StoreError),
    /// Nobody was logged in.
    NotLoggedIn,
}

/// Revokes the login in `slot` and erases it. Waits for a renewal under way in another process.
///
/// # Errors
/// The login is still in the store.
pub async fn log_out(
    application: &Application,
    store: &LoginStore,
    slot: &Slot,
) -> Result<LogoutOutcome, StoreError> {
    let locked = store
        .lock(slot, Duration::from_millis(RENEWAL_WAIT_MS_MAX))
        .await?;
    let interrupted = || StoreError::interrupted(slot);
    let (locked, read) = spawn_blocking(move || {
        let read = locked.read();
        (locked, read)
    })
    .await
    .map_err(|_| interrupted())?;
    let outcome = match read {
        Ok(None) => LogoutOutcome::NotLoggedIn,
        Ok(Some(found)) => match revoke_login(application, &found.login).await {
            Ok(()) => LogoutOutcome::Revoked,
            Err(error) => LogoutOutcome::NotRevoked(error),
        },
        Err(error) => LogoutOutcome::Unreadable(error),
    };
    if outcome != LogoutOutcome::NotLoggedIn {
        spawn_blocking(move || locked.erase())
            .await
            .map_err(|_| interrupted())??;
    }
    Ok(outcome)
}

/// Revokes both tokens of a login. Revoking the refresh token should revoke its access tokens too (RFC 7009 section 2.1), but
/// not every server does that, so this tries both even if the first call fails.
///
/// # Errors
/// The first failure: a token may still be valid.
pub async fn revoke_login(
    application: &Application,
    stored: &StoredLogin,
) -> Result<(), TokenEndpointError> {
    let paths = OAuthPaths::discover(&application.endpoint).await;
    let refresh = stored.refresh_token.as_ref();
    let access = stored.access_token.as_ref().map(|it| &it.token);
    let mut outcome = Ok(());
    for (token, hint) in [
        (refresh, TokenTypeHint::RefreshToken),
        (access, TokenTypeHint::AccessToken),
    ] {
        let Some(token) = token else {
            continue;
        };
        let revoked = application.revoke(token, hint, &paths.revoke).await;
        outcome = outcome.and(revoked);
    }
    outcome
}
