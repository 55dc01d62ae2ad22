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
    session: Option<Box<LoginSession>>,
    /// When a save was last tried, or a renewal ended.
    last_save_attempt: Moment,
    tasks: Tasks,
    refresh_calls: RefreshCalls,
}

impl LoginRenewer {
    /// Starts a renewer on the current runtime. It begins at once, and ends with the handle or with `tasks`. The refresh
    /// token is used at least every `keepalive`, so that it never lapses.
    pub fn start(
        options: RenewerOptions,
        session: Box<LoginSession>,
        keepalive: Duration,
        refresh_calls: RefreshCalls,
        tasks: &Tasks,
    ) -> (Arc<TokenCell>, RenewerHandle) {
        let (state, heartbeat) = RenewalState::new(options, IdentityKind::User, keepalive);
        let cell = Arc::clone(state.cell());
        let (handle, stop) = RenewerHandle::new(&state, tasks);
        let mut renewer = Self {
            state,
            session: Some(session),
            last_save_attempt: Moment::now(),
            tasks: tasks.clone(),
            refresh_calls,
        };
        tasks.spawn(async move {
            stop.run_until_stopped(renewer.run(&heartbeat)).await;
            heartbeat.retire();
            let Self { state, session, .. } = renewer;
            // First, so that no request waits for a token that will not come.
            drop(state);
            if let Some(session) = session {
                session.save_until_stored().await;
            }
        });
        (cell, handle)
    }

    async fn run(&mut self, heartbeat: &Heartbeat) -> Infallible {
        loop {
            heartbeat.beat();
            heartbeat.stall_if_injected().await;
            self.apply_update();
            self.apply_store_changes().await;
            self.retry_save().await;
            if self.state.is_due_or_sleep(heartbeat).await {
                RenewalState::beat_during_renewal(heartbeat, self.renew()).await;
            }
        }
    }

    fn apply_update(&mut self) {
        // While a renewal has the session, the update waits for its end.
        let Some(session) = &mut self.session else {
            return;
        };
        if let Some(update) = self.state.take_update() {
            session.set_application(update.application);
        }
    }

    /// Applies what other processes have done to the login.
    async fn apply_store_changes(&mut self) {
        let Some(session) = &mut self.session else {
            return;
        };
        let change = session.poll_store().await;
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
        state.cell().set_phase(RenewerPhase::Renewing);
        match change {
            LoginChange::LoggedIn(issued) => {
                // The token of the previous login may be revoked.
                state.cell().clear();
                state.adopt(issued, TokenEventKind::LoggedIn);
            }
            LoginChange::Renewed(issued) => state.adopt(issued, TokenEventKind::Adopted),
            LoginChange::LoggedOut => {
                state.cell().clear();
                state.record_failure(LoginError::NotLoggedIn.into());
                state.report(TokenEventKind::LoggedOut);
            }
            LoginChange::NeverLoggedIn => state.back_off(LoginError::NotLoggedIn.into()),
            LoginChange::Unusable(error) => {
                // The token stays valid until it expires, unless it is another application's.
                if !matches!(error, LoginError::Ended(_)) {
                    state.cell().clear();
                }
                state.back_off(error.into());
            }
        }
    }

    /// Tries to store an unsaved login, at most once per interval.
    async fn retry_save(&mut self) {
        let Some(session) = &mut self.session else {
            return;
        };
        let now = Moment::now();
        let pause = Duration::from_millis(SAVE_RETRY_INTERVAL_MS);
        if session.unsaved_since().is_none() || now < self.last_save_attempt.plus(pause) {
            return;
        }
        self.last_save_attempt = now;
        if session.save().await {
            self.publish_login_status();
            self.state.report(TokenEventKind::Persisted);
        }
    }

    async fn renew(&mut self) {
        self.state.cell().set_phase(RenewerPhase::Renewing);
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
        let mut session = self.session.take()?;
        let (sender, receiver) = oneshot::channel();
        let refresh_calls = self.refresh_calls.clone();
        self.tasks.spawn(async move {
            let renewed = session.renew(urgency, &refresh_calls).await;
            if let Err((session, _)) = sender.send((session, renewed)) {
                session.save_until_stored().await;
            }
        });
        let (session, renewed) = receiver.await.ok()?;
        self.last_save_attempt = Moment::now();
        self.session = Some(session);
        Some(renewed)
    }

    fn urgency(&self) -> RenewalUrgency {
        let (cell, now) = (self.state.cell(), Moment::now());
        let good = cell.latest().filter(|token| {
            let lifetime = token.expires().since(token.minted());
            let left = token.usable_until().since(now);
            !cell.is_rejected(token) && left > lifetime / LAST_FRACTION_OF_LIFETIME
        });
        match good {
            Some(_) => RenewalUrgency::Early,
            None => RenewalUrgency::Required,
        }
    }

    /// Whether a renewed login is in memory only. False while a renewal has the login.
    fn is_unsaved(&self) -> bool {
        let session = self.session.as_deref();
        session.is_some_and(|it| it.unsaved_since().is_some())
    }

    fn publish_login_status(&mut self) {
        let Some(session) = &self.session else {
            return;
        };
        let fault = session.fault().map(ToString::to_string);
        self.state.set_store_fault(fault.clone());
        self.state.cell().set_login_status(StoredLoginStatus {
            login: session.summary().cloned(),
            unsaved_since: session.unsaved_since(),
            store_fault: fault,
        });
    }
}
