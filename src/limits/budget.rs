//! What a tenant may spend at NinjaOne: rate, burst and concurrency, shared fairly between callers.
//!
//! A request that finds no room waits in a queue that serves callers in turn. Two things let the next one through: a permit
//! that is given back, and time. One of the waiting requests runs the timer for all; when it leaves, another takes over. So
//! there is no background task and no timer per request.

use std::{
    convert::Infallible,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    fair_queue::{FairQueue, Ticket},
    gcra_limiter::Pace,
    limit_kind::Dimension,
    rate::Rate,
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
    pub queue: Duration,
}

/// One tenant's budget. Shared by all worker threads; no lock is held while anybody waits.
pub struct Budget {
    limit: BudgetLimit,
    pace: Pace,
    state: Mutex<State>,
    /// Held by the one waiter that keeps time for all.
    timekeeper: tokio::sync::Mutex<()>,
    /// Tells the timekeeper that time, not a permit, is what the queue waits for now.
    retimed: Notify,
}

struct State {
    in_flight: u32,
    paused_until: Option<Instant>,
    queue: FairQueue<oneshot::Sender<Permit>>,
}

/// Whether the next attempt may go out.
enum Gate {
    /// Yes, and it has been counted against the rate.
    Open,
    ShutUntil(Instant),
    ShutUntilReleased,
}

enum Entry<'a> {
    Through(Permit),
    Waiting(Place<'a>, oneshot::Receiver<Permit>),
    Refused(Dimension, Duration),
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
            pace: Pace::new(limit.rate, limit.burst),
            limit,
            state: Mutex::new(State {
                in_flight: 0,
                paused_until: None,
                queue: FairQueue::new(),
            }),
            timekeeper: tokio::sync::Mutex::new(()),
            retimed: Notify::new(),
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
    pub async fn take(
        self: &Arc<Self>,
        caller: usize,
        now: Instant,
    ) -> Result<Permit, (Dimension, Duration)> {
        let deadline = now + self.limit.queue;
        let (place, turn) = match self.enter(caller, now, deadline) {
            Entry::Through(permit) => return Ok(permit),
            Entry::Refused(by, retry_after) => return Err((by, retry_after)),
            Entry::Waiting(place, turn) => (place, turn),
        };
        // Boxed, so that what waiting needs does not lie in every request's future.
        Box::pin(self.wait(place, turn, deadline)).await
    }

    async fn wait(
        self: &Arc<Self>,
        place: Place<'_>,
        mut turn: oneshot::Receiver<Permit>,
        deadline: Instant,
    ) -> Result<Permit, (Dimension, Duration)> {
        let permit = tokio::select! {
            biased;
            permit = &mut turn => permit.ok(),
            never = self.keep_time() => match never {},
            () = sleep_until(deadline) => None,
        };
        drop(place);
        // A permit may have come in the same moment as the deadline.
        permit
            .or_else(|| turn.try_recv().ok())
            .map(|mut permit| {
                permit.waited = true;
                permit
            })
            .ok_or_else(|| self.refusal())
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
            paused_for: state.pause(now).map(|end| end - now),
        }
    }

    fn enter(self: &Arc<Self>, caller: usize, now: Instant, deadline: Instant) -> Entry<'_> {
        let mut state = self.lock();
        let until = if state.queue.is_empty() {
            match self.gate(&state, now) {
                Gate::Open => return Entry::Through(self.permit(&mut state)),
                Gate::ShutUntil(until) => Some(until),
                Gate::ShutUntilReleased => None,
            }
        } else {
            state.pause(now)
        };
        if until.is_some_and(|until| until > deadline) {
            let (by, retry_after) = self.refusal_of(&state, now);
            return Entry::Refused(by, retry_after);
        }
        let (sender, turn) = oneshot::channel();
        let Ok(ticket) = state.queue.push(caller, sender) else {
            return Entry::Refused(Dimension::TenantQueue, self.backlog(&state));
        };
        let place = Place {
            budget: self,
            ticket,
        };
        Entry::Waiting(place, turn)
    }

    fn gate(&self, state: &State, now: Instant) -> Gate {
        if let Some(end) = state.pause(now) {
            return Gate::ShutUntil(end);
        }
        if state.in_flight >= self.limit.concurrency.get() {
            return Gate::ShutUntilReleased;
        }
        match self.pace.check() {
            Ok(_) => Gate::Open,
            Err(soon) => Gate::ShutUntil(now + soon.wait),
        }
    }

    fn permit(self: &Arc<Self>, state: &mut State) -> Permit {
        state.in_flight += 1;
        Permit {
            budget: Some(Arc::clone(self)),
            waited: false,
        }
    }

    /// Lets through all that may go now. Returns when time will let the next one through, if that is what is missing.
    fn advance(self: &Arc<Self>) -> Option<Instant> {
        loop {
            let mut state = self.lock();
            if state.queue.is_empty() {
                return None;
            }
            match self.gate(&state, Instant::now()) {
                Gate::Open => {}
                Gate::ShutUntil(until) => return Some(until),
                Gate::ShutUntilReleased => return None,
            }
            let waiter = state.queue.pop()?;
            let permit = self.permit(&mut state);
            // Woken without the lock: the waiter may run at once, on another thread.
            drop(state);
            if let Err(unwanted) = waiter.send(permit) {
                unwanted.annul();
            }
        }
    }

    /// Keeps time for the whole queue, as soon as nobody else does.
    async fn keep_time(self: &Arc<Self>) -> Infallible {
        let _role = self.timekeeper.lock().await;
        loop {
            let retimed = self.retimed.notified();
            match self.advance() {
                Some(at) => drop(timeout_at(at, retimed).await),
                None => retimed.await,
            }
        }
    }

    fn release(self: &Arc<Self>) {
        let waiting = {
            let mut state = self.lock();
            state.in_flight = state.in_flight.saturating_sub(1);
            !state.queue.is_empty()
        };
        if waiting && self.advance().is_some() {
            self.retimed.notify_one();
        }
    }

    fn refusal(&self) -> (Dimension, Duration) {
        self.refusal_of(&self.lock(), Instant::now())
    }

    /// What stands in the way, without counting against the rate.
    fn refusal_of(&self, state: &State, now: Instant) -> (Dimension, Duration) {
        if let Some(end) = state.pause(now) {
            return (Dimension::TenantPaused, end - now);
        }
        if state.in_flight >= self.limit.concurrency.get() {
            return (Dimension::TenantConcurrency, self.backlog(state));
        }
        (Dimension::TenantRate, self.backlog(state))
    }

    /// How long the rate alone needs for all that wait, and one more.
    fn backlog(&self, state: &State) -> Duration {
        let ahead = u32::try_from(state.queue.len()).unwrap_or(u32::MAX);
        let time = self.pace.interval().saturating_mul(ahead.saturating_add(1));
        time.clamp(
            Duration::from_secs(RETRY_AFTER_S_MIN),
            Duration::from_secs(RETRY_AFTER_S_MAX),
        )
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pause(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|end| *end > now)
    }
}

/// A position in the queue, given up on drop.
struct Place<'a> {
    budget: &'a Budget,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.budget.lock().queue.remove(self.ticket);
    }
}

/// One attempt at NinjaOne. Its share of the concurrency is given back on drop.
#[must_use]
pub struct Permit {
    budget: Option<Arc<Budget>>,
    waited: bool,
}

impl Permit {
    /// Whether it had to be waited for: then time has passed.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        self.waited
    }

    /// Gives back the share of one who left in the very moment of being served, without looking for the next: the one who
    /// handed it out does that.
    fn annul(mut self) {
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
