//! Notices when a part of the program stalls: each thread and each long-lived task sends heartbeats, and one place checks them.
//!
//! A heartbeat is one atomic increment and reads no clock. Silence is measured by the checker, and a check that comes late
//! counts as one that came in time: a process that was suspended as a whole has not stalled.

use std::{
    convert::Infallible,
    future::{Future, pending},
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::lock::Lock;

/// How often the parts are looked at.
pub const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// How long a part that is inside a call to the operating system may stay there before it counts as dead: a slow disk must
/// not become a restart loop.
pub const SYSTEM_CALL_MAX: Duration = Duration::from_mins(1);

/// Beats for each allowed silence. One that comes late does no harm.
const BEATS_PER_SILENCE: u32 = 5;
const BEAT_INTERVAL_MIN: Duration = Duration::from_millis(50);
const BEAT_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// Looks after all parts. Clones share one list.
#[derive(Clone)]
pub struct Watchdog(Arc<WatchdogShared>);

struct WatchdogShared {
    silence_max: Duration,
    watched: Lock<Vec<WatchedPart>>,
}

struct WatchedPart {
    state: Arc<HeartbeatState>,
    /// The count at the last look.
    last_count: u64,
    silent: Duration,
    liveness: Liveness,
}

/// What a part and the watchdog share.
struct HeartbeatState {
    name: String,
    count: AtomicU64,
    in_system_call: AtomicBool,
    retired: AtomicBool,
    /// Its owner is gone without having retired: a panic, or a task that ended.
    abandoned: AtomicBool,
    stalled: AtomicBool,
}

/// The right to beat for one part. Dropped without [`Heartbeat::retire`], the part counts as dead.
pub struct Heartbeat {
    state: Arc<HeartbeatState>,
    interval: Duration,
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    /// Silent for too long, inside a call to the operating system that may still return.
    Slow,
    /// Silent for too long, or ended.
    Stalled,
}

/// A part and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartStatus {
    pub name: String,
    pub liveness: Liveness,
    pub silent: Duration,
}

/// Tells whether a part stalls, to those who could hand it work.
#[derive(Clone)]
pub struct StallFlag(Arc<HeartbeatState>);

impl StallFlag {
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.0.stalled.load(Ordering::Relaxed)
    }
}

impl Watchdog {
    /// `silence_max` is how long a part may go without a beat.
    #[must_use]
    pub fn new(silence_max: Duration) -> Self {
        Self(Arc::new(WatchdogShared {
            silence_max,
            watched: Lock::default(),
        }))
    }

    /// How long a part may go without a beat.
    #[must_use]
    pub fn silence_max(&self) -> Duration {
        self.0.silence_max
    }

    /// Watches a part from now on.
    #[must_use]
    pub fn watch(&self, name: impl Into<String>) -> Heartbeat {
        let beat = Arc::new(HeartbeatState {
            name: name.into(),
            count: AtomicU64::new(0),
            in_system_call: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
        });
        self.lock().push(WatchedPart {
            state: Arc::clone(&beat),
            last_count: 0,
            silent: Duration::ZERO,
            liveness: Liveness::Alive,
        });
        let interval = self.0.silence_max / BEATS_PER_SILENCE;
        Heartbeat {
            state: beat,
            interval: interval.clamp(BEAT_INTERVAL_MIN, BEAT_INTERVAL_MAX),
        }
    }

    /// Looks at every part; `passed` is the time since the last look. Returns the parts whose verdict has changed.
    pub fn check(&self, passed: Duration) -> Vec<PartStatus> {
        // More than that, and it was the checker that stalled.
        let passed = passed.min(2 * CHECK_INTERVAL);
        let mut watched = self.lock();
        watched.retain(|it| !it.state.retired.load(Ordering::Acquire));
        let silence_max = self.0.silence_max;
        let changed = watched.iter_mut().filter_map(|it| {
            let before = it.liveness;
            it.check(passed, silence_max);
            (it.liveness != before).then(|| it.status())
        });
        changed.collect()
    }

    /// Every part, in the order in which they were first watched.
    #[must_use]
    pub fn parts(&self) -> Vec<PartStatus> {
        self.lock().iter().map(WatchedPart::status).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<WatchedPart>> {
        self.0.watched.lock()
    }
}

impl WatchedPart {
    fn check(&mut self, passed: Duration, silence_max: Duration) {
        let count = self.state.count.load(Ordering::Relaxed);
        if count == self.last_count {
            self.silent += passed;
        } else {
            (self.last_count, self.silent) = (count, Duration::ZERO);
        }
        let in_system_call = self.state.in_system_call.load(Ordering::Relaxed);
        self.liveness = if self.state.abandoned.load(Ordering::Acquire) {
            Liveness::Stalled
        } else if self.silent < silence_max {
            Liveness::Alive
        } else if in_system_call && self.silent < silence_max.max(SYSTEM_CALL_MAX) {
            Liveness::Slow
        } else {
            Liveness::Stalled
        };
        let is_stalled = self.liveness != Liveness::Alive;
        self.state.stalled.store(is_stalled, Ordering::Relaxed);
    }

    fn status(&self) -> PartStatus {
        PartStatus {
            name: self.state.name.clone(),
            liveness: self.liveness,
            silent: self.silent,
        }
    }
}

impl Heartbeat {
    /// The part has turned once more.
    pub fn beat(&self) {
        #[cfg(debug_assertions)]
        switch::stall_thread_if_injected(&self.state.name);
        self.state.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Longest that the part should sleep between two beats.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// The part's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// A flag that says whether this part has stalled.
    #[must_use]
    pub fn stall_flag(&self) -> StallFlag {
        StallFlag(Arc::clone(&self.state))
    }

    /// Runs `call`, which may be slow by no fault of the part's: see [`SYSTEM_CALL_MAX`].
    pub fn in_system_call<T>(&self, call: impl FnOnce() -> T) -> T {
        self.beat();
        self.state.in_system_call.store(true, Ordering::Relaxed);
        let done = call();
        self.state.in_system_call.store(false, Ordering::Relaxed);
        self.beat();
        done
    }

    /// Runs `future` and sends heartbeats for as long as its task is scheduled, but no longer than `longest`.
    pub async fn beat_during<F: Future>(&self, longest: Duration, future: F) -> F::Output {
        let beating = async {
            let _ = timeout(longest, self.beat_forever()).await;
            pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            output = future => output,
            never = beating => match never {},
        }
    }

    async fn beat_forever(&self) {
        let mut turns = interval(self.interval);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            self.beat();
        }
    }

    /// In test builds the part stops here if it is told to; see `switch`.
    #[cfg(debug_assertions)]
    pub async fn stall_if_injected(&self) {
        if switch::is_task_stall_injected(&self.state.name) {
            pending::<()>().await;
        }
    }

    /// Only test builds have a switch.
    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_async, reason = "test builds wait here")]
    pub async fn stall_if_injected(&self) {}

    /// The part ends because it was asked to: nobody expects another beat.
    pub fn retire(self) {
        self.state.retired.store(true, Ordering::Release);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        // Whoever retired is looked at no more.
        self.state.abandoned.store(true, Ordering::Release);
    }
}

/// A switch that only test builds have: parts stop for good once a file says so. `NJP_STALL` names the file, and each line
/// of it `thread NAME` or `task NAME`.
#[cfg(debug_assertions)]
mod switch {
    use std::{fs, path::PathBuf, sync::OnceLock, thread};

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

    fn is_injected(line: &str) -> bool {
        let file = FILE.get_or_init(|| std::env::var_os("NJP_STALL").map(PathBuf::from));
        let Some(file) = file else { return false };
        let told = fs::read_to_string(file).unwrap_or_default();
        told.lines().any(|it| it == line)
    }

    pub(super) fn is_task_stall_injected(name: &str) -> bool {
        is_injected(&format!("task {name}"))
    }

    /// Returns when the file says so no more.
    pub(super) fn stall_thread_if_injected(name: &str) {
        while is_injected(&format!("thread {name}")) {
            thread::sleep(super::CHECK_INTERVAL);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const FIVE_SECONDS: Duration = Duration::from_secs(5);

    /// Lets `time` pass, one look after the other.
    fn pass(watchdog: &Watchdog, time: Duration) {
        let mut passed = Duration::ZERO;
        while passed < time {
            let _ = watchdog.check(CHECK_INTERVAL);
            passed += CHECK_INTERVAL;
        }
    }

    fn verdict(watchdog: &Watchdog) -> Liveness {
        watchdog.parts().first().map(|it| it.liveness).unwrap()
    }

    #[test]
    fn a_part_that_beats_turns_and_one_that_is_silent_for_too_long_stalls() {
        let watchdog = Watchdog::new(FIVE_SECONDS);
        let heartbeat = watchdog.watch("worker-0");
        for _ in 0..100 {
            pass(&watchdog, FIVE_SECONDS.saturating_sub(CHECK_INTERVAL));
            assert_eq!(verdict(&watchdog), Liveness::Alive);
            heartbeat.beat();
            pass(&watchdog, CHECK_INTERVAL);
        }
        pass(&watchdog, FIVE_SECONDS);
        assert_eq!(verdict(&watchdog), Liveness::Stalled);
        assert!(heartbeat.stall_flag().is_stalled());
        heartbeat.beat();
        let changed = watchdog.check(CHECK_INTERVAL);
        assert_eq!(changed.len(), 1);
        assert_eq!(verdict(&watchdog), Liveness::Alive);
    }

    #[test]
    fn a_part_inside_a_system_call_is_slow_for_a_minute_before_it_counts_as_stalled() {
        let watchdog = Watchdog::new(FIVE_SECONDS);
        let heartbeat = watchdog.watch("audit");
        heartbeat.in_system_call(|| {
            pass(&watchdog, FIVE_SECONDS + CHECK_INTERVAL);
            assert_eq!(verdict(&watchdog), Liveness::Slow);
            pass(&watchdog, SYSTEM_CALL_MAX.saturating_sub(FIVE_SECONDS));
            assert_eq!(verdict(&watchdog), Liveness::Stalled);
        });
        pass(&watchdog, CHECK_INTERVAL);
        assert_eq!(verdict(&watchdog), Liveness::Alive);
    }

    #[test]
    fn a_process_that_was_stopped_as_a_whole_has_not_stalled() {
        let watchdog = Watchdog::new(FIVE_SECONDS);
        let _heartbeat = watchdog.watch("worker-0");
        let changed = watchdog.check(Duration::from_hours(8));
        assert_eq!(changed, []);
        assert_eq!(verdict(&watchdog), Liveness::Alive);
    }

    #[test]
    fn a_part_that_ended_by_itself_counts_as_stalled_at_once_and_one_that_retired_is_forgotten() {
        let watchdog = Watchdog::new(FIVE_SECONDS);
        let (dies, retires) = (watchdog.watch("audit"), watchdog.watch("worker-0"));
        drop(dies);
        retires.retire();
        let changed = watchdog.check(CHECK_INTERVAL);
        assert_eq!(changed.len(), 1);
        assert_eq!(watchdog.parts(), changed);
        assert_eq!(changed.first().unwrap().liveness, Liveness::Stalled);
    }
}
