//! The form of an access token of our own token endpoint. It is sealed: it says all that is asked of it, and nobody else can
//! make or change one, so that no table of living tokens is needed.
//!
//! `njt_`, and in base64url without padding:
//!
//! | bytes | | |
//! |---|---|---|
//! | 1 | format: 1 | in clear, authenticated |
//! | 4 | key id: the first bytes of SHA-256 over a domain string and the key | in clear, authenticated |
//! | 12 | nonce | in clear |
//! | 16 | the token's id, random | AES-256-GCM-SIV (RFC 8452) from here |
//! | 8 | when it was issued, in microseconds since 1970 | |
//! | 8 | when it ends, likewise | |
//! | 32 | SHA-256 of the API key that it was issued for | |
//! | 1 to 64 | the caller's name | |
//! | 16 | tag | |

use std::time::Duration;

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest::{SHA256, digest},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{
    clock::Timestamp,
    names::{CallerName, NAME_LENGTH_MAX},
    random,
};

use super::api_key::KeyHash;

/// Every token of ours begins so: secret scanners find it.
pub const TOKEN_PREFIX: &str = "njt_";

/// A token is taken for this much longer than its client was told: clients count from its arrival, and `requests_oauthlib`
/// rounds up to a second, so they would send it for a moment after its end, and take the 401 for an error.
pub const EXPIRY_LEEWAY: Duration = Duration::from_secs(2);

/// Bytes of a key that seals tokens.
pub const TOKEN_KEY_BYTES: usize = 32;

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const CLEAR_BYTES: usize = 1 + KEY_ID_BYTES;
const TAG_BYTES: usize = 16;
/// Of a token's id.
pub const TOKEN_ID_BYTES: usize = 16;
const KEY_HASH_BYTES: usize = 32;
const FIXED_CLAIMS_BYTES: usize = TOKEN_ID_BYTES + 8 + 8 + KEY_HASH_BYTES;
/// Longest token before it becomes text.
const SEALED_BYTES_MAX: usize =
    CLEAR_BYTES + NONCE_LEN + FIXED_CLAIMS_BYTES + NAME_LENGTH_MAX + TAG_BYTES;
/// Longest token after its prefix.
const TEXT_BYTES_MAX: usize = (SEALED_BYTES_MAX * 4).div_ceil(3);

/// Separates this use of SHA-256 from any other over the same bytes.
const KEY_ID_DOMAIN: &[u8] = b"ninjaone-proxy caller token key id 1\0";

/// Tells one token from every other.
pub type TokenId = [u8; TOKEN_ID_BYTES];

/// The key that seals tokens. Whoever has it can make one: there is no `Debug`.
pub struct TokenKey {
    id: [u8; KEY_ID_BYTES],
    cipher: RandomizedNonceKey,
}

/// What a token says. Only `TokenKey::open` makes one, so it is authentic; whether it still holds is for the directory of callers.
pub struct OpenedToken {
    /// Tells it from every other.
    pub id: TokenId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The API key that it was issued for.
    pub key: KeyHash,
    name: [u8; NAME_LENGTH_MAX],
    name_length: usize,
}

impl OpenedToken {
    /// The name of the caller that it was issued to.
    #[must_use]
    pub fn caller(&self) -> &[u8] {
        self.name.get(..self.name_length).unwrap_or_default()
    }
}

impl TokenKey {
    /// A key of 32 random bytes. None if the cipher does not take it.
    #[must_use]
    pub fn new(bytes: &[u8; TOKEN_KEY_BYTES]) -> Option<Self> {
        let named = Zeroizing::new([KEY_ID_DOMAIN, bytes].concat());
        let hash = digest(&SHA256, &named);
        Some(Self {
            id: *hash.as_ref().first_chunk()?,
            cipher: RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes).ok()?,
        })
    }

    /// A key that nobody else has.
    #[cfg(test)]
    pub(super) fn random() -> Option<Self> {
        Self::new(&random::bytes()?)
    }

    fn clear_part(&self) -> [u8; CLEAR_BYTES] {
        let [a, b, c, d] = self.id;
        [FORMAT, a, b, c, d]
    }

    /// A new token. None if the system provides no randomness.
    pub(super) fn seal(
        &self,
        caller: &CallerName,
        key: KeyHash,
        issued_at: Timestamp,
        lifetime: Duration,
    ) -> Option<Zeroizing<String>> {
        let id: TokenId = random::bytes()?;
        let micros = |at: Timestamp| at.unix_micros().to_be_bytes();
        let mut claims = Zeroizing::new(
            [
                id.as_slice(),
                &micros(issued_at),
                &micros(issued_at.plus(lifetime)),
                &key.to_bytes(),
                caller.as_str().as_bytes(),
            ]
            .concat(),
        );
        let clear = self.clear_part();
        let (nonce, tag) = self
            .cipher
            .seal_in_place_separate_tag(Aad::from(clear), &mut claims)
            .ok()?;
        let sealed = [&clear, nonce.as_ref().as_slice(), &claims, tag.as_ref()].concat();
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_PREFIX.len() + TEXT_BYTES_MAX));
        text.push_str(TOKEN_PREFIX);
        BASE64_URL_SAFE_NO_PAD.encode_string(sealed, &mut text);
        Some(text)
    }

    /// What a token says; none for what this key did not seal. Neither allocates nor locks: clients send a token with every
    /// request.
    pub(super) fn open(&self, text: &[u8]) -> Option<OpenedToken> {
        let text = text.strip_prefix(TOKEN_PREFIX.as_bytes())?;
        let mut room = [0; SEALED_BYTES_MAX];
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
        let (clear, rest) = room.get_mut(..length)?.split_at_mut_checked(CLEAR_BYTES)?;
        let clear = *clear.first_chunk::<CLEAR_BYTES>()?;
        if clear != self.clear_part() {
            return None;
        }
        let (nonce, sealed) = rest.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::assume_unique_for_key(*nonce.first_chunk()?);
        let opened = self
            .cipher
            .open_in_place(nonce, Aad::from(clear), sealed)
            .ok()?;
        parse_claims(opened)
    }
}

fn parse_claims(claims: &[u8]) -> Option<OpenedToken> {
    let (id, rest) = claims.split_first_chunk::<TOKEN_ID_BYTES>()?;
    let (issued_at, rest) = rest.split_first_chunk()?;
    let (expires_at, rest) = rest.split_first_chunk()?;
    let (key, caller) = rest.split_first_chunk::<KEY_HASH_BYTES>()?;
    let mut name = [0; NAME_LENGTH_MAX];
    name.get_mut(..caller.len())?.copy_from_slice(caller);
    let at = |micros: &[u8; 8]| Timestamp::from_unix_micros(i64::from_be_bytes(*micros));
    Some(OpenedToken {
        id: *id,
        issued_at: at(issued_at),
        expires_at: at(expires_at),
        key: KeyHash::from_bytes(*key),
        name,
        name_length: caller.len(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::caller::api_key::KEY_BYTES_MAX;

    const HOUR: Duration = Duration::from_hours(1);

    fn sealed(key: &TokenKey, caller: &str) -> Zeroizing<String> {
        let name = caller.parse().unwrap();
        let of = KeyHash::from_bytes([7; 32]);
        key.seal(&name, of, Timestamp::from_unix_micros(5), HOUR)
            .unwrap()
    }

    #[test]
    fn a_token_says_what_was_sealed() {
        let key = TokenKey::random().unwrap();
        for caller in ["r", "reports", &"n".repeat(NAME_LENGTH_MAX)] {
            let text = sealed(&key, caller);
            assert!(text.len() <= KEY_BYTES_MAX, "{}", text.len());
            assert!(text.bytes().all(|b| b.is_ascii_graphic()));
            let token = key.open(text.as_bytes()).unwrap();
            assert_eq!(token.caller(), caller.as_bytes());
            assert_eq!(token.key, KeyHash::from_bytes([7; 32]));
            assert_eq!(token.issued_at, Timestamp::from_unix_micros(5));
            assert_eq!(token.expires_at.since(token.issued_at), HOUR);
        }
        let ids =
            [sealed(&key, "r"), sealed(&key, "r")].map(|it| key.open(it.as_bytes()).unwrap().id);
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn no_token_that_was_changed_cut_or_sealed_by_another_key_opens() {
        let key = TokenKey::random().unwrap();
        let text = sealed(&key, "reports");
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            // The last character has bits that no byte takes up: such a text is refused, too.
            assert!(key.open(&changed).is_none(), "changed at {at}");
            assert!(key.open(&text.as_bytes()[..at]).is_none(), "cut at {at}");
        }
        let longer = format!("{}A", text.as_str());
        assert!(key.open(longer.as_bytes()).is_none());
        assert!(key.open(&[b'n'; 4096]).is_none());
        let long = format!("{TOKEN_PREFIX}{}", "A".repeat(4096));
        assert!(key.open(long.as_bytes()).is_none());
        assert!(TokenKey::random().unwrap().open(text.as_bytes()).is_none());
    }
}
