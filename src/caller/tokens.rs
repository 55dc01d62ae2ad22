//! Access tokens of our own token endpoint, for NinjaOne clients that only speak OAuth.
//!
//! A token is bound to the caller and the API key that it was issued for: it ends when either is gone or the key expires.
//! Nothing is kept of those that live; only those that were revoked are remembered.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::{clock::Timestamp, names::CallerName};

use super::{
    access_token::{OpenedToken, TokenKey},
    api_key::KeyHash,
    revoked_tokens::RevokedTokens,
};

/// Issues tokens and opens them.
pub struct CallerTokens {
    key: TokenKey,
    revoked: RevokedTokens,
}

impl CallerTokens {
    /// Tokens that `key` seals, without those that are revoked.
    #[must_use]
    pub const fn new(key: TokenKey, revoked: RevokedTokens) -> Self {
        Self { key, revoked }
    }

    /// A new token for the caller that `key` proves; none if the system has no randomness to give.
    #[must_use]
    pub fn issue(
        &self,
        caller: &CallerName,
        key: KeyHash,
        now: Timestamp,
        lifetime: Duration,
    ) -> Option<Zeroizing<String>> {
        self.key.seal(caller, key, now, lifetime)
    }

    /// What a token says, however old it is; none for what is no token of ours.
    #[must_use]
    pub fn open(&self, text: &[u8]) -> Option<OpenedToken> {
        self.key.open(text)
    }

    /// The tokens that were revoked.
    #[must_use]
    pub const fn revoked(&self) -> &RevokedTokens {
        &self.revoked
    }
}
