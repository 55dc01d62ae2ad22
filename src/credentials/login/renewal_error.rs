//! Why the renewal of an identity's token failed.

use crate::credentials::{
    grant::token_endpoint_error::{RetryHint, TokenEndpointError, TokenResponseError},
    store::stored_login::RenewalMarker,
};

/// Why an identity got no new token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RenewalError {
    #[error(transparent)]
    TokenEndpoint(#[from] TokenEndpointError),
    /// Of a user identity only, like all that follow.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// Another process holds the login's lock and does not let go.
    #[error("another process is renewing this login")]
    Busy,
    #[error("the store of logins cannot be read or written")]
    Store,
    /// The process was told to stop: no refresh token is used any more.
    #[error("the proxy is stopping")]
    ShuttingDown,
}

/// Why only a new login brings another token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LoginError {
    /// Nobody has logged in yet, or somebody has logged out.
    #[error("nobody is logged in")]
    NotLoggedIn,
    /// The platform gives no refresh token (*Single Page*, or a login without `offline_access`).
    #[error("this login cannot be renewed: it ends when its token does")]
    NotRenewable,
    /// The login is one of another application or host than the one that is configured.
    #[error("the stored login belongs to a different client ID or host than the configured one")]
    OtherApplication,
    #[error(transparent)]
    Ended(#[from] LoginEndReason),
}

/// Why NinjaOne no longer takes a login's refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LoginEndReason {
    /// Every response of NinjaOne was stored, so the login was revoked or has expired.
    #[error("the login has ended: NinjaOne refuses its refresh token")]
    RefreshTokenRefused,
    /// A token call before this one got no response.
    #[error(
        "the login was lost: NinjaOne's answer to the last renewal did not arrive, and the refresh token that it replaced is dead"
    )]
    ResponseLost,
    /// A process ended during a token call before this one.
    #[error(
        "the login was lost: a process ended after it had sent the renewal and before the answer was on disk, and the refresh token that it replaced is dead"
    )]
    LostInCrash,
}

impl RenewalError {
    /// A name for metrics and the audit log, from a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenEndpoint(error) => error.as_str(),
            Self::Login(error) => error.as_str(),
            Self::Busy => "busy",
            Self::Store => "store",
            Self::ShuttingDown => "ending",
        }
    }

    /// Whether NinjaOne understood the request and wants other credentials.
    #[must_use]
    pub const fn is_rejection(self) -> bool {
        matches!(self, Self::TokenEndpoint(TokenEndpointError::Rejected(_)))
    }

    /// When to try the renewal again.
    #[must_use]
    pub const fn retry(self) -> RetryHint {
        match self {
            Self::TokenEndpoint(error) => error.retry(),
            Self::Login(_) => RetryHint::AfterLogin,
            Self::Busy | Self::Store | Self::ShuttingDown => RetryHint::Soon { retry_after: None },
        }
    }
}

impl From<TokenResponseError> for RenewalError {
    fn from(error: TokenResponseError) -> Self {
        Self::TokenEndpoint(error.into())
    }
}

impl LoginError {
    /// A name for metrics and the audit log, from a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotLoggedIn => "no-login",
            Self::NotRenewable => "login-due",
            Self::OtherApplication => "other-application",
            Self::Ended(reason) => reason.as_str(),
        }
    }
}

impl LoginEndReason {
    /// What a refused refresh token means, by the marker of an earlier token call whose end is not known.
    pub(in crate::credentials) fn of_refusal(earlier: Option<&RenewalMarker>) -> Self {
        match earlier {
            None => Self::RefreshTokenRefused,
            Some(marker) if marker.is_response_lost => Self::ResponseLost,
            Some(_) => Self::LostInCrash,
        }
    }

    /// A name for the store, metrics and the audit log, from a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshTokenRefused => "login-refused",
            Self::ResponseLost => "login-lost-answer",
            Self::LostInCrash => "login-lost-crash",
        }
    }

    /// The reason that was stored under this name. One of another version counts as a plain refusal.
    #[must_use]
    pub fn from_stored_name(name: &str) -> Self {
        [Self::ResponseLost, Self::LostInCrash]
            .into_iter()
            .find(|it| it.as_str() == name)
            .unwrap_or(Self::RefreshTokenRefused)
    }
}
