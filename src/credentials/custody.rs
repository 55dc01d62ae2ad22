//! A login in a keeper's care: renewed on a task of its own, and stored again and again until it is stored.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::{clock::Moment, tasks::Tasks};

use super::{
    login::{Login, Renewal, SAVE_INTERVAL_MS, Urgency},
    refresh_calls::RefreshCalls,
    renewal_error::RenewalError,
};

/// A login and what its renewals run on.
pub(super) struct Custody {
    /// None while a renewal has it.
    login: Option<Box<Login>>,
    /// The refresh token is used at least this often.
    keepalive: Duration,
    saved_at: Moment,
    tasks: Tasks,
    calls: RefreshCalls,
}

impl Custody {
    pub(super) fn new(
        login: Box<Login>,
        keepalive: Duration,
        tasks: Tasks,
        calls: RefreshCalls,
    ) -> Self {
        Self {
            login: Some(login),
            keepalive,
            saved_at: Moment::now(),
            tasks,
            calls,
        }
    }

    pub(super) fn keepalive(&self) -> Duration {
        self.keepalive
    }

    /// None while a renewal has it.
    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_deref()
    }

    pub(super) fn login_mut(&mut self) -> Option<&mut Login> {
        self.login.as_deref_mut()
    }

    pub(super) fn take_login(&mut self) -> Option<Box<Login>> {
        self.login.take()
    }

    /// A renewal that was begun ends, whatever becomes of whoever waits for it. None if the runtime ends.
    pub(super) async fn renew(
        &mut self,
        urgency: Urgency,
    ) -> Option<Result<Renewal, RenewalError>> {
        let mut login = self.login.take()?;
        let (sender, receiver) = oneshot::channel();
        let calls = self.calls.clone();
        self.tasks.spawn(async move {
            let renewed = login.renew(urgency, &calls).await;
            if let Err((login, _)) = sender.send((login, renewed)) {
                login.save_at_last().await;
            }
        });
        let (login, renewed) = receiver.await.ok()?;
        self.saved_at = Moment::now();
        self.login = Some(login);
        Some(renewed)
    }

    /// Whether what NinjaOne issued is in memory only. False while a renewal has the login.
    pub(super) fn is_unsaved(&self) -> bool {
        let login = self.login.as_deref();
        login.is_some_and(|it| it.unsaved_since().is_some())
    }

    /// True if something that could not be stored was stored now.
    pub(super) async fn save(&mut self) -> bool {
        let Some(login) = &mut self.login else {
            return false;
        };
        let now = Moment::now();
        let pause = Duration::from_millis(SAVE_INTERVAL_MS);
        if login.unsaved_since().is_none() || now < self.saved_at.plus(pause) {
            return false;
        }
        self.saved_at = now;
        login.save().await
    }
}
