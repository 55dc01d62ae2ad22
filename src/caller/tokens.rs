//! Access tokens of our own token endpoint, for NinjaOne clients that only speak OAuth.
//!
//! A token is bound to the API key that it was issued for: it ends when the key is revoked or expires.

use std::{collections::VecDeque, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use dashmap::DashMap;

use crate::{clock::Moment, random};

use super::api_key::KeyHash;

/// Life of an issued token, as NinjaOne's own.
pub const LIFE: Duration = Duration::from_hours(1);
/// Tokens that may be alive at once.
pub const TOKENS_MAX: usize = 10_000;

/// Tokens of one key that may be alive at once. One more ends its oldest: no caller takes the room of the others.
pub const TOKENS_PER_KEY_MAX: usize = 500;

struct Issue {
    key: KeyHash,
    expires: Moment,
}

/// The tokens that are alive, by digest.
#[derive(Default)]
pub struct IssuedTokens {
    alive: DashMap<KeyHash, Issue>,
    /// Digests of each key's tokens, oldest first.
    by_key: DashMap<KeyHash, VecDeque<KeyHash>>,
}

/// Random bytes of a token.
const RANDOM_BYTES: usize = 32;

/// Too many tokens are alive, or the system has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl IssuedTokens {
    /// A new token for the caller that `key` proves: `njt_` and 43 characters of base64url.
    ///
    /// # Errors
    /// When [`TOKENS_MAX`] tokens are alive.
    pub fn issue(&self, key: KeyHash) -> Result<String, TooMany> {
        self.make_room(key);
        if self.alive.len() >= TOKENS_MAX {
            self.sweep();
            if self.alive.len() >= TOKENS_MAX {
                return Err(TooMany);
            }
        }
        let random = random::bytes::<RANDOM_BYTES>().ok_or(TooMany)?;
        let token = format!("njt_{}", BASE64_URL_SAFE_NO_PAD.encode(random));
        let hash = KeyHash::of(token.as_bytes()).ok_or(TooMany)?;
        let expires = Moment::now().plus(LIFE);
        self.alive.insert(hash, Issue { key, expires });
        self.by_key.entry(key).or_default().push_back(hash);
        Ok(token)
    }

    fn make_room(&self, key: KeyHash) {
        let Some(mut own) = self.by_key.get_mut(&key) else {
            return;
        };
        while own.len() >= TOKENS_PER_KEY_MAX {
            if let Some(oldest) = own.pop_front() {
                self.alive.remove(&oldest);
            }
        }
    }

    /// The key that a token stands for.
    pub(super) fn key_of(&self, token: &KeyHash) -> Option<KeyHash> {
        let issue = self.alive.get(token)?;
        (Moment::now() < issue.expires).then_some(issue.key)
    }

    /// Drops what has expired.
    pub fn sweep(&self) {
        let now = Moment::now();
        self.alive.retain(|_, issue| now < issue.expires);
        self.by_key.retain(|_, own| {
            own.retain(|token| self.alive.contains_key(token));
            !own.is_empty()
        });
    }
}
