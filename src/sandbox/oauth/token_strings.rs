//! Generates the strings of tokens and codes, as opaque as the real ones.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{hex, random};

/// 42 bytes are 56 characters of base64url.
const TOKEN_BYTES: usize = 42;

const CODE_BYTES: usize = 32;

const UUID_BYTES: usize = 16;

/// The strings of one response's tokens. They are made before any state changes, so that a lack of randomness leaves nothing
/// half done.
pub(super) struct TokenStrings {
    pub(super) access: String,
    pub(super) refresh: String,
}

impl TokenStrings {
    /// `None` if the system provides no randomness.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            access: access_token()?,
            refresh: uuid(random::bytes()?),
        })
    }
}

pub(super) fn access_token() -> Option<String> {
    Some(BASE64_URL_SAFE_NO_PAD.encode(random::bytes::<TOKEN_BYTES>()?))
}

pub(super) fn code() -> Option<String> {
    Some(BASE64_URL_SAFE_NO_PAD.encode(random::bytes::<CODE_BYTES>()?))
}

/// Version 4 (RFC 9562 section 5.4).
fn uuid(mut bytes: [u8; UUID_BYTES]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = hex::encode(&bytes);
    // From the end, so that earlier positions stay valid.
    for index in [20, 16, 12, 8] {
        text.insert(index, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_a_uuid_of_version_4() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
    }
}
