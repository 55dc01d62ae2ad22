//! Ending a login: given back to NinjaOne, then forgotten here.

use std::time::Duration;

use tokio::task::spawn_blocking;

use super::{
    grant::{
        application::Application, discovery::Paths, mint_error::TokenEndpointError,
        revocation::Hint,
    },
    login::RENEWAL_WAIT_MS_MAX,
    store::{Store, error::StoreError, kept::Kept, kept::Slot},
};

/// What became of the login at NinjaOne. Here it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedOut {
    Revoked,
    /// NinjaOne did not confirm: its tokens may live on, until they are deleted in NinjaOne's own administration.
    NotRevoked(TokenEndpointError),
    /// What was kept could not be read, so there was nothing to give back.
    Unreadable(StoreError),
    /// Nobody was logged in.
    Nobody,
}

/// # Errors
/// When the login is still here.
pub async fn log_out(
    application: &Application,
    store: &Store,
    slot: &Slot,
) -> Result<LoggedOut, StoreError> {
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
        Ok(None) => LoggedOut::Nobody,
        Ok(Some(found)) => match revoke(application, &found.kept).await {
            Ok(()) => LoggedOut::Revoked,
            Err(error) => LoggedOut::NotRevoked(error),
        },
        Err(error) => LoggedOut::Unreadable(error),
    };
    if outcome != LoggedOut::Nobody {
        spawn_blocking(move || locked.forget())
            .await
            .map_err(|_| interrupted())??;
    }
    Ok(outcome)
}

/// Gives back all that a login holds: a refresh token takes its access tokens with it (RFC 7009 section 2.1), but only if
/// the server does as it should. Both are tried, whatever becomes of the first.
///
/// # Errors
/// The first failure: a token may live on.
pub async fn revoke(application: &Application, kept: &Kept) -> Result<(), TokenEndpointError> {
    let paths = Paths::discover(&application.endpoint).await;
    let refresh = kept.refresh_token.as_ref();
    let access = kept.access.as_ref().map(|it| &it.token);
    let mut outcome = Ok(());
    for (token, hint) in [(refresh, Hint::RefreshToken), (access, Hint::AccessToken)] {
        let Some(token) = token else {
            continue;
        };
        let revoked = application.revoke(token, hint, &paths.revoke).await;
        outcome = outcome.and(revoked);
    }
    outcome
}
