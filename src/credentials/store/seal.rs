//! The format of a sealed file: header, nonce, and AES-256-GCM-SIV ciphertext (RFC 8452).
//!
//! | bytes | |
//! |---|---|
//! | 8 | `njp-kept` |
//! | 1 | format: 1 |
//! | 1 | content: 1 a login, 2 the high-water mark, 3 the key of callers' tokens, 4 revoked tokens |
//! | 1 | key: 1 configured, 2 derived from a passphrase by Argon2id |
//! | 8 | key id: the first bytes of SHA-256 over a domain string and the key |
//! | 16 | salt of the derivation; zeros for a configured key |
//! | 12 | nonce |
//! | … | ciphertext and tag (16 bytes) |
//!
//! The header and the owner's name (the slot's, or `caller-tokens`) are authenticated too, so that no file can be passed off
//! as another's.

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use zeroize::Zeroizing;

use super::seal_key::{KEY_ID_BYTES, KeyId, SALT_BYTES, Salt, SealKeys};

const MAGIC: &[u8; 8] = b"njp-kept";
pub(super) const FORMAT: u8 = 1;
const HEADER_BYTES: usize = MAGIC.len() + 3 + KEY_ID_BYTES + SALT_BYTES;

const KEY_GIVEN: u8 = 1;
const KEY_DERIVED: u8 = 2;

/// What a sealed file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SealedContent {
    Login = 1,
    HighWaterMark = 2,
    CallerTokenKey = 3,
    RevokedTokens = 4,
}

/// Why a sealed file cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnsealError {
    Tampered,
    NewerFormat(u8),
    WrongKey(KeyId),
    WrongPassphrase,
}

/// Seals `text` with the first key. None if there is no randomness, or no memory to derive the key.
pub(super) fn seal(
    keys: &SealKeys,
    owner: &str,
    inside: SealedContent,
    mut text: Zeroizing<Vec<u8>>,
) -> Option<Vec<u8>> {
    let (key, salt) = keys.sealing_key()?;
    let header = Header {
        content: inside as u8,
        key_id: key.id,
        salt,
    };
    let header = header.to_bytes();
    let (nonce, tag) = key
        .cipher
        .seal_in_place_separate_tag(associated_data(&header, owner), &mut text)
        .ok()?;
    Some([&header, nonce.as_ref().as_slice(), &text, tag.as_ref()].concat())
}

/// The content of a sealed file.
pub(super) struct Unsealed {
    pub(super) plaintext: Zeroizing<Vec<u8>>,
    /// False if the file should be resealed.
    pub(super) is_by_first_key: bool,
}

/// Opens a sealed file with whichever key sealed it.
pub(super) fn unseal(
    keys: &SealKeys,
    owner: &str,
    inside: SealedContent,
    sealed: &[u8],
) -> Result<Unsealed, UnsealError> {
    let (bytes, rest) = sealed
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(UnsealError::Tampered)?;
    let header = Header::parse(bytes)?;
    if header.content != inside as u8 {
        return Err(UnsealError::Tampered);
    }
    let (nonce, sealed) = rest
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(UnsealError::Tampered)?;
    let key = keys
        .opening_key(header.key_id, header.salt)
        .ok_or(match header.salt {
            None => UnsealError::WrongKey(header.key_id),
            Some(_) => UnsealError::WrongPassphrase,
        })?;
    let mut text = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = key
        .cipher
        .open_in_place(nonce, associated_data(bytes, owner), &mut text)
        .map_err(|_| UnsealError::Tampered)?;
    let length = opened.len();
    text.truncate(length);
    Ok(Unsealed {
        plaintext: text,
        is_by_first_key: keys.is_first(header.key_id, header.salt),
    })
}

struct Header {
    content: u8,
    key_id: KeyId,
    /// The salt, if the key is derived from a passphrase.
    salt: Option<Salt>,
}

impl Header {
    fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let source = if self.salt.is_some() {
            KEY_DERIVED
        } else {
            KEY_GIVEN
        };
        let fields: [&[u8]; 4] = [
            MAGIC,
            &[FORMAT, self.content, source],
            &self.key_id,
            &self.salt.unwrap_or_default(),
        ];
        let mut bytes = [0; HEADER_BYTES];
        let all = fields.into_iter().flatten();
        for (place, byte) in bytes.iter_mut().zip(all) {
            *place = *byte;
        }
        bytes
    }

    fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, UnsealError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(UnsealError::Tampered)?;
        let (&[format, inside, source], rest) =
            rest.split_first_chunk().ok_or(UnsealError::Tampered)?;
        match format {
            FORMAT => {}
            0 => return Err(UnsealError::Tampered),
            newer => return Err(UnsealError::NewerFormat(newer)),
        }
        let (&key_id, salt) = rest.split_first_chunk().ok_or(UnsealError::Tampered)?;
        let salt = Salt::try_from(salt).map_err(|_| UnsealError::Tampered)?;
        let salt = match source {
            KEY_GIVEN if salt == Salt::default() => None,
            KEY_DERIVED => Some(salt),
            _ => return Err(UnsealError::Tampered),
        };
        Ok(Self {
            content: inside,
            key_id,
            salt,
        })
    }
}

fn associated_data(header: &[u8; HEADER_BYTES], owner: &str) -> Aad<Vec<u8>> {
    Aad::from([header.as_slice(), owner.as_bytes()].concat())
}
