//! A stored login and its renewal. One process renews it at a time, and a new token is on disk before it is used.
//!
//! NinjaOne's refresh tokens work once. So each renewal locks the slot, reads the login, writes a renewal marker, calls
//! NinjaOne, writes the response, and unlocks. A process that waited for the lock finds the response and makes no call.

use std::{sync::Arc, time::Duration};

use tokio::task::spawn_blocking;

use crate::{
    clock::{Moment, Timestamp},
    credentials::{
        grant::{
            TokenSet,
            application::{Application, TOKEN_REQUEST_TIMEOUT_MS},
            discovery::OAuthPaths,
            issued_token::IssuedToken,
            token_endpoint_error::{TokenEndpointError, TokenRejection},
        },
        store::{
            FoundLogin, LoginStore, SlotLock, SlotRevision,
            error::StoreError,
            stored_login::{LoginEnd, RenewalMarker, Slot, StoredAccessToken, StoredLogin},
        },
    },
};

use super::{
    change::{LoginChange, LoginSummary, LoginVersion},
    refresh_calls::{RefreshCall, RefreshCalls},
    renewal_error::{LoginEndReason, LoginError, RenewalError},
};

/// Longest wait for a renewal under way in another process, in milliseconds: the timeout of its request, and its writes.
pub(in crate::credentials) const RENEWAL_WAIT_MS_MAX: u64 = TOKEN_REQUEST_TIMEOUT_MS + 5_000;

/// How often a process that waits for the lock looks for a newer token, in milliseconds.
const LOCK_POLL_INTERVAL_MS: u64 = 250;

/// Pause between two tries to store an unsaved login, in milliseconds.
pub(in crate::credentials) const SAVE_RETRY_INTERVAL_MS: u64 = 1_000;

/// A user's login in the store, as one process works with it.
pub struct LoginSession {
    application: Application,
    store: LoginStore,
    slot: Slot,
    paths: Option<OAuthPaths>,
    /// The slot's revision when it was last read.
    revision: Option<SlotRevision>,
    version: Option<LoginVersion>,
    summary: Option<LoginSummary>,
    /// A renewed login that could not be stored. It stays locked until it is.
    unsaved: Option<LockedLogin>,
    fault: Option<StoreError>,
}

/// A locked login: nobody else can renew it while this exists.
struct LockedLogin {
    lock: Arc<SlotLock>,
    login: StoredLogin,
    /// Some while a response is awaited or unsaved: the program does not exit before it is stored.
    refresh_call: Option<RefreshCall>,
    /// Since when `login` is newer than the stored one, whose refresh token is used up: nobody may use that one.
    unsaved_since: Option<Timestamp>,
}

/// What locking a login for renewal brought.
enum LockOutcome {
    Locked(Box<LockedLogin>),
    /// Another process has renewed the token and still holds the lock.
    AlreadyRenewed(IssuedToken),
}

/// How a renewal succeeded.
pub(in crate::credentials) enum RenewalOutcome {
    /// NinjaOne issued a token to this process.
    Renewed { issued: IssuedToken, is_saved: bool },
    /// Another process has renewed the token.
    Adopted(IssuedToken),
}

/// How urgent a renewal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::credentials) enum RenewalUrgency {
    /// The current token stays valid for a while, so the renewal takes no risk.
    Early,
    /// Without a new token, requests are refused.
    Required,
}

impl LoginSession {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(application: Application, store: LoginStore, slot: Slot) -> Self {
        Self {
            application,
            store,
            slot,
            paths: None,
            revision: None,
            version: None,
            summary: None,
            unsaved: None,
            fault: None,
        }
    }

    /// Uses other credentials of the same application, at the same host, from now on.
    pub(in crate::credentials) fn set_application(&mut self, application: Application) {
        self.application = application;
        self.paths = None;
    }

    /// What is known about the login; none if nobody is logged in.
    pub(in crate::credentials) fn summary(&self) -> Option<&LoginSummary> {
        self.summary.as_ref()
    }

    /// Since when a renewed login is in memory only.
    pub(in crate::credentials) fn unsaved_since(&self) -> Option<Timestamp> {
        self.unsaved.as_ref()?.unsaved_since
    }

    /// The last error of the store, until it works again.
    pub(in crate::credentials) fn fault(&self) -> Option<&StoreError> {
        self.fault.as_ref()
    }

    /// What another process has written since the last call; none if nothing.
    pub(in crate::credentials) async fn poll_store(
        &mut self,
    ) -> Result<Option<LoginChange>, RenewalError> {
        // While a login is unsaved we hold the lock, and the stored one is out of date.
        if self.unsaved.is_some() {
            return Ok(None);
        }
        let revision = self.current_revision().await;
        let revision = self.note_fault(revision)?;
        if self.revision == Some(revision) {
            return Ok(None);
        }
        let (store, slot) = (self.store.clone(), self.slot.clone());
        let read = self.run_blocking(move || store.read(&slot)).await;
        let stored = self.note_damage(read)?;
        let is_first = self.revision.replace(revision).is_none();
        let Some(stored) = stored else {
            self.version = None;
            return Ok(match self.summary.take() {
                Some(_) => Some(LoginChange::LoggedOut),
                None => is_first.then_some(LoginChange::NeverLoggedIn),
            });
        };
        let had_login = self.summary.replace(LoginSummary::of(&stored)).is_some();
        Ok(self.classify_change(&stored, is_first && !had_login))
    }

    fn classify_change(&mut self, stored: &StoredLogin, is_first: bool) -> Option<LoginChange> {
        if let Err(error) = check_usable(stored, &self.application) {
            self.version = None;
            return Some(LoginChange::Unusable(error));
        }
        let before = self.version.replace(LoginVersion::of(stored));
        match before {
            Some(before) if before == LoginVersion::of(stored) => None,
            Some(before) if before.logged_in_at == stored.logged_in_at => {
                Some(LoginChange::Renewed(IssuedToken::from_stored(stored)))
            }
            None if is_first => Some(LoginChange::Renewed(IssuedToken::from_stored(stored))),
            _ => Some(LoginChange::LoggedIn(IssuedToken::from_stored(stored))),
        }
    }

    /// Renews the token, or finds that another process has done so. Must run to its end once polled, because NinjaOne's
    /// response exists nowhere else.
    pub(in crate::credentials) async fn renew(
        &mut self,
        urgency: RenewalUrgency,
        calls: &RefreshCalls,
    ) -> Result<RenewalOutcome, RenewalError> {
        let mut locked = match self.lock_login().await? {
            LockOutcome::Locked(locked) => locked,
            LockOutcome::AlreadyRenewed(issued) => return Ok(RenewalOutcome::Adopted(issued)),
        };
        let renewed = self.renew_locked(&mut locked, urgency, calls).await;
        if locked.unsaved_since.is_some() {
            self.unsaved = Some(*locked);
        }
        renewed
    }

    async fn renew_locked(
        &mut self,
        locked: &mut LockedLogin,
        urgency: RenewalUrgency,
        calls: &RefreshCalls,
    ) -> Result<RenewalOutcome, RenewalError> {
        check_usable(&locked.login, &self.application)?;
        let is_known = self.version == Some(LoginVersion::of(&locked.login));
        if !is_known && let Some(issued) = IssuedToken::from_stored(&locked.login) {
            self.version = Some(LoginVersion::of(&locked.login));
            return Ok(RenewalOutcome::Adopted(issued));
        }
        let Some(token) = locked.login.refresh_token.clone() else {
            return Err(LoginError::NotRenewable.into());
        };
        // Discovers the paths before it writes the marker, so that a kill during discovery does not cost the login.
        let paths = self.paths().await;
        // So is the host's name, which may take longer than the request.
        self.application
            .resolve_host()
            .await
            .map_err(RenewalError::from)?;
        locked.refresh_call = Some(calls.begin().ok_or(RenewalError::ShuttingDown)?);
        let earlier_marker = locked.login.renewal_marker.replace(RenewalMarker::now());
        let marked = self.write(locked).await;
        // Do not renew a login that cannot be stored, as long as the current token is valid.
        if marked.is_err() && urgency == RenewalUrgency::Early {
            locked.login.renewal_marker = earlier_marker;
            return Err(RenewalError::Store);
        }
        match self.application.refresh(&token, &paths.token).await {
            Ok(issued) => self.store_renewed(locked, issued).await,
            Err(error) => Err(self.record_refusal(locked, error, earlier_marker).await),
        }
    }

    async fn paths(&mut self) -> OAuthPaths {
        if let Some(paths) = &self.paths {
            return paths.clone();
        }
        let paths = OAuthPaths::discover(&self.application.endpoint).await;
        self.paths = Some(paths.clone());
        paths
    }

    /// Locks the slot and reads the login. While another process holds the lock, looks for a token that it has written: it
    /// may not unlock soon.
    async fn lock_login(&mut self) -> Result<LockOutcome, RenewalError> {
        if let Some(locked) = self.unsaved.take() {
            return Ok(LockOutcome::Locked(Box::new(locked)));
        }
        let longest = Duration::from_millis(RENEWAL_WAIT_MS_MAX);
        let gives_up = Moment::now().plus(longest);
        let interval = Duration::from_millis(LOCK_POLL_INTERVAL_MS);
        let locked = loop {
            match self.store.lock(&self.slot, interval).await {
                Err(StoreError::Busy { .. }) if Moment::now() < gives_up => {
                    if let Some(issued) = self.adopt_newer_token().await {
                        return Ok(LockOutcome::AlreadyRenewed(issued));
                    }
                }
                locked => break self.note_fault(locked)?,
            }
        };
        let locked = Arc::new(locked);
        let under = Arc::clone(&locked);
        let read = self.run_blocking(move || under.read()).await;
        let stored = self.note_damage(read)?.ok_or(LoginError::NotLoggedIn)?;
        Ok(LockOutcome::Locked(Box::new(LockedLogin {
            lock: locked,
            login: stored,
            refresh_call: None,
            unsaved_since: None,
        })))
    }

    /// A newer token in the store, if there is one. Every other change is handled under the lock.
    async fn adopt_newer_token(&mut self) -> Option<IssuedToken> {
        let revision = self.current_revision().await.ok()?;
        if self.revision == Some(revision) {
            return None;
        }
        let (store, slot) = (self.store.clone(), self.slot.clone());
        let read = self.run_blocking(move || store.read(&slot)).await;
        let stored = read.ok()??.login;
        if self.version == Some(LoginVersion::of(&stored))
            || check_usable(&stored, &self.application).is_err()
        {
            return None;
        }
        let issued = IssuedToken::from_stored(&stored)?;
        self.revision = Some(revision);
        self.version = Some(LoginVersion::of(&stored));
        self.summary = Some(LoginSummary::of(&stored));
        Some(issued)
    }

    async fn store_renewed(
        &mut self,
        locked: &mut LockedLogin,
        issued: TokenSet,
    ) -> Result<RenewalOutcome, RenewalError> {
        let stored = &mut locked.login;
        stored.generation += 1;
        stored.refreshed_at = issued.requested.at;
        stored.renewal_marker = None;
        if let Some(refresh) = issued.refresh_token {
            stored.refresh_token = Some(refresh);
        }
        stored.access_token = None;
        if let Ok(access) = &issued.access {
            let access_token =
                StoredAccessToken::dated(issued.access_token, access.requested, access.lifetime);
            stored.access_token = Some(access_token);
            if !access.scopes.is_empty() {
                stored.scopes.clone_from(&access.scopes);
            }
        }
        self.version = Some(LoginVersion::of(stored));
        self.summary = Some(LoginSummary::of(stored));
        locked.unsaved_since.get_or_insert_with(Timestamp::now);
        let is_saved = self.write(locked).await.is_ok();
        Ok(RenewalOutcome::Renewed {
            issued: issued.access?,
            is_saved,
        })
    }

    /// Records what a failed token request means for the login. `earlier_marker` is the renewal marker of an earlier request, whose
    /// response may be lost.
    async fn record_refusal(
        &mut self,
        locked: &mut LockedLogin,
        error: TokenEndpointError,
        earlier_marker: Option<RenewalMarker>,
    ) -> RenewalError {
        let stored = &mut locked.login;
        let verdict = if error == TokenRejection::InvalidGrant.into() {
            let reason = LoginEndReason::of_refusal(earlier_marker.as_ref());
            stored.renewal_marker = None;
            stored.ended = Some(LoginEnd {
                at: Timestamp::now(),
                reason: reason.as_str().to_owned(),
            });
            LoginError::Ended(reason).into()
        } else {
            if error.issued_nothing() {
                stored.renewal_marker = earlier_marker;
            } else if let Some(marker) = &mut stored.renewal_marker {
                marker.is_response_lost = true;
            }
            error.into()
        };
        // If this write fails, the marker stays, and the next renewal comes to the same result.
        let _ = self.write(locked).await;
        verdict
    }

    /// Tries to store an unsaved login. True if nothing is unsaved any more.
    pub(in crate::credentials) async fn save(&mut self) -> bool {
        // The login stays in `unsaved` until it is stored, so that dropping this future does not drop it.
        let Some(locked) = &self.unsaved else {
            return true;
        };
        let (lock, stored) = (Arc::clone(&locked.lock), locked.login.clone());
        // Overwrites the slot, whatever is in it: we hold the lock and the newest login.
        let written = self.run_blocking(move || lock.overwrite(&stored)).await;
        let is_saved = self.note_written(written).await.is_ok();
        if is_saved {
            self.unsaved = None;
        }
        is_saved
    }

    /// Consumes a login that no renewer uses any more, after it has stored what is unsaved.
    pub(in crate::credentials) async fn save_until_stored(mut self) {
        while !self.save().await {
            tokio::time::sleep(Duration::from_millis(SAVE_RETRY_INTERVAL_MS)).await;
        }
    }

    async fn write(&mut self, locked: &mut LockedLogin) -> Result<(), RenewalError> {
        let (lock, stored) = (Arc::clone(&locked.lock), locked.login.clone());
        let written = self.run_blocking(move || lock.write(&stored)).await;
        self.note_written(written).await?;
        locked.unsaved_since = None;
        Ok(())
    }

    async fn note_written(&mut self, written: Result<(), StoreError>) -> Result<(), RenewalError> {
        self.note_fault(written)?;
        self.revision = self.current_revision().await.ok();
        Ok(())
    }

    /// The slot's current revision.
    async fn current_revision(&self) -> Result<SlotRevision, StoreError> {
        let (store, slot) = (self.store.clone(), self.slot.clone());
        self.run_blocking(move || store.revision(&slot)).await
    }

    /// Runs disk work on a blocking thread.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        spawn_blocking(work)
            .await
            .unwrap_or_else(|_| Err(StoreError::interrupted(&self.slot)))
    }

    /// Records the damage if the login had to be read from the backup.
    fn note_damage(
        &mut self,
        read: Result<Option<FoundLogin>, StoreError>,
    ) -> Result<Option<StoredLogin>, RenewalError> {
        let Some(FoundLogin {
            login: stored,
            damage,
        }) = self.note_fault(read)?
        else {
            return Ok(None);
        };
        self.fault = damage;
        Ok(Some(stored))
    }

    /// Records an error of the store, or that it works again.
    fn note_fault<T>(&mut self, result: Result<T, StoreError>) -> Result<T, RenewalError> {
        match result {
            Ok(value) => {
                self.fault = None;
                Ok(value)
            }
            Err(StoreError::Busy { .. }) => Err(RenewalError::Busy),
            Err(error) => {
                self.fault = Some(error);
                Err(RenewalError::Store)
            }
        }
    }
}

/// Checks that a login belongs to this application, at this host, and has not ended.
pub fn check_usable(stored: &StoredLogin, application: &Application) -> Result<(), LoginError> {
    if stored.client_id != application.client_id || stored.host != application.endpoint.authority()
    {
        return Err(LoginError::OtherApplication);
    }
    match &stored.ended {
        None => Ok(()),
        Some(ended) => Err(LoginEndReason::from_stored_name(&ended.reason).into()),
    }
}
