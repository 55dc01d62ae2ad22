//! What this process knows about the stored login, and how it can have changed.

use crate::{
    clock::Timestamp,
    credentials::{grant::issued_token::IssuedToken, store::stored_login::StoredLogin},
};

use super::renewal_error::LoginError;

/// Identifies a login and one of its renewals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::credentials) struct LoginVersion {
    pub(in crate::credentials) logged_in_at: Timestamp,
    generation: u64,
}

impl LoginVersion {
    pub(in crate::credentials) fn of(stored: &StoredLogin) -> Self {
        Self {
            logged_in_at: stored.logged_in_at,
            generation: stored.generation,
        }
    }
}

/// What status and metrics show of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSummary {
    pub logged_in_at: Timestamp,
    /// When the refresh token was last used; the time of the login if it never was.
    pub refreshed_at: Timestamp,
    /// Whether the login has a refresh token.
    pub renewable: bool,
}

impl LoginSummary {
    pub(in crate::credentials) fn of(stored: &StoredLogin) -> Self {
        Self {
            logged_in_at: stored.logged_in_at,
            refreshed_at: stored.refreshed_at,
            renewable: stored.refresh_token.is_some(),
        }
    }
}

/// What another process has done to the stored login.
pub(in crate::credentials) enum LoginChange {
    /// Somebody has logged in. None if the stored access token has expired.
    LoggedIn(Option<IssuedToken>),
    /// Another process, or an earlier run of this one, has renewed the token. None if that one has expired too.
    Renewed(Option<IssuedToken>),
    LoggedOut,
    NeverLoggedIn,
    /// There is a login, but it is no longer valid or not ours.
    Unusable(LoginError),
}
