//! Why an identity has no token for a request. A file of its own, because the token cell, the proof and the station all use it.

use std::time::Duration;

use crate::names::IdentityKind;

/// Why a request got no token, and when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenUnavailable {
    /// The identity whose token was needed.
    pub identity: IdentityKind,
    /// Why there is none.
    pub reason: TokenUnavailableReason,
    /// When trying again is worthwhile; none if somebody has to do something first.
    pub retry_after: Option<Duration>,
}

impl TokenUnavailable {
    pub(super) fn not_configured(identity: IdentityKind) -> Self {
        Self {
            identity,
            reason: TokenUnavailableReason::NotConfigured,
            retry_after: None,
        }
    }
}

/// Why an identity has no valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenUnavailableReason {
    /// The tenant has no such identity in the configuration.
    NotConfigured,
    /// It is a user identity, and nobody is logged in or the login has ended.
    LoginNeeded,
    /// The first token is still being requested, or the last one has expired and its renewal fails.
    TemporarilyUnavailable,
}
