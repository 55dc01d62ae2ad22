//! What this process knows of the stored login, and what it finds changed.

use crate::clock::Timestamp;

use super::{grant::issued_token::IssuedToken, renewal_error::LoginError, store::kept::Kept};

/// Which login, and which of its tokens, this process works with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct LoginVersion {
    pub(super) logged_in_at: Timestamp,
    generation: u64,
}

impl LoginVersion {
    pub(super) fn of(kept: &Kept) -> Self {
        Self {
            logged_in_at: kept.logged_in_at,
            generation: kept.generation,
        }
    }
}

/// What a person may be told about a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSummary {
    pub logged_in_at: Timestamp,
    /// When its refresh token was last used, or the login if it never was.
    pub refreshed_at: Timestamp,
    /// Whether it has a refresh token.
    pub renewable: bool,
}

impl LoginSummary {
    pub(super) fn of(kept: &Kept) -> Self {
        Self {
            logged_in_at: kept.logged_in_at,
            refreshed_at: kept.refreshed_at,
            renewable: kept.refresh_token.is_some(),
        }
    }
}

/// What the store says that was not known yet.
pub(super) enum LoginChange {
    /// Another login than before; without a token if the one that was kept has ended.
    LoggedIn(Option<IssuedToken>),
    /// Renewed by another process, or by one before this.
    Renewed(Option<IssuedToken>),
    LoggedOut,
    NeverLoggedIn,
    /// The login is there and of no use.
    Unusable(LoginError),
}
