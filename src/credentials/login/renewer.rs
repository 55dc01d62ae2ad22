//! Renews the token of a user identity, with the refresh token of a login that other processes may share. One task per token
//! cell; each renewal runs on a task of its own, which nobody cancels.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use crate::{
    clock::Moment,
    credentials::token::{
        cell::{RenewerPhase, TokenCell},
        event::TokenEventKind,
        renewer::{RenewalState, RenewerHandle, RenewerOptions},
        snapshot::StoredLoginStatus,
    },
    names::IdentityKind,
    tasks::Tasks,
    watchdog::Heartbeat,
};

use super::{
    change::LoginChange,
    refresh_calls::RefreshCalls,
    renewal_error::{LoginError, RenewalError},
    session::{LoginSession, RenewalOutcome, RenewalUrgency, SAVE_RETRY_INTERVAL_MS},
};

/// In this last fraction of a token's lifetime, a renewal goes ahead even if the store fails.
const LAST_FRACTION_OF_LIFETIME: u32 = 10;

/// Renews the token of a user identity (refresh token grant, RFC 6749 section 6). Retries storing a renewed login until it is
/// stored.
pub struct LoginRenewer {
    state: RenewalState,
    /// None while a renewal has it.
    login: Option<Box<LoginSession>>,
    /// When a save was last tried, or a renewal ended.
    saved_at: Moment,
    tasks: Tasks,
    calls: RefreshCalls,
}

impl LoginRenewer {
    /// Starts a renewer on the current runtime. It begins at once, and ends with the handle or with `tasks`. The refresh
    /// token is used at least every `keepalive`, so that it never lapses.
    pub fn start(
        keeping: RenewerOptions,
        login: Box<LoginSession>,
        keepalive: Duration,
        calls: RefreshCalls,
        tasks: &Tasks,
    ) -> (Arc<TokenCell>, RenewerHandle) {
        let (state, heartbeat) = RenewalState::new(keeping, IdentityKind::User, keepalive);
        let vault = Arc::clone(state.vault());
        let (handle, stop) = RenewerHandle::new(tasks);
        let mut renewer = Self {
            state,
            login: Some(login),
            saved_at: Moment::now(),
            tasks: tasks.clone(),
            calls,
        };
        tasks.spawn(async move {
            stop.run_until_stopped(renewer.run(&heartbeat)).await;
            heartbeat.retire();
            let Self { state, login, .. } = renewer;
            // First, so that no request waits for a token that will not come.
            drop(state);
            if let Some(login) = login {
                login.save_until_stored().await;
            }
        });
        (vault, handle)
    }

    async fn run(&mut self, heartbeat: &Heartbeat) -> Infallible {
        loop {
            heartbeat.beat();
            heartbeat.stall_if_injected().await;
            self.apply_store_changes().await;
            self.retry_save().await;
            if self.state.is_due_or_sleep(heartbeat).await {
                RenewalState::beat_during_renewal(heartbeat, self.renew()).await;
            }
        }
    }

    /// Applies what other processes have done to the login.
    async fn apply_store_changes(&mut self) {
        let Some(login) = &mut self.login else {
            return;
        };
        let change = login.poll_store().await;
        self.publish_login_status();
        match change {
            Ok(None) => {}
            Ok(Some(change)) => self.apply(change),
            Err(error) => {
                // Lasts until somebody fixes it; reported once.
                if !self.state.is_last_failure(error) {
                    self.state.back_off(error);
                }
            }
        }
    }

    fn apply(&mut self, change: LoginChange) {
        let state = &mut self.state;
        // Wakes the waiters, because the phase changes.
        state.vault().set_phase(RenewerPhase::Renewing);
        match change {
            LoginChange::LoggedIn(issued) => {
                // The token of the previous login may be revoked.
                state.vault().clear();
                state.adopt(issued, TokenEventKind::LoggedIn);
            }
            LoginChange::Renewed(issued) => state.adopt(issued, TokenEventKind::Adopted),
            LoginChange::LoggedOut => {
                state.vault().clear();
                state.record_failure(LoginError::NotLoggedIn.into());
                state.report(TokenEventKind::LoggedOut);
            }
            LoginChange::NeverLoggedIn => state.back_off(LoginError::NotLoggedIn.into()),
            LoginChange::Unusable(error) => {
                // The token stays valid until it expires, unless it is another application's.
                if !matches!(error, LoginError::Ended(_)) {
                    state.vault().clear();
                }
                state.back_off(error.into());
            }
        }
    }

    /// Tries to store an unsaved login, at most once per interval.
    async fn retry_save(&mut self) {
        let Some(login) = &mut self.login else {
            return;
        };
        let now = Moment::now();
        let pause = Duration::from_millis(SAVE_RETRY_INTERVAL_MS);
        if login.unsaved_since().is_none() || now < self.saved_at.plus(pause) {
            return;
        }
        self.saved_at = now;
        if login.save().await {
            self.publish_login_status();
            self.state.report(TokenEventKind::Persisted);
        }
    }

    async fn renew(&mut self) {
        self.state.vault().set_phase(RenewerPhase::Renewing);
        let was_unsaved = self.is_unsaved();
        let Some(renewed) = self.renew_on_own_task(self.urgency()).await else {
            // The runtime is shutting down.
            return pending().await;
        };
        self.publish_login_status();
        // A renewal begins by storing what is unsaved.
        if was_unsaved && !self.is_unsaved() {
            self.state.report(TokenEventKind::Persisted);
        }
        match renewed {
            Ok(RenewalOutcome::Renewed { issued, is_saved }) => {
                self.state.accept_issued(issued);
                if !is_saved {
                    self.state.report(TokenEventKind::PersistFailed);
                }
            }
            Ok(RenewalOutcome::Adopted(issued)) => {
                self.state.adopt(Some(issued), TokenEventKind::Adopted);
            }
            Err(error) => self.state.back_off(error),
        }
    }

    /// Renews on a task of its own, so that a renewal runs to its end even if the renewer is stopped. None if the runtime
    /// shuts down.
    async fn renew_on_own_task(
        &mut self,
        urgency: RenewalUrgency,
    ) -> Option<Result<RenewalOutcome, RenewalError>> {
        let mut login = self.login.take()?;
        let (sender, receiver) = oneshot::channel();
        let calls = self.calls.clone();
        self.tasks.spawn(async move {
            let renewed = login.renew(urgency, &calls).await;
            if let Err((login, _)) = sender.send((login, renewed)) {
                login.save_until_stored().await;
            }
        });
        let (login, renewed) = receiver.await.ok()?;
        self.saved_at = Moment::now();
        self.login = Some(login);
        Some(renewed)
    }

    fn urgency(&self) -> RenewalUrgency {
        let (vault, now) = (self.state.vault(), Moment::now());
        let good = vault.latest().filter(|token| {
            let life = token.expires().since(token.minted());
            let left = token.usable_until().since(now);
            !vault.is_rejected(token) && left > life / LAST_FRACTION_OF_LIFETIME
        });
        match good {
            Some(_) => RenewalUrgency::Early,
            None => RenewalUrgency::Required,
        }
    }

    /// Whether a renewed login is in memory only. False while a renewal has the login.
    fn is_unsaved(&self) -> bool {
        let login = self.login.as_deref();
        login.is_some_and(|it| it.unsaved_since().is_some())
    }

    fn publish_login_status(&mut self) {
        let Some(login) = &self.login else {
            return;
        };
        let fault = login.fault().map(ToString::to_string);
        self.state.set_store_fault(fault.clone());
        self.state.vault().set_login_status(StoredLoginStatus {
            login: login.summary().cloned(),
            unsaved_since: login.unsaved_since(),
            store_fault: fault,
        });
    }
}
