//! The digest of a key as the configuration has it: `sha256:` and 64 hex digits.

use crate::hex;

const PREFIX: &str = "sha256:";

/// Why a text is not the digest of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyDigestParseError {
    /// Perhaps a plaintext key: never shown.
    #[error("a key itself must not stand here, only its digest: \"sha256:\" and 64 hex digits")]
    PlaintextKey,
    #[error("after \"sha256:\" come 64 hex digits, not {0} characters")]
    WrongLength(usize),
    #[error("after \"sha256:\" come hex digits only")]
    NotHex,
}

/// Parses `sha256:<64 hex digits>`.
pub(crate) fn parse(text: &str) -> Result<[u8; 32], KeyDigestParseError> {
    let digits = text
        .trim()
        .strip_prefix(PREFIX)
        .ok_or(KeyDigestParseError::PlaintextKey)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(KeyDigestParseError::NotHex);
    }
    if digits.len() != 64 {
        return Err(KeyDigestParseError::WrongLength(digits.len()));
    }
    let mut digest = [0; 32];
    hex::decode_into(digits.as_bytes(), &mut digest).ok_or(KeyDigestParseError::NotHex)?;
    Ok(digest)
}

/// The digest as the configuration has it.
#[must_use]
pub fn to_text(digest: &[u8; 32]) -> String {
    format!("{PREFIX}{}", hex::encode(digest))
}

/// The SHA-256 digest of a key.
#[must_use]
pub fn sha256(key: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.as_bytes());
    digest.as_ref().try_into().unwrap_or([0; 32])
}
