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
    /// Held from a change to the end of its write, so that an older state never replaces a newer one.
    writing: Lock<()>,
}

impl TokenAuthority {
    /// Takes the key and the revoked tokens from the store, and makes the key if there is none. Without a store, or with one
    /// that cannot be used for this, the key lives in memory, and a restart ends all tokens; the latter is logged. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub(crate) fn open(store: Option<&LoginStore>) -> Result<Self, NoTokenKeyError> {
        let stored = store.and_then(|store| match stored_tokens(store) {
            Ok(stored) => stored.map(|tokens| (tokens, store.clone())),
            Err(error) => {
                tracing::error!(
                    %error,
                    "the key of callers' tokens is kept in memory: a restart ends all of them"
                );
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
            writing: Lock::default(),
        })
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
        let _writing = self.writing.lock();
        let revoked = self.tokens.revoked();
        revoked
            .revoke(token, now)
            .map_err(RevocationError::TooMany)?;
        let Some(store) = &self.store else {
            return Ok(());
        };
        let updated = store.update_revoked_caller_tokens(|stored| {
            // What cannot be read is of another version, and replaced.
            let stored = stored.and_then(|it| RevokedTokens::from_bytes(&it));
            if let Some(Err(error)) = stored.map(|it| revoked.add(&it, now)) {
                tracing::error!(%error, "tokens that another process has revoked live on");
            }
            revoked.to_bytes()
        });
        updated.map_err(|error| {
            tracing::error!(%error, "a revoked token could not be stored: after a restart it would live on");
            RevocationError::NotStored
        })
    }

    /// Ends the tokens that other processes revoke which share the store, within [`FOLLOW_INTERVAL`]. Runs until dropped.
    pub(crate) async fn follow_store(self: Arc<Self>) {
        let Some(store) = self.store.clone() else {
            return;
        };
        let mut followed = None;
        loop {
            sleep(FOLLOW_INTERVAL).await;
            let (authority, from, before) = (Arc::clone(&self), store.clone(), followed);
            let read = spawn_blocking(move || authority.take_over(&from, before)).await;
            match read {
                Ok(Ok(revision)) => followed = Some(revision),
                Ok(Err(error)) => tracing::debug!(%error, "the revoked tokens cannot be read"),
                Err(_) => return,
            }
        }
    }

    fn take_over(
        &self,
        store: &LoginStore,
        followed: Option<SlotRevision>,
    ) -> Result<SlotRevision, StoreError> {
        let revision = store.revoked_caller_tokens_revision()?;
        if followed != Some(revision) {
            let stored = store.revoked_caller_tokens()?;
            let stored = stored.and_then(|it| RevokedTokens::from_bytes(&it));
            let added = stored.map(|it| self.tokens.revoked().add(&it, Timestamp::now()));
            if let Some(Err(error)) = added {
                tracing::error!(%error, "tokens that another process has revoked live on");
            }
        }
        Ok(revision)
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
