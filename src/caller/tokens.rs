//! Access tokens of our own token endpoint, for NinjaOne clients that only speak OAuth.
//!
//! A token is bound to the caller and the API key that it was issued for: it ends when either is gone or the key expires.
//! Nothing is kept of those that live; only those that were revoked are remembered.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use crate::{clock::Timestamp, names::CallerName};

use super::{
    access_token::{EXPIRY_LEEWAY, OpenedToken, TokenKey},
    api_key::KeyHash,
    revoked_tokens::RevokedTokens,
};

/// Issues tokens and opens them.
pub struct CallerTokens {
    keys: ArcSwap<TokenKeys>,
    revoked: RevokedTokens,
}

/// The key that seals, and one that has sealed tokens which may still live.
struct TokenKeys {
    current: Arc<TokenKey>,
    former: Option<Arc<TokenKey>>,
}

impl CallerTokens {
    /// Tokens that `key` seals, without those that are revoked.
    #[must_use]
    pub fn new(key: TokenKey, revoked: RevokedTokens) -> Self {
        let keys = TokenKeys {
            current: Arc::new(key),
            former: None,
        };
        Self {
            keys: ArcSwap::from_pointee(keys),
            revoked,
        }
    }

    /// Seals with another key from now on. Tokens of the one before are opened as well; those of an earlier one have ended.
    pub fn replace_key(&self, key: TokenKey) {
        let former = Arc::clone(&self.keys.load().current);
        let keys = TokenKeys {
            current: Arc::new(key),
            former: Some(former),
        };
        self.keys.store(Arc::new(keys));
    }

    /// A new token for the caller that `key` proves, whose client is told that it lives for `lifetime`; none if the system provides no randomness.
    #[must_use]
    pub fn issue(
        &self,
        caller: &CallerName,
        key: KeyHash,
        now: Timestamp,
        lifetime: Duration,
    ) -> Option<Zeroizing<String>> {
        self.keys
            .load()
            .current
            .seal(caller, key, now, lifetime + EXPIRY_LEEWAY)
    }

    /// What a token says, however old it is; none for what is no token of ours.
    #[must_use]
    pub fn open(&self, text: &[u8]) -> Option<OpenedToken> {
        let keys = self.keys.load();
        let former = || keys.former.as_ref()?.open(text);
        keys.current.open(text).or_else(former)
    }

    /// The tokens that were revoked.
    #[must_use]
    pub const fn revoked(&self) -> &RevokedTokens {
        &self.revoked
    }
}
