//! API keys: parsing the headers that carry them, and the SHA-256 digest that is all we keep.

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use crate::names::NAME_LENGTH_MAX;

/// Shortest key, in bytes: what is shorter can be guessed.
pub const KEY_BYTES_MIN: usize = 32;
/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// Longest `Basic` credentials, in bytes, in base64: a name and a key of which every character may be escaped (RFC 6749
/// section 2.3.1).
const BASIC_BYTES_MAX: usize = (3 * NAME_LENGTH_MAX + 1 + 3 * KEY_BYTES_MAX).div_ceil(3) * 4;

/// SHA-256 over the whole key text. Keys are long and ours have 256 random bits, so a slow hash would add nothing but cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// From the 32 bytes of the digest.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the digest.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// None for what cannot be a key: too short, too long, or not printable ASCII.
    #[must_use]
    pub fn of(key: &[u8]) -> Option<Self> {
        let fits = (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len());
        if !fits || !key.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let digest = digest::digest(&digest::SHA256, key);
        digest.as_ref().try_into().map(Self).ok()
    }
}

/// What an `Authorization` header presents.
pub enum AuthorizationHeader<'a> {
    Bearer(&'a [u8]),
    /// RFC 7617.
    Basic {
        name: String,
        key: Zeroizing<String>,
    },
    /// NinjaOne's legacy HMAC signature, `NJ <key id>:<signature>`.
    LegacySignature,
}

/// Reads an `Authorization` value. Schemes are compared without regard to case (RFC 9110 section 11.1).
#[must_use]
pub fn parse_authorization(value: &[u8]) -> Option<AuthorizationHeader<'_>> {
    let space = value.iter().position(|b| *b == b' ')?;
    let (scheme, rest) = value.split_at(space);
    let credentials = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(AuthorizationHeader::Bearer(credentials));
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        return parse_basic(credentials)
            .map(|(name, key)| AuthorizationHeader::Basic { name, key });
    }
    if scheme.eq_ignore_ascii_case(b"nj") {
        return Some(AuthorizationHeader::LegacySignature);
    }
    None
}

/// The name and key of `Basic` credentials.
#[must_use]
pub fn parse_basic(encoded: &[u8]) -> Option<(String, Zeroizing<String>)> {
    if encoded.len() > BASIC_BYTES_MAX {
        return None;
    }
    let decoded = Zeroizing::new(BASE64_STANDARD.decode(encoded).ok()?);
    let text = std::str::from_utf8(&decoded).ok()?;
    let (name, key) = text.split_once(':')?;
    Some((name.to_owned(), Zeroizing::new(key.to_owned())))
}
