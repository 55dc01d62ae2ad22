//! What a tenant may spend at NinjaOne: rate, burst and concurrency, shared fairly between callers.
//!
//! A request that finds no room waits in a queue that serves callers in turn. Two things let the next one through: a permit
//! that is given back, and time. One of the waiting requests runs the timer for all; when it leaves, another takes over. So
//! there is no background task and no timer per request.

use std::{
    convert::Infallible,
    num::NonZeroU32,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use crate::lock::Lock;

use super::{
    fair_queue::{FairQueue, QueueTicket},
    gcra_limiter::GcraLimiter,
    limit_kind::LimitKind,
    rate::Rate,
    release_pace::ReleasePace,
    retry_after::{RETRY_AFTER_S_MAX, RETRY_AFTER_S_MIN},
};

/// What a tenant may spend at NinjaOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimit {
    pub rate: Rate,
    /// Attempts that may go out at once after a quiet time.
    pub burst: NonZeroU32,
    /// Attempts that may be under way together.
    pub concurrency: NonZeroU32,
    /// Longest that an attempt waits for its permit.
    pub queue_timeout: Duration,
}

/// One tenant's budget. Shared by all worker threads; no lock is held while anybody waits.
pub struct Budget {
    limit: BudgetLimit,
    limiter: GcraLimiter,
    state: Lock<BudgetState>,
    /// How long it takes until an attempt ends, once there are as many as there may be.
    pace: ReleasePace,
    /// Held by the one waiter that keeps time for all.
    timer: tokio::sync::Mutex<()>,
    /// Tells the timekeeper that time, not a permit, is what the queue waits for now.
    timer_changed: Notify,
}

struct BudgetState {
    in_flight: u32,
    paused_until: Option<Instant>,
    queue: FairQueue<oneshot::Sender<Permit>>,
}

/// Whether the next attempt may go out.
enum Availability {
    /// Yes, and it has been counted against the rate.
    Now,
    At(Instant),
    AfterRelease,
}

enum Acquisition<'a> {
    Granted(Permit),
    Queued(QueuePosition<'a>, oneshot::Receiver<Permit>),
    Rejected(LimitKind, Duration),
}

/// For status and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSnapshot {
    pub in_flight: u32,
    pub waiting: usize,
    /// How long nothing goes out because NinjaOne asked for it.
    pub paused_for: Option<Duration>,
}

impl Budget {
    /// A budget of which nothing has been spent.
    #[must_use]
    pub fn new(limit: BudgetLimit) -> Self {
        Self {
            limiter: GcraLimiter::new(limit.rate, limit.burst),
            limit,
            pace: ReleasePace::new(),
            state: Lock::new(BudgetState {
                in_flight: 0,
                paused_until: None,
                queue: FairQueue::new(),
            }),
            timer: tokio::sync::Mutex::new(()),
            timer_changed: Notify::new(),
        }
    }

    /// The configured limit.
    #[must_use]
    pub fn limit(&self) -> &BudgetLimit {
        &self.limit
    }

    /// One permit for one attempt; waits in the queue until the limit's deadline. `caller` only tells callers apart.
    /// Dropping the future gives everything back.
    ///
    /// # Errors
    /// What stood in the way last, and when it is worth to come back.
    pub async fn acquire(
        self: &Arc<Self>,
        caller: usize,
        now: Instant,
    ) -> Result<Permit, (LimitKind, Duration)> {
        let deadline = now + self.limit.queue_timeout;
        let (position, turn) = match self.try_acquire(caller, now, deadline) {
            Acquisition::Granted(permit) => return Ok(permit),
            Acquisition::Rejected(by, retry_after) => return Err((by, retry_after)),
            Acquisition::Queued(position, turn) => (position, turn),
        };
        // Boxed, so that what waiting needs does not lie in every request's future.
        Box::pin(self.wait_in_queue(position, turn, deadline)).await
    }

    async fn wait_in_queue(
        self: &Arc<Self>,
        position: QueuePosition<'_>,
        mut turn: oneshot::Receiver<Permit>,
        deadline: Instant,
    ) -> Result<Permit, (LimitKind, Duration)> {
        let permit = tokio::select! {
            biased;
            permit = &mut turn => permit.ok(),
            never = self.run_timer() => match never {},
            () = sleep_until(deadline) => None,
        };
        drop(position);
        // A permit may have come in the same moment as the deadline.
        permit
            .or_else(|| turn.try_recv().ok())
            .map(|mut permit| {
                permit.was_queued = true;
                permit
            })
            .ok_or_else(|| self.exceeded_limit())
    }

    /// NinjaOne asked us to slow down: nothing goes out for this time, at most 300 s. A shorter pause never ends a longer
    /// one.
    pub fn pause(&self, time: Duration) {
        let end = Instant::now() + time.min(Duration::from_secs(RETRY_AFTER_S_MAX));
        let mut state = self.lock();
        state.paused_until = state.paused_until.max(Some(end));
    }

    /// What is in use at this moment.
    #[must_use]
    pub fn snapshot(&self) -> BudgetSnapshot {
        let now = Instant::now();
        let state = self.lock();
        BudgetSnapshot {
            in_flight: state.in_flight,
            waiting: state.queue.len(),
            paused_for: state.active_pause(now).map(|end| end - now),
        }
    }

    fn try_acquire(
        self: &Arc<Self>,
        caller: usize,
        now: Instant,
        deadline: Instant,
    ) -> Acquisition<'_> {
        let mut state = self.lock();
        let until = if state.queue.is_empty() {
            match self.availability(&state, now) {
                Availability::Now => return Acquisition::Granted(self.issue_permit(&mut state)),
                Availability::At(until) => Some(until),
                Availability::AfterRelease => None,
            }
        } else {
            state.active_pause(now)
        };
        if let Some(until) = until.filter(|until| *until > deadline) {
            let by = match state.active_pause(now) {
                Some(_) => LimitKind::TenantPaused,
                None => LimitKind::TenantRate,
            };
            return Acquisition::Rejected(by, until - now);
        }
        let (sender, turn) = oneshot::channel();
        let Ok(permit) = state.queue.push(caller, sender) else {
            let wait = self.estimated_wait(&state, now);
            return Acquisition::Rejected(LimitKind::TenantQueue, wait);
        };
        let position = QueuePosition {
            budget: self,
            ticket: permit,
        };
        Acquisition::Queued(position, turn)
    }

    fn availability(&self, state: &BudgetState, now: Instant) -> Availability {
        if let Some(end) = state.active_pause(now) {
            return Availability::At(end);
        }
        if state.in_flight >= self.limit.concurrency.get() {
            return Availability::AfterRelease;
        }
        match self.limiter.check() {
            Ok(_) => Availability::Now,
            Err(soon) => Availability::At(now + soon.retry_after),
        }
    }

    fn issue_permit(self: &Arc<Self>, state: &mut BudgetState) -> Permit {
        state.in_flight += 1;
        if state.in_flight == self.limit.concurrency.get() {
            self.pace.note_full(Instant::now());
        }
        Permit {
            budget: Some(Arc::clone(self)),
            was_queued: false,
        }
    }

    /// Lets through all that may go now. Returns when time will let the next one through, if that is what is missing.
    fn dispatch(self: &Arc<Self>) -> Option<Instant> {
        loop {
            let mut state = self.lock();
            if state.queue.is_empty() {
                return None;
            }
            match self.availability(&state, Instant::now()) {
                Availability::Now => {}
                Availability::At(until) => return Some(until),
                Availability::AfterRelease => return None,
            }
            let waiter = state.queue.pop()?;
            let permit = self.issue_permit(&mut state);
            // Woken without the lock: the waiter may run at once, on another thread.
            drop(state);
            if let Err(unwanted) = waiter.send(permit) {
                unwanted.cancel();
            }
        }
    }

    /// Keeps time for the whole queue, as soon as nobody else does.
    async fn run_timer(self: &Arc<Self>) -> Infallible {
        let _role = self.timer.lock().await;
        loop {
            let retimed = self.timer_changed.notified();
            match self.dispatch() {
                Some(at) => drop(timeout_at(at, retimed).await),
                None => retimed.await,
            }
        }
    }

    fn release(self: &Arc<Self>) {
        let waiting = {
            let mut state = self.lock();
            if state.in_flight == self.limit.concurrency.get() {
                self.pace.note_release(Instant::now());
            }
            state.in_flight = state.in_flight.saturating_sub(1);
            !state.queue.is_empty()
        };
        if waiting && self.dispatch().is_some() {
            self.timer_changed.notify_one();
        }
    }

    fn exceeded_limit(&self) -> (LimitKind, Duration) {
        self.exceeded_limit_of(&self.lock(), Instant::now())
    }

    /// What stands in the way, without counting against the rate.
    fn exceeded_limit_of(&self, state: &BudgetState, now: Instant) -> (LimitKind, Duration) {
        if let Some(end) = state.active_pause(now) {
            return (LimitKind::TenantPaused, end - now);
        }
        if state.in_flight >= self.limit.concurrency.get() {
            return (
                LimitKind::TenantConcurrency,
                self.estimated_wait(state, now),
            );
        }
        (LimitKind::TenantRate, self.estimated_wait(state, now))
    }

    /// How long what stands in the way needs for all that wait, and one more: the rate, the requests under way, and before
    /// both of them a pause.
    fn estimated_wait(&self, state: &BudgetState, now: Instant) -> Duration {
        let ahead = u32::try_from(state.queue.len()).unwrap_or(u32::MAX);
        let by_rate = self.limiter.interval();
        let by_rate = by_rate.saturating_mul(ahead.saturating_add(1));
        let by_concurrency = if state.in_flight >= self.limit.concurrency.get() {
            self.pace.wait(ahead, now)
        } else {
            Duration::ZERO
        };
        let pause = state
            .active_pause(now)
            .map_or(Duration::ZERO, |it| it - now);
        (pause + by_rate.max(by_concurrency)).clamp(
            Duration::from_secs(RETRY_AFTER_S_MIN),
            Duration::from_secs(RETRY_AFTER_S_MAX),
        )
    }

    fn lock(&self) -> MutexGuard<'_, BudgetState> {
        // Nothing between lock and unlock can leave the state half changed.
        self.state.lock()
    }
}

impl BudgetState {
    fn active_pause(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|end| *end > now)
    }
}

/// A position in the queue, given up on drop.
struct QueuePosition<'a> {
    budget: &'a Budget,
    ticket: QueueTicket,
}

impl Drop for QueuePosition<'_> {
    fn drop(&mut self) {
        self.budget.lock().queue.remove(self.ticket);
    }
}

/// One attempt at NinjaOne. Its share of the concurrency is given back on drop.
#[must_use]
pub struct Permit {
    budget: Option<Arc<Budget>>,
    was_queued: bool,
}

impl Permit {
    /// Whether it had to be waited for: then time has passed.
    #[must_use]
    pub fn was_queued(&self) -> bool {
        self.was_queued
    }

    /// Gives back the share of one who left in the very moment of being served, without looking for the next: the one who
    /// handed it out does that.
    fn cancel(mut self) {
        if let Some(budget) = self.budget.take() {
            let mut state = budget.lock();
            state.in_flight = state.in_flight.saturating_sub(1);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(budget) = self.budget.take() {
            budget.release();
        }
    }
}
