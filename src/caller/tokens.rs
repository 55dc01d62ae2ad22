//! Access tokens of our own token endpoint, for NinjaOne clients that only speak OAuth.
//!
//! A token is bound to the API key that it was issued for: it ends when the key is revoked or expires.

use std::{collections::VecDeque, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use dashmap::DashMap;

use crate::{clock::Moment, random};

use super::api_key::KeyHash;

/// Lifetime of an issued token, as NinjaOne's own.
pub const TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// Tokens that may be alive at once.
pub const TOKENS_MAX: usize = 10_000;

/// Tokens of one key that may be alive at once. One more ends its oldest: no caller takes the room of the others.
pub const TOKENS_PER_KEY_MAX: usize = 500;

struct LiveToken {
    key: KeyHash,
    expires_at: Moment,
}

/// The tokens that are alive, by digest.
#[derive(Default)]
pub struct CallerTokens {
    live: DashMap<KeyHash, LiveToken>,
    /// Digests of each key's tokens, oldest first.
    by_key: DashMap<KeyHash, VecDeque<KeyHash>>,
}

/// Random bytes of a token.
const RANDOM_BYTES: usize = 32;

/// Too many tokens are alive, or the system has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyTokensError;

impl CallerTokens {
    /// A new token for the caller that `key` proves: `njt_` and 43 characters of base64url.
    ///
    /// # Errors
    /// When [`TOKENS_MAX`] tokens are alive.
    pub fn issue(&self, key: KeyHash) -> Result<String, TooManyTokensError> {
        self.make_room(key);
        if self.live.len() >= TOKENS_MAX {
            self.remove_expired();
            if self.live.len() >= TOKENS_MAX {
                return Err(TooManyTokensError);
            }
        }
        let random = random::bytes::<RANDOM_BYTES>().ok_or(TooManyTokensError)?;
        let token = format!("njt_{}", BASE64_URL_SAFE_NO_PAD.encode(random));
        let hash = KeyHash::of(token.as_bytes()).ok_or(TooManyTokensError)?;
        let expires = Moment::now().plus(TOKEN_LIFETIME);
        self.live.insert(
            hash,
            LiveToken {
                key,
                expires_at: expires,
            },
        );
        self.by_key.entry(key).or_default().push_back(hash);
        Ok(token)
    }

    fn make_room(&self, key: KeyHash) {
        let Some(mut own) = self.by_key.get_mut(&key) else {
            return;
        };
        while own.len() >= TOKENS_PER_KEY_MAX {
            if let Some(oldest) = own.pop_front() {
                self.live.remove(&oldest);
            }
        }
    }

    /// The key that a token stands for.
    pub(super) fn key_of(&self, token: &KeyHash) -> Option<KeyHash> {
        let issue = self.live.get(token)?;
        (Moment::now() < issue.expires_at).then_some(issue.key)
    }

    /// Drops what has expired.
    pub fn remove_expired(&self) {
        let now = Moment::now();
        self.live.retain(|_, issue| now < issue.expires_at);
        self.by_key.retain(|_, own| {
            own.retain(|token| self.live.contains_key(token));
            !own.is_empty()
        });
    }
}
