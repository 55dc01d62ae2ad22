//! Issues and revokes the tokens of our own token endpoint, and keeps in the store what must outlive the process.

use std::{sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    caller::{
        access_token::{OpenedToken, TokenKey},
        revoked_tokens::{REVOKED_BYTES_MAX, RevokedTokens, TooManyRevokedError},
        tokens::CallerTokens,
    },
    clock::Timestamp,
    credentials::store::{
        LoginStore, SlotRevision, error::StoreError, token_files::TOKEN_FILE_BYTES_MAX,
    },
    lock::Lock,
};

// What the bound allows can be stored.
const _: () = assert!(REVOKED_BYTES_MAX <= TOKEN_FILE_BYTES_MAX);

/// How often the store is looked at for tokens that other processes have revoked.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);

/// Why there are no tokens at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no randomness to make a key for callers' tokens of")]
pub(crate) struct NoTokenKeyError;

/// Why a token was not revoked for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RevocationError {
    TooMany(TooManyRevokedError),
    /// It has ended in this process, and would live again after a restart.
    NotStored,
}

/// Our own tokens, and where their key and the revoked ones are stored.
pub(crate) struct TokenAuthority {
    tokens: CallerTokens,
    /// None: tokens end with the process.
    store: Option<LoginStore>,
    /// Why the key is not the store's, though there is a store.
    key_trouble: Option<String>,
    /// Why the newest revocations are not stored. Held from a change to the end of its write, so that an older state never
    /// replaces a newer one.
    store_trouble: Lock<Option<String>>,
    /// Why those of other processes are not known.
    follow_trouble: Lock<Option<String>>,
}

impl TokenAuthority {
    /// Takes the key and the revoked tokens from the store, and makes the key if there is none. Without a store, or with one
    /// that cannot be used for this, the key lives in memory, and a restart ends all tokens; the latter is logged. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub(crate) fn open(store: Option<&LoginStore>) -> Result<Self, NoTokenKeyError> {
        let mut key_trouble = None;
        let stored = store.and_then(|store| match stored_tokens(store) {
            Ok(stored) => stored.map(|tokens| (tokens, store.clone())),
            Err(error) => {
                tracing::error!(
                    %error,
                    "the key of callers' tokens is kept in memory: a restart ends all of them"
                );
                key_trouble = Some(format!(
                    "The key of callers' tokens is kept in memory, so a restart logs out every client that has one: {error}"
                ));
                None
            }
        });
        let (tokens, store) = if let Some((tokens, store)) = stored {
            (tokens, Some(store))
        } else {
            let key = TokenKey::random().ok_or(NoTokenKeyError)?;
            (CallerTokens::new(key, RevokedTokens::default()), None)
        };
        Ok(Self {
            tokens,
            store,
            key_trouble,
            store_trouble: Lock::default(),
            follow_trouble: Lock::default(),
        })
    }

    /// What needs attention, a sentence each.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let store = self.store_trouble.lock().clone();
        let follow = self.follow_trouble.lock().clone();
        let all = [self.key_trouble.clone(), store, follow];
        all.into_iter().flatten().collect()
    }

    /// The tokens.
    pub(crate) const fn tokens(&self) -> &CallerTokens {
        &self.tokens
    }

    /// Ends a token: at once in this process, and durably when this returns.
    ///
    /// # Errors
    /// The token lives on, or would after a restart.
    pub(crate) async fn revoke(
        self: &Arc<Self>,
        token: OpenedToken,
        now: Timestamp,
    ) -> Result<(), RevocationError> {
        let authority = Arc::clone(self);
        let revoked = spawn_blocking(move || authority.revoke_blocking(&token, now));
        revoked.await.unwrap_or(Err(RevocationError::NotStored))
    }

    fn revoke_blocking(&self, token: &OpenedToken, now: Timestamp) -> Result<(), RevocationError> {
        let mut trouble = self.store_trouble.lock();
        self.tokens
            .revoked()
            .revoke(token, now)
            .map_err(RevocationError::TooMany)?;
        match &self.store {
            Some(store) => self
                .store_revoked(store, &mut trouble)
                .map_err(|_| RevocationError::NotStored),
            None => Ok(()),
        }
    }

    /// Stores what is revoked, with what other processes have stored. A failure is logged once, and shown until it is over.
    fn store_revoked(
        &self,
        store: &LoginStore,
        trouble: &mut Option<String>,
    ) -> Result<(), StoreError> {
        let revoked = self.tokens.revoked();
        let stored = store.update_revoked_caller_tokens(|stored| {
            self.add_of_others(stored);
            revoked.to_bytes()
        });
        let said = stored.as_ref().err().map(|error| {
            format!("A revoked token is not stored, and would live on after a restart: {error}")
        });
        if let Some(said) = said.as_ref().filter(|_| trouble.is_none()) {
            tracing::error!("{said}");
        }
        *trouble = said;
        stored
    }

    /// Ends the tokens that other processes revoke which share the store, within [`FOLLOW_INTERVAL`], and stores again what
    /// could not be stored. Runs until dropped.
    pub(crate) async fn follow_store(self: Arc<Self>) {
        let Some(store) = self.store.clone() else {
            return;
        };
        let mut followed = None;
        loop {
            sleep(FOLLOW_INTERVAL).await;
            let (authority, from, before) = (Arc::clone(&self), store.clone(), followed);
            let read = spawn_blocking(move || authority.follow_once(&from, before)).await;
            let Ok(read) = read else {
                return;
            };
            let said = read.as_ref().err().map(|error| {
                format!("Tokens that another process has revoked may live on here: {error}")
            });
            followed = read.ok().or(followed);
            let mut trouble = self.follow_trouble.lock();
            if let Some(said) = said.as_ref().filter(|_| trouble.is_none()) {
                tracing::error!("{said}");
            }
            *trouble = said;
        }
    }

    fn follow_once(
        &self,
        store: &LoginStore,
        followed: Option<SlotRevision>,
    ) -> Result<SlotRevision, StoreError> {
        let mut trouble = self.store_trouble.lock();
        if trouble.is_some() {
            // Said by the lock's content; tried again the next time.
            let _ = self.store_revoked(store, &mut trouble);
        }
        drop(trouble);
        let revision = store.revoked_caller_tokens_revision()?;
        if followed != Some(revision) {
            self.add_of_others(store.revoked_caller_tokens()?);
        }
        Ok(revision)
    }

    /// What cannot be read is of another version.
    fn add_of_others(&self, stored: Option<Vec<u8>>) {
        let stored = stored.and_then(|it| RevokedTokens::from_bytes(&it));
        let added = stored.map(|it| self.tokens.revoked().add(&it, Timestamp::now()));
        if let Some(Err(error)) = added {
            tracing::error!(%error, "tokens that another process has revoked live on");
        }
    }
}

/// None if nothing in the store outlives the process.
fn stored_tokens(store: &LoginStore) -> Result<Option<CallerTokens>, StoreError> {
    let Some(key) = store.caller_token_key()? else {
        return Ok(None);
    };
    let revoked = match store.revoked_caller_tokens()? {
        None => Some(RevokedTokens::default()),
        Some(bytes) => RevokedTokens::from_bytes(&bytes),
    };
    // Both are authentic, so another version of this program wrote what cannot be read.
    let tokens = TokenKey::new(&key)
        .zip(revoked)
        .map(|(key, revoked)| CallerTokens::new(key, revoked));
    if tokens.is_none() {
        tracing::error!(
            "the store's revoked tokens are of another version: the key of callers' tokens is kept in memory"
        );
    }
    Ok(tokens)
}
