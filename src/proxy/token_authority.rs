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
        LoginStore, SlotRevision,
        error::StoreError,
        token_files::{CallerTokenKey, TOKEN_FILE_BYTES_MAX},
    },
    lock::Lock,
    random,
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
    /// The key, while it is in memory and should be in the store. Held from a change to the end of its write, so that an older
    /// state never replaces a newer one.
    unstored_key: Lock<Option<CallerTokenKey>>,
    /// Never held while the disk is waited for.
    troubles: Lock<Troubles>,
}

/// What needs attention: a sentence each.
#[derive(Default)]
struct Troubles {
    /// The key is in memory, though there is a store.
    key: Option<String>,
    /// The newest revocations are not stored.
    store: Option<String>,
    /// The revocations of other processes are not known.
    follow: Option<String>,
}

impl TokenAuthority {
    /// Takes the key and the revoked tokens from the store, and makes the key if there is none. Without a store the key lives
    /// in memory, and a restart ends all tokens; the same while the store cannot be used, which is logged and shown. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub(crate) fn open(store: Option<&LoginStore>) -> Result<Self, NoTokenKeyError> {
        let mut proposal = CallerTokenKey::default();
        random::fill(&mut *proposal).ok_or(NoTokenKeyError)?;
        let opened = match store {
            Some(store) => stored_tokens(store, &proposal),
            None => Ok((proposal.clone(), RevokedTokens::default())),
        };
        let mut troubles = Troubles::default();
        let mut unstored_key = None;
        let (key, revoked) = opened.unwrap_or_else(|error| {
            let said = key_trouble(&error);
            tracing::error!("{said}");
            troubles.key = Some(said);
            unstored_key = Some(proposal.clone());
            (proposal, RevokedTokens::default())
        });
        let key = TokenKey::new(&key).ok_or(NoTokenKeyError)?;
        Ok(Self {
            tokens: CallerTokens::new(key, revoked),
            store: store.cloned(),
            unstored_key: Lock::new(unstored_key),
            troubles: Lock::new(troubles),
        })
    }

    /// What needs attention, a sentence each.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let troubles = self.troubles.lock();
        let Troubles { key, store, follow } = &*troubles;
        [key, store, follow]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Shows a trouble until it is over, and logs it once.
    fn report(&self, which: fn(&mut Troubles) -> &mut Option<String>, said: Option<String>) {
        let mut troubles = self.troubles.lock();
        let shown = which(&mut troubles);
        if let Some(said) = said.as_ref().filter(|_| shown.is_none()) {
            tracing::error!("{said}");
        }
        *shown = said;
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
        let unstored_key = self.unstored_key.lock();
        self.tokens
            .revoked()
            .revoke(token, now)
            .map_err(RevocationError::TooMany)?;
        match &self.store {
            // While the key is in memory, so is what is revoked.
            Some(store) if unstored_key.is_none() => self
                .store_revoked(store)
                .map_err(|_| RevocationError::NotStored),
            _ => Ok(()),
        }
    }

    /// Stores what is revoked, with what other processes have stored.
    fn store_revoked(&self, store: &LoginStore) -> Result<(), StoreError> {
        let revoked = self.tokens.revoked();
        let stored = store.update_revoked_caller_tokens(RevokedTokens::from_bytes, |stored| {
            self.add_revoked(&stored);
            revoked.to_bytes()
        });
        let said = stored.as_ref().err().map(|error| {
            format!("A revoked token is not stored, and would live on after a restart: {error}")
        });
        self.report(|it| &mut it.store, said);
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
            self.report(|it| &mut it.follow, said);
            followed = read.unwrap_or(followed);
        }
    }

    /// Gives the revision of what it has taken over.
    fn follow_once(
        &self,
        store: &LoginStore,
        followed: Option<SlotRevision>,
    ) -> Result<Option<SlotRevision>, StoreError> {
        let mut unstored_key = self.unstored_key.lock();
        let was_stored = unstored_key.is_none();
        let stored = self.store_key(store, &mut unstored_key);
        self.report(|it| &mut it.key, stored.as_ref().err().map(key_trouble));
        if stored.is_err() {
            return Ok(followed);
        }
        let is_waiting = self.troubles.lock().store.is_some();
        if is_waiting || !was_stored {
            // Reported, and tried again the next time.
            let _ = self.store_revoked(store);
        }
        drop(unstored_key);
        let revision = store.revoked_caller_tokens_revision()?;
        if followed != Some(revision) {
            self.add_revoked(&revoked_tokens(store)?);
        }
        Ok(Some(revision))
    }

    /// Stores the key that is in memory, if one is, or takes the one that another process has stored meanwhile.
    fn store_key(
        &self,
        store: &LoginStore,
        unstored: &mut Option<CallerTokenKey>,
    ) -> Result<(), StoreError> {
        let Some(ours) = unstored.as_ref() else {
            return Ok(());
        };
        // What is revoked comes first: the stored key alone would bring revoked tokens back to life.
        let revoked = revoked_tokens(store)?;
        let stored = store.caller_token_key(ours)?;
        self.add_revoked(&revoked);
        if *stored != **ours
            && let Some(key) = TokenKey::new(&stored)
        {
            self.tokens.replace_key(key);
        }
        *unstored = None;
        tracing::info!("the key of callers' tokens is in the store now");
        Ok(())
    }

    fn add_revoked(&self, revoked: &RevokedTokens) {
        if let Err(error) = self.tokens.revoked().add(revoked, Timestamp::now()) {
            tracing::error!(%error, "tokens that another process has revoked live on");
        }
    }
}

fn key_trouble(error: &StoreError) -> String {
    format!(
        "The key of callers' tokens is kept in memory, so a restart logs out every client that has one: {error}"
    )
}

/// The key, and the revoked tokens.
fn stored_tokens(
    store: &LoginStore,
    proposal: &CallerTokenKey,
) -> Result<(CallerTokenKey, RevokedTokens), StoreError> {
    // Without them the stored key is not taken: it would bring revoked tokens back to life.
    let revoked = revoked_tokens(store)?;
    Ok((store.caller_token_key(proposal)?, revoked))
}

fn revoked_tokens(store: &LoginStore) -> Result<RevokedTokens, StoreError> {
    store.revoked_caller_tokens(RevokedTokens::from_bytes)
}
