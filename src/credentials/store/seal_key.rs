//! The keys that seal the store: 32 random bytes, or derived from a passphrase.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, RandomizedNonceKey},
    digest::{SHA256, digest},
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use crate::{hex, lock::Lock, random};

/// Most keys that a store can have. A rotation needs two.
pub const SEAL_KEYS_MAX: usize = 8;

/// Shortest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MIN: usize = 12;
/// Longest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;

const KEY_BYTES: usize = 32;
pub(super) const KEY_ID_BYTES: usize = 8;
pub(super) const SALT_BYTES: usize = 16;

/// Separates this use of SHA-256 from any other over the same bytes.
const KEY_ID_DOMAIN: &[u8] = b"ninjaone-proxy store key id 1\0";

/// Argon2id parameters, above the minimum of OWASP's Password Storage Cheat Sheet (19 MiB, 2 iterations). Part of format 1.
const ARGON2_MEMORY_KIB: u32 = 32 * 1024;
const ARGON2_ITERATIONS: u32 = 3;
const ARGON2_PARALLELISM: u32 = 1;

/// Most salts whose derived keys are cached. All files of a store share one salt, unless somebody has mixed stores.
const DERIVED_KEYS_MAX: usize = 64;

pub(super) type KeyId = [u8; KEY_ID_BYTES];
pub(super) type Salt = [u8; SALT_BYTES];

/// Why something cannot seal a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealKeyError {
    #[error(
        "a key is 32 random bytes: raw, as 64 hexadecimal digits, or in base64; make one with: openssl rand -hex 32"
    )]
    InvalidKey,
    #[error("a passphrase is {PASSPHRASE_BYTES_MIN} to {PASSPHRASE_BYTES_MAX} bytes long")]
    PassphraseLength,
    #[error("at most {SEAL_KEYS_MAX} keys can open the store")]
    TooManyKeys,
}

/// A key or passphrase of a store. There is no `Debug`.
pub struct SealKey(KeyMaterial);

enum KeyMaterial {
    Key(Arc<AeadKey>),
    Passphrase(Passphrase),
}

impl SealKey {
    /// Parses 32 raw bytes, or their 64 hexadecimal digits or base64, which may have white space around them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealKeyError> {
        let key = parse_key(bytes).ok_or(SealKeyError::InvalidKey)?;
        let key = AeadKey::new(&key).ok_or(SealKeyError::InvalidKey)?;
        Ok(Self(KeyMaterial::Key(Arc::new(key))))
    }

    /// White space around the passphrase is ignored.
    pub fn from_passphrase(text: &[u8]) -> Result<Self, SealKeyError> {
        let text = text.trim_ascii();
        if !(PASSPHRASE_BYTES_MIN..=PASSPHRASE_BYTES_MAX).contains(&text.len()) {
            return Err(SealKeyError::PassphraseLength);
        }
        Ok(Self(KeyMaterial::Passphrase(Passphrase {
            text: Zeroizing::new(text.to_vec()),
            derived: Lock::default(),
            salt_in_use: OnceLock::new(),
        })))
    }
}

/// The keys of a store. The first one seals; all of them open.
#[derive(Clone)]
pub struct SealKeys(Arc<[SealKey]>);

impl SealKeys {
    /// # Errors
    /// There are more than [`SEAL_KEYS_MAX`] keys.
    pub fn new(first: SealKey, older: Vec<SealKey>) -> Result<Self, SealKeyError> {
        if older.len() >= SEAL_KEYS_MAX {
            return Err(SealKeyError::TooManyKeys);
        }
        let keys: Vec<_> = std::iter::once(first).chain(older).collect();
        Ok(Self(keys.into()))
    }

    /// The key to seal with, and its salt if it is derived. None if it cannot be derived.
    pub(super) fn sealing_key(&self) -> Option<(Arc<AeadKey>, Option<Salt>)> {
        match &self.0.first()?.0 {
            KeyMaterial::Key(key) => Some((Arc::clone(key), None)),
            KeyMaterial::Passphrase(passphrase) => {
                let salt = passphrase.salt()?;
                Some((passphrase.derive(salt)?, Some(salt)))
            }
        }
    }

    /// The key with this id. `salt` is that of a derived key.
    pub(super) fn opening_key(&self, id: KeyId, salt: Option<Salt>) -> Option<Arc<AeadKey>> {
        self.0.iter().find_map(|key| match (&key.0, salt) {
            (KeyMaterial::Key(key), None) => (key.id == id).then(|| Arc::clone(key)),
            (KeyMaterial::Passphrase(passphrase), Some(salt)) => passphrase.opening_key(id, salt),
            _ => None,
        })
    }

    /// Whether the first key has this id and salt.
    pub(super) fn is_first(&self, id: KeyId, salt: Option<Salt>) -> bool {
        match (self.0.first().map(|key| &key.0), salt) {
            (Some(KeyMaterial::Key(key)), None) => key.id == id,
            (Some(KeyMaterial::Passphrase(passphrase)), Some(salt)) => {
                passphrase.opening_key(id, salt).is_some()
            }
            _ => false,
        }
    }
}

struct Passphrase {
    text: Zeroizing<Vec<u8>>,
    /// By salt, so that a store derives its key once.
    derived: Lock<HashMap<Salt, Arc<AeadKey>>>,
    /// The salt of the first file that was opened, so that all files of a store come to share one.
    salt_in_use: OnceLock<Salt>,
}

impl Passphrase {
    fn salt(&self) -> Option<Salt> {
        if let Some(salt) = self.salt_in_use.get() {
            return Some(*salt);
        }
        let fresh = random::bytes()?;
        Some(*self.salt_in_use.get_or_init(|| fresh))
    }

    fn opening_key(&self, id: KeyId, salt: Salt) -> Option<Arc<AeadKey>> {
        let key = self.derive(salt).filter(|key| key.id == id)?;
        self.salt_in_use.get_or_init(|| salt);
        Some(key)
    }

    /// None if there is not enough memory for Argon2.
    fn derive(&self, salt: Salt) -> Option<Arc<AeadKey>> {
        // Holds the lock while it derives, so that two threads derive the same key once.
        let mut derived = self.derived.lock();
        if let Some(key) = derived.get(&salt) {
            return Some(Arc::clone(key));
        }
        let params = Params::new(
            ARGON2_MEMORY_KIB,
            ARGON2_ITERATIONS,
            ARGON2_PARALLELISM,
            Some(KEY_BYTES),
        )
        .ok()?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&self.text, &salt, &mut *bytes)
            .ok()?;
        let key = Arc::new(AeadKey::new(&bytes)?);
        if derived.len() >= DERIVED_KEYS_MAX {
            derived.clear();
        }
        derived.insert(salt, Arc::clone(&key));
        Some(key)
    }
}

/// A key as the cipher wants it, with its public name.
pub(super) struct AeadKey {
    pub(super) id: KeyId,
    pub(super) cipher: RandomizedNonceKey,
}

impl AeadKey {
    fn new(bytes: &[u8; KEY_BYTES]) -> Option<Self> {
        let named = Zeroizing::new([KEY_ID_DOMAIN, bytes].concat());
        let hash = digest(&SHA256, &named);
        Some(Self {
            id: *hash.as_ref().first_chunk()?,
            cipher: RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes).ok()?,
        })
    }
}

fn parse_key(bytes: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if let Ok(raw) = <&[u8; KEY_BYTES]>::try_from(bytes) {
        // Thirty-two printable characters are a short hexadecimal key or a password, not 32 random bytes.
        let is_text = raw.iter().all(u8::is_ascii_graphic);
        return (!is_text).then(|| Zeroizing::new(*raw));
    }
    let text = bytes.trim_ascii();
    if text.len() == 2 * KEY_BYTES {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        return hex::decode_into(text, &mut *key).map(|()| key);
    }
    let standard = text.iter().map(|b| match b {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    });
    let standard = Zeroizing::new(standard.collect::<Vec<u8>>());
    let mut room = Zeroizing::new([0; KEY_BYTES + 4]);
    let either_padding =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, either_padding);
    let length = engine.decode_slice(&*standard, &mut *room).ok()?;
    let key = room.get(..length)?;
    <[u8; KEY_BYTES]>::try_from(key).ok().map(Zeroizing::new)
}
