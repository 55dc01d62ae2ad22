//! What both token renewers share: when the next renewal is due, the delays after failures, and the events they report.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    clock::Moment,
    credentials::{
        grant::issued_token::IssuedToken,
        login::renewal_error::{LoginError, RenewalError},
    },
    names::{IdentityKind, TenantName},
    tasks::Tasks,
    watchdog::Heartbeat,
};

use super::{
    access_token::AccessToken,
    cell::{RenewerPhase, TokenCell},
    event::{TokenEvent, TokenEventKind, TokenObserver},
    schedule::{RenewalSchedule, RetryDelays, retry_delays},
    update::{RenewerUpdate, UnprovenChange, UpdateSlot},
};

/// Shortest time between two renewals that no rejection caused, however short-lived the tokens are, in milliseconds.
const RENEWAL_INTERVAL_MS_MIN: u64 = 1_000;

/// Longest that a renewer sleeps, in milliseconds. A timer stands still while the machine is suspended, a token's lifetime
/// does not; and another process may have renewed, ended or replaced the login.
const POLL_INTERVAL_MS: u64 = 1_000;

/// Longest renewal before the renewer counts as stalled, in milliseconds. The timeouts of a renewal add up to less.
const RENEWAL_STALL_MS: u64 = 60_000;

/// What a renewer is started with.
pub struct RenewerOptions {
    pub tenant: TenantName,
    pub schedule: RenewalSchedule,
    pub observer: TokenObserver,
    pub heartbeat: Heartbeat,
}

/// Gives the renewer new settings, and stops it when dropped. The token cell stays usable as long as its token is valid.
#[must_use]
pub struct RenewerHandle {
    cell: Arc<TokenCell>,
    updates: UpdateSlot,
    _stop: DropGuard,
}

/// Tells a renewer to stop: its handle was dropped, or the program shuts down.
pub(in crate::credentials) struct RenewerStop {
    handle_dropped: CancellationToken,
    tasks: Tasks,
}

/// The state of one identity's renewals.
pub(in crate::credentials) struct RenewalState {
    cell: Arc<TokenCell>,
    schedule: RenewalSchedule,
    /// A token is renewed at least this often, however long its lifetime.
    interval_max: Duration,
    observer: TokenObserver,
    /// Of the newest token.
    generation: u64,
    /// When the current token is to be renewed.
    renew_at: Moment,
    failures: Option<FailureStreak>,
    updates: UpdateSlot,
    /// What a reload has changed and what has brought no token yet.
    unproven: Option<UnprovenChange>,
    /// What is wrong with the store of logins, for people.
    store_fault: Option<String>,
}

/// Consecutive failed renewals.
struct FailureStreak {
    count: u32,
    at: Moment,
    error: RenewalError,
    /// None if only a login helps.
    retry_delays: Option<RetryDelays>,
}

impl FailureStreak {
    /// When to try again; none if only a login helps.
    fn next_attempt(&self, has_token: bool) -> Option<Moment> {
        let pauses = self.retry_delays?;
        let pause = if has_token {
            pauses.with_token
        } else {
            pauses.without_token
        };
        Some(self.at.plus(pause))
    }
}

impl RenewerHandle {
    /// The handle of the renewer with this state.
    pub(in crate::credentials) fn new(state: &RenewalState, tasks: &Tasks) -> (Self, RenewerStop) {
        let handle_dropped = CancellationToken::new();
        let handle = Self {
            cell: Arc::clone(&state.cell),
            updates: state.updates.clone(),
            _stop: handle_dropped.clone().drop_guard(),
        };
        let stop = RenewerStop {
            handle_dropped,
            tasks: tasks.clone(),
        };
        (handle, stop)
    }

    /// Gives the renewer new settings for the same host and client id. Its token stays in use; changed credentials are tried
    /// at once, and again until they bring a token.
    pub fn update(&self, update: RenewerUpdate) {
        self.updates.put(update);
        self.cell.wake();
    }
}

impl RenewerStop {
    /// Runs a renewer's loop until the renewer is told to stop.
    pub(in crate::credentials) async fn run_until_stopped(
        self,
        endless: impl Future<Output = Infallible>,
    ) {
        tokio::select! {
            () = self.handle_dropped.cancelled() => {}
            () = self.tasks.shutdown_requested() => {}
            never = endless => match never {},
        }
    }
}

impl RenewalState {
    /// Starts with an empty token cell, so the first renewal is due at once.
    pub(in crate::credentials) fn new(
        options: RenewerOptions,
        identity: IdentityKind,
        interval_max: Duration,
    ) -> (Self, Heartbeat) {
        let state = Self {
            cell: Arc::new(TokenCell::new(options.tenant, identity)),
            schedule: options.schedule,
            interval_max,
            observer: options.observer,
            generation: 0,
            renew_at: Moment::now(),
            failures: None,
            updates: UpdateSlot::default(),
            unproven: None,
            store_fault: None,
        };
        (state, options.heartbeat)
    }

    /// New settings, once. Those of the schedule are taken up here, the rest is the renewer's to use.
    pub(in crate::credentials) fn take_update(&mut self) -> Option<RenewerUpdate> {
        let update = self.updates.take()?;
        self.schedule = update.schedule;
        self.interval_max = update.interval_max;
        if let Some(token) = self.cell.latest() {
            let delay = self.schedule.delay(token.expires().since(token.minted()));
            self.renew_at = token.minted().plus(delay.min(self.interval_max));
        }
        if update.change.is_some() {
            // What failed before did so with other credentials; but no secret brings back a login.
            self.failures.take_if(|it| it.retry_delays.is_some());
            self.renew_at = Moment::now();
            self.set_unproven(update.change.max(self.unproven));
        }
        Some(update)
    }

    fn set_unproven(&mut self, unproven: Option<UnprovenChange>) {
        self.unproven = unproven;
        self.cell.set_unproven(unproven);
    }

    pub(in crate::credentials) fn cell(&self) -> &Arc<TokenCell> {
        &self.cell
    }

    /// True at once if a renewal is due. Otherwise sleeps until one may be due, a request asks for a token, or it is time to
    /// look at clock and store again, and is false.
    pub(in crate::credentials) async fn is_due_or_sleep(&self, heartbeat: &Heartbeat) -> bool {
        let now = Moment::now();
        let next = self.next_renewal(now);
        if next.is_some_and(|next| next <= now) {
            return true;
        }
        self.sleep(now, next, heartbeat.interval()).await;
        false
    }

    /// Runs a renewal, and beats meanwhile for as long as its timeouts allow.
    pub(in crate::credentials) async fn beat_during_renewal(
        heartbeat: &Heartbeat,
        renewal: impl Future<Output = ()>,
    ) {
        let longest = Duration::from_millis(RENEWAL_STALL_MS);
        heartbeat.beat_during(longest, renewal).await;
    }

    /// When the next renewal begins; none before something happens.
    fn next_renewal(&self, now: Moment) -> Option<Moment> {
        let token = self.cell.latest();
        let wanted = match &token {
            None => now,
            Some(token) if self.cell.is_rejected(token) => token.replaceable_at(),
            Some(token) => {
                let interval = Duration::from_millis(RENEWAL_INTERVAL_MS_MIN);
                let end = self.renew_at.min(token.usable_until());
                end.max(token.minted().plus(interval))
            }
        };
        let usable = token.is_some_and(|token| self.cell.is_usable(&token, now));
        match &self.failures {
            None => Some(wanted),
            Some(failure) => failure
                .next_attempt(usable)
                .map(|allowed| wanted.max(allowed)),
        }
    }

    async fn sleep(&self, now: Moment, next: Option<Moment>, longest: Duration) {
        let phase = match (&self.failures, next) {
            (Some(_), Some(next)) => RenewerPhase::BackingOff { next },
            (Some(_), None) => RenewerPhase::LoginNeeded,
            (None, _) => RenewerPhase::Idle,
        };
        self.cell.set_phase(phase);
        if phase == RenewerPhase::LoginNeeded {
            self.cell.remove_rejected();
        }
        let mut pause = longest.min(Duration::from_millis(POLL_INTERVAL_MS));
        if let Some(next) = next {
            pause = pause.min(next.since(now));
        }
        if let Some(token) = self.cell.latest().filter(|token| token.is_usable(now)) {
            // Once the token has expired, the delay after a failure is a shorter one.
            pause = pause.min(token.usable_until().since(now));
        }
        // A request that asks for a token makes the renewer look at the clock, but does not shorten a delay.
        drop(timeout(pause, self.cell.wait_for_wake()).await);
    }

    /// Stores a token that NinjaOne has just issued to this process.
    pub(in crate::credentials) fn accept_issued(&mut self, issued: IssuedToken) {
        let (kind, rejected_before) = match self.cell.latest() {
            None => (TokenEventKind::Minted, 0),
            Some(token) if self.cell.is_rejected(&token) => {
                (TokenEventKind::Forced, token.consecutive_rejections())
            }
            Some(_) => (TokenEventKind::Renewed, 0),
        };
        self.store_token(issued, rejected_before);
        self.set_unproven(None);
        self.record_success(kind);
    }

    /// Adopts the work of another process, or of an earlier run: its token, if that can still be used.
    pub(in crate::credentials) fn adopt(
        &mut self,
        issued: Option<IssuedToken>,
        kind: TokenEventKind,
    ) {
        if let Some(issued) = issued {
            self.store_token(issued, 0);
        }
        self.record_success(kind);
    }

    fn store_token(&mut self, issued: IssuedToken, rejected_before: u32) {
        let delay = self.schedule.delay(issued.lifetime);
        self.generation += 1;
        self.renew_at = issued.requested.moment.plus(delay.min(self.interval_max));
        let token = AccessToken::new(issued, self.generation, rejected_before);
        self.cell.set_token(token);
    }

    fn record_success(&mut self, kind: TokenEventKind) {
        self.failures = None;
        self.cell.record_success(kind.as_str());
        self.report(kind);
    }

    /// Records and reports a failure. The next renewal waits.
    pub(in crate::credentials) fn back_off(&mut self, error: RenewalError) {
        self.record_failure(error);
        self.report(match (error, self.unproven) {
            (RenewalError::Login(LoginError::Ended(reason)), _) => {
                TokenEventKind::LoginEnded(reason)
            }
            (error, Some(change)) if error.is_rejection() => {
                TokenEventKind::ChangeRefused(change, error)
            }
            (error, _) => TokenEventKind::Failed(error),
        });
    }

    pub(in crate::credentials) fn record_failure(&mut self, error: RenewalError) {
        let row = self
            .failures
            .as_ref()
            .map_or(1, |failure| failure.count.saturating_add(1));
        self.failures = Some(FailureStreak {
            count: row,
            at: Moment::now(),
            error,
            retry_delays: retry_delays(error.retry(), row),
        });
        self.cell.record_failure(error);
    }

    /// Whether this is the error that the last renewal failed with.
    pub(in crate::credentials) fn is_last_failure(&self, error: RenewalError) -> bool {
        let last = self.failures.as_ref();
        last.is_some_and(|failure| failure.error == error)
    }

    pub(in crate::credentials) fn set_store_fault(&mut self, fault: Option<String>) {
        self.store_fault = fault;
    }

    pub(in crate::credentials) fn report(&self, kind: TokenEventKind) {
        let token = self.cell.latest();
        let usable = token
            .as_ref()
            .filter(|it| self.cell.is_usable(it, Moment::now()));
        (self.observer)(TokenEvent {
            tenant: self.cell.tenant().clone(),
            identity: self.cell.identity(),
            serves_until: usable.map(|it| it.expires_at()),
            generation: token.map_or(0, |token| token.generation()),
            kind,
            store_fault: self.store_fault.clone(),
        });
    }
}

/// Whatever stops the renewer, no request waits for it any more.
impl Drop for RenewalState {
    fn drop(&mut self) {
        self.cell.set_phase(RenewerPhase::Stopped);
    }
}
