//! What the store keeps for the tokens of our own token endpoint, sealed like a login:
//!
//! | | |
//! |---|---|
//! | `caller-tokens.key` | the key that seals them: written once, by whichever process comes first, and the same for all |
//! | `caller-tokens.revoked` | those that were revoked and have not ended yet |
//! | `caller-tokens.lock` | empty; whoever locks it may write |
//!
//! No login has such a name: a slot's has the tenant and the identity in it.

use std::{fs::File, thread::sleep, time::Duration};

use zeroize::Zeroizing;

use crate::hex;

use super::{
    directory::StoreDirectory,
    error::StoreError,
    seal::{self, SealedContent, UnsealError, Unsealed},
    seal_key::SealKeys,
};

const OWNER: &str = "caller-tokens";
const KEY_FILE: &str = "caller-tokens.key";
pub(super) const REVOKED_FILE: &str = "caller-tokens.revoked";
const LOCK_FILE: &str = "caller-tokens.lock";
const DRAFT_FILE: &str = "caller-tokens.draft";

/// Longest file, in bytes, without what the seal adds.
pub const TOKEN_FILE_BYTES_MAX: usize = 512 * 1024;
const SEAL_BYTES_MAX: usize = 128;

/// Longest wait for another process that is writing, in milliseconds: it writes a file and syncs it.
const LOCK_WAIT_MS_MAX: u64 = 5_000;
const LOCK_PAUSE_MS: u64 = 5;

const KEY_BYTES: usize = 32;

/// A key that seals tokens of our own.
pub type CallerTokenKey = Zeroizing<[u8; KEY_BYTES]>;

/// The files of the tokens in an open store.
pub(super) struct TokenFiles {
    pub(super) directory: StoreDirectory,
    pub(super) seals: SealKeys,
}

impl TokenFiles {
    /// The key; `proposal`, whole and durable, if there was none. Sealed anew if another key than the store's first sealed it.
    pub(super) fn key(&self, proposal: &CallerTokenKey) -> Result<CallerTokenKey, StoreError> {
        if let Some((key, true)) = self.stored_key()? {
            return Ok(key);
        }
        let _lock = self.lock()?;
        let key = match self.stored_key()? {
            // Another process was quicker.
            Some((key, true)) => return Ok(key),
            Some((key, false)) => key,
            None => proposal.clone(),
        };
        self.write(KEY_FILE, SealedContent::CallerTokenKey, &*key)?;
        Ok(key)
    }

    /// Whether there is a key, and both files can be read.
    pub(super) fn has_key(&self) -> Result<bool, StoreError> {
        let has_key = self.stored_key()?.is_some();
        self.stored_revoked()?;
        Ok(has_key)
    }

    /// And whether the store's first key sealed it.
    fn stored_key(&self) -> Result<Option<(CallerTokenKey, bool)>, StoreError> {
        let Some(opened) = self.read(KEY_FILE, SealedContent::CallerTokenKey)? else {
            return Ok(None);
        };
        let key = <[u8; KEY_BYTES]>::try_from(opened.plaintext.as_slice())
            .map_err(|_| StoreError::Tampered(self.directory.path_of(KEY_FILE)))?;
        Ok(Some((Zeroizing::new(key), opened.is_by_first_key)))
    }

    /// The revoked tokens, as `parse` reads them; the default if there were never any. Sealed anew if another key than the
    /// store's first sealed them: that key may be gone soon.
    pub(super) fn revoked<T: Default>(
        &self,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, StoreError> {
        let stored = self.stored_revoked()?;
        if stored.as_ref().is_none_or(|it| it.is_by_first_key) {
            return self.parsed(parse, stored);
        }
        let _lock = self.lock()?;
        let stored = self.stored_revoked()?;
        if let Some(it) = stored.as_ref().filter(|it| !it.is_by_first_key) {
            self.write(REVOKED_FILE, SealedContent::RevokedTokens, &it.plaintext)?;
        }
        self.parsed(parse, stored)
    }

    fn stored_revoked(&self) -> Result<Option<Unsealed>, StoreError> {
        self.read(REVOKED_FILE, SealedContent::RevokedTokens)
    }

    fn parsed<T: Default>(
        &self,
        parse: impl FnOnce(&[u8]) -> Option<T>,
        stored: Option<Unsealed>,
    ) -> Result<T, StoreError> {
        let Some(stored) = stored else {
            return Ok(T::default());
        };
        parse(&stored.plaintext)
            .ok_or_else(|| StoreError::Tampered(self.directory.path_of(REVOKED_FILE)))
    }

    /// Replaces what is stored by what `change` makes of it, as `parse` reads it; no other process writes meanwhile.
    pub(super) fn update_revoked<T: Default>(
        &self,
        parse: impl FnOnce(&[u8]) -> Option<T>,
        change: impl FnOnce(T) -> Vec<u8>,
    ) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let changed = change(self.parsed(parse, self.stored_revoked()?)?);
        self.write(REVOKED_FILE, SealedContent::RevokedTokens, &changed)
    }

    fn lock(&self) -> Result<File, StoreError> {
        for _ in 0..LOCK_WAIT_MS_MAX / LOCK_PAUSE_MS {
            if let Some(lock) = self.directory.lock(LOCK_FILE)? {
                return Ok(lock);
            }
            sleep(Duration::from_millis(LOCK_PAUSE_MS));
        }
        Err(StoreError::Busy {
            path: self.directory.path_of(LOCK_FILE),
            waited_ms: LOCK_WAIT_MS_MAX,
        })
    }

    fn read(&self, name: &str, content: SealedContent) -> Result<Option<Unsealed>, StoreError> {
        let longest = TOKEN_FILE_BYTES_MAX + SEAL_BYTES_MAX;
        let Some(sealed) = self.directory.read_up_to(name, longest)? else {
            return Ok(None);
        };
        let path = || self.directory.path_of(name);
        let opened = seal::unseal(&self.seals, OWNER, content, &sealed);
        opened.map(Some).map_err(|error| match error {
            UnsealError::Tampered => StoreError::Tampered(path()),
            UnsealError::NewerFormat(version) => StoreError::NewerFormat {
                path: path(),
                version,
            },
            UnsealError::WrongPassphrase => StoreError::WrongPassphrase(path()),
            UnsealError::WrongKey(id) => StoreError::WrongKey {
                path: path(),
                key_id: hex::encode(&id),
            },
        })
    }

    fn write(&self, name: &str, content: SealedContent, text: &[u8]) -> Result<(), StoreError> {
        let text = Zeroizing::new(text.to_vec());
        let sealed = seal::seal(&self.seals, OWNER, content, text)
            .ok_or_else(|| StoreError::CannotSeal(self.directory.path_of(name)))?;
        self.directory.replace(name, DRAFT_FILE, &sealed)?;
        self.directory.sync()
    }
}
