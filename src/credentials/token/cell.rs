//! The token cell of an identity: requests read the token without a lock, and only the token renewer writes it.

use std::{
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::{
    clock::{Moment, Timestamp},
    credentials::{
        login::renewal_error::RenewalError,
        token_unavailable::{TokenUnavailable, TokenUnavailableReason},
    },
    lock::Lock,
    names::{IdentityKind, TenantName},
};

use super::{
    access_token::AccessToken,
    snapshot::{RenewalHistory, StoredLoginStatus, TokenSnapshot, TokenState},
    update::UnprovenChange,
};

/// Longest that a request waits for a renewal under way, in milliseconds.
pub const LEASE_WAIT_MS_MAX: u64 = 10_000;

/// Most requests that wait for one cell's token at a time.
pub const LEASE_WAITERS_MAX: usize = 4_096;

/// Bounds of the `Retry-After` for a request that gets no token, in milliseconds.
const RETRY_AFTER_MS_MIN: u64 = 1_000;
const RETRY_AFTER_MS_MAX: u64 = 300_000;

/// Holds the access token of one identity at one tenant.
pub struct TokenCell {
    tenant: TenantName,
    identity: IdentityKind,
    current: ArcSwapOption<AccessToken>,
    /// The newest generation that NinjaOne rejected with 401.
    rejected: AtomicU64,
    phase: watch::Sender<RenewerPhase>,
    /// Wakes the token renewer.
    wake: Notify,
    waiters: AtomicUsize,
    history: Lock<RenewalHistory>,
}

/// What the token renewer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::credentials) enum RenewerPhase {
    Idle,
    Renewing,
    BackingOff {
        next: Moment,
    },
    /// Nothing to do until somebody logs in.
    LoginNeeded,
    Stopped,
}

/// Why waiting brought no token that can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenWaitError {
    /// Trying again is worthwhile after this time.
    RetryAfter(Duration),
    LoginNeeded,
}

impl TokenWaitError {
    fn until(next: Moment) -> Self {
        Self::after(next.since(Moment::now()))
    }

    fn after(pause: Duration) -> Self {
        let least = Duration::from_millis(RETRY_AFTER_MS_MIN);
        let most = Duration::from_millis(RETRY_AFTER_MS_MAX);
        Self::RetryAfter(pause.clamp(least, most))
    }

    /// The error of a request with this identity.
    #[must_use]
    pub const fn for_identity(self, identity: IdentityKind) -> TokenUnavailable {
        let (why, retry_after) = match self {
            Self::RetryAfter(pause) => {
                (TokenUnavailableReason::TemporarilyUnavailable, Some(pause))
            }
            Self::LoginNeeded => (TokenUnavailableReason::LoginNeeded, None),
        };
        TokenUnavailable {
            identity,
            reason: why,
            retry_after,
        }
    }
}

impl TokenCell {
    pub(in crate::credentials) fn new(tenant: TenantName, identity: IdentityKind) -> Self {
        Self {
            tenant,
            identity,
            current: ArcSwapOption::empty(),
            rejected: AtomicU64::new(0),
            phase: watch::Sender::new(RenewerPhase::Idle),
            wake: Notify::new(),
            waiters: AtomicUsize::new(0),
            history: Lock::default(),
        }
    }

    /// The tenant that the token is for.
    #[must_use]
    pub fn tenant(&self) -> &TenantName {
        &self.tenant
    }

    /// The identity that the token is issued to.
    #[must_use]
    pub fn identity(&self) -> IdentityKind {
        self.identity
    }

    /// A token for a request: at once if there is a valid one, otherwise after a renewal under way, for which it waits
    /// [`LEASE_WAIT_MS_MAX`] at most.
    ///
    /// # Errors
    /// There is none, and no renewal brought one in time.
    pub async fn token(&self) -> Result<Arc<AccessToken>, TokenWaitError> {
        let longest = Duration::from_millis(LEASE_WAIT_MS_MAX);
        match self.current() {
            Some(token) => Ok(token),
            // Boxed, so that the state of a wait does not enlarge every request's future.
            None => Box::pin(self.wait_for_token(longest)).await,
        }
    }

    /// The token, if it is valid now. One that NinjaOne keeps rejecting is not, once its renewal has failed.
    #[must_use]
    pub fn current(&self) -> Option<Arc<AccessToken>> {
        let token = self.current.load();
        let token = token.as_ref()?;
        self.is_usable(token, Moment::now())
            .then(|| Arc::clone(token))
    }

    pub(in crate::credentials) fn is_usable(&self, token: &AccessToken, now: Moment) -> bool {
        // The lock is for the rare token that is rejected again and again.
        let is_given_up =
            || token.is_rejected_repeatedly() && self.history().failing_since.is_some();
        token.is_usable(now) && !is_given_up()
    }

    /// Waits, at most `longest`, for a renewal to bring a valid token. A failed renewal ends the wait.
    pub async fn wait_for_token(
        &self,
        longest: Duration,
    ) -> Result<Arc<AccessToken>, TokenWaitError> {
        self.wait_for(longest, 0).await
    }

    /// After a 401: waits for a token newer than the one of `generation`. However many requests report the same 401, it
    /// causes at most one renewal, and none before [`AccessToken::replaceable_at`].
    pub async fn wait_for_newer_than(
        &self,
        generation: u64,
        longest: Duration,
    ) -> Result<Arc<AccessToken>, TokenWaitError> {
        self.reject(generation);
        let held = self.remaining_hold(generation);
        if held > longest {
            return Err(TokenWaitError::after(held));
        }
        self.wait_for(longest, generation).await
    }

    /// After a 401, without waiting: asks for a renewal if the token of this generation is still the current one. Where only
    /// a login brings another, the token is gone at once, so that no request is sent with it any more.
    pub fn reject(&self, generation: u64) {
        let current = self.current.load();
        let Some(token) = current.as_ref().filter(|it| it.generation() == generation) else {
            return;
        };
        token.record_rejection();
        if self.rejected.fetch_max(generation, Ordering::AcqRel) < generation {
            if *self.phase.borrow() == RenewerPhase::LoginNeeded {
                self.remove_rejected();
            }
            self.wake.notify_one();
        }
    }

    /// Removes the current token if NinjaOne has rejected it. A newer one that comes meanwhile stays.
    pub(in crate::credentials) fn remove_rejected(&self) {
        let current = self.current.load();
        if current
            .as_ref()
            .is_some_and(|token| self.is_rejected(token))
        {
            drop(self.current.compare_and_swap(&current, None));
        }
    }

    /// Makes the renewer look at its settings and its clock.
    pub(in crate::credentials) fn wake(&self) {
        self.wake.notify_one();
    }

    /// The cell's state for status and metrics, without the token.
    #[must_use]
    pub fn snapshot(&self) -> TokenSnapshot {
        let now = Moment::now();
        let token = self.current.load_full();
        let phase = *self.phase.borrow();
        // Before the history is locked, which this may need itself.
        let usable = token
            .as_ref()
            .is_some_and(|token| self.is_usable(token, now));
        let record = self.history();
        let next_attempt = match phase {
            RenewerPhase::BackingOff { next } => Some(next.since(now)),
            _ => None,
        };
        let state = match (phase, record.failing_since) {
            (RenewerPhase::Renewing, _) => TokenState::Renewing,
            (RenewerPhase::LoginNeeded, _) if !usable => TokenState::LoginNeeded,
            (_, Some(_)) => TokenState::Failing,
            _ if usable => TokenState::Fresh,
            _ if token.is_none() => TokenState::NeverMinted,
            _ => TokenState::Expired,
        };
        TokenSnapshot {
            tenant: self.tenant.clone(),
            identity: self.identity,
            state,
            usable,
            generation: token.as_ref().map_or(0, |token| token.generation()),
            minted_at: token.as_ref().map(|token| token.minted_at()),
            expires_at: token.as_ref().map(|token| token.expires_at()),
            scopes: token.map_or_else(Vec::new, |token| token.scopes().to_vec()),
            failing_since: record.failing_since,
            unproven: record.unproven,
            only_login_helps: phase == RenewerPhase::LoginNeeded,
            last_error: record.last_error,
            next_attempt,
            waiting: self.waiters.load(Ordering::Relaxed),
            results: record.results(),
            login: record.login.clone(),
        }
    }

    async fn wait_for(
        &self,
        longest: Duration,
        above: u64,
    ) -> Result<Arc<AccessToken>, TokenWaitError> {
        let Some(_place) = WaiterGuard::enter(&self.waiters) else {
            return Err(TokenWaitError::after(Duration::ZERO));
        };
        timeout(longest, self.watch_for(above))
            .await
            .unwrap_or_else(|_| Err(TokenWaitError::after(Duration::ZERO)))
    }

    async fn watch_for(&self, above: u64) -> Result<Arc<AccessToken>, TokenWaitError> {
        let mut phases = self.phase.subscribe();
        loop {
            // Reads the phase before the token, because the renewer writes the token first.
            let phase = *phases.borrow_and_update();
            if let Some(token) = self.current().filter(|token| token.generation() > above) {
                return Ok(token);
            }
            match phase {
                RenewerPhase::Renewing => {}
                RenewerPhase::BackingOff { next } if next > Moment::now() => {
                    return Err(TokenWaitError::until(next));
                }
                // The renewer may oversleep: its timer stands still while the machine is suspended.
                RenewerPhase::Idle | RenewerPhase::BackingOff { .. } => self.wake.notify_one(),
                RenewerPhase::LoginNeeded => return Err(TokenWaitError::LoginNeeded),
                RenewerPhase::Stopped => return Err(TokenWaitError::after(Duration::ZERO)),
            }
            if phases.changed().await.is_err() {
                return Err(TokenWaitError::after(Duration::ZERO));
            }
        }
    }

    /// How long the rejected token of `generation` is still held before a renewal replaces it.
    fn remaining_hold(&self, generation: u64) -> Duration {
        let token = self.current.load();
        match token.as_ref() {
            Some(token) if token.generation() == generation => {
                token.replaceable_at().since(Moment::now())
            }
            _ => Duration::ZERO,
        }
    }

    fn history(&self) -> MutexGuard<'_, RenewalHistory> {
        // A panic while it was locked can have left no more than a wrong count.
        self.history.lock()
    }
}

/// For the token renewer only.
impl TokenCell {
    /// The current token, valid or not.
    pub(in crate::credentials) fn latest(&self) -> Option<Arc<AccessToken>> {
        self.current.load_full()
    }

    pub(in crate::credentials) fn is_rejected(&self, token: &AccessToken) -> bool {
        self.rejected.load(Ordering::Acquire) >= token.generation()
    }

    pub(in crate::credentials) fn set_token(&self, token: AccessToken) {
        self.current.store(Some(Arc::new(token)));
        // Wakes the waiters even if the phase does not change, as when one renewal follows another.
        self.phase.send_modify(|_| ());
    }

    /// Removes the token, because the user it was issued to has logged out or been replaced.
    pub(in crate::credentials) fn clear(&self) {
        self.current.store(None);
    }

    pub(in crate::credentials) fn set_login_status(&self, login: StoredLoginStatus) {
        self.history().login = Some(login);
    }

    pub(in crate::credentials) fn set_unproven(&self, unproven: Option<UnprovenChange>) {
        self.history().unproven = unproven;
    }

    pub(in crate::credentials) fn set_phase(&self, phase: RenewerPhase) {
        self.phase.send_if_modified(|now| {
            let changes = *now != phase;
            *now = phase;
            changes
        });
    }

    pub(in crate::credentials) async fn wait_for_wake(&self) {
        self.wake.notified().await;
    }

    pub(in crate::credentials) fn record_success(&self, result: &'static str) {
        self.history().record_success(result);
    }

    pub(in crate::credentials) fn record_failure(&self, error: RenewalError) {
        self.history().record_failure(error, Timestamp::now());
    }
}

/// Counts one waiting request; the drop uncounts it.
struct WaiterGuard<'a>(&'a AtomicUsize);

impl<'a> WaiterGuard<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let enter = |now: usize| (now < LEASE_WAITERS_MAX).then_some(now + 1);
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter)
            .ok()
            .map(|_| Self(count))
    }
}

impl Drop for WaiterGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
