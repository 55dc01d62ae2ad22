//! Notices when a part of the program stalls: each thread and each long-lived task sends heartbeats, and one place checks them.
//!
//! A heartbeat is one atomic increment and reads no clock. Silence is measured by the checker, and a check that comes late
//! counts as one that came in time: a process that was suspended as a whole has not stalled.

use std::{
    convert::Infallible,
    future::{Future, pending},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often the parts are looked at.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// How long a part that is inside a call to the operating system may stay there before it counts as dead: a slow disk must
/// not become a restart loop.
pub const SYSTEM_CALL_MAX: Duration = Duration::from_mins(1);

/// Beats for each allowed silence. One that comes late does no harm.
const BEATS_PER_SILENCE: u32 = 5;
const BEAT_INTERVAL_MIN: Duration = Duration::from_millis(50);
const BEAT_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// Looks after all parts. Clones share one list.
#[derive(Clone)]
pub struct Watchdog(Arc<Inner>);

struct Inner {
    silence_max: Duration,
    watched: Mutex<Vec<Watched>>,
}

struct Watched {
    beat: Arc<Beat>,
    /// The count at the last look.
    seen: u64,
    silent: Duration,
    verdict: Verdict,
}

/// What a part and the watchdog share.
struct Beat {
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
    beat: Arc<Beat>,
    interval: Duration,
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Turning,
    /// Silent for too long, inside a call to the operating system that may still return.
    Slow,
    /// Silent for too long, or ended.
    Stalled,
}

/// A part and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub verdict: Verdict,
    pub silent: Duration,
}

/// Tells whether a part stalls, to those who could hand it work.
#[derive(Clone)]
pub struct Sign(Arc<Beat>);

impl Sign {
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.0.stalled.load(Ordering::Relaxed)
    }
}

impl Watchdog {
    /// `silence_max` is how long a part may go without a beat.
    #[must_use]
    pub fn new(silence_max: Duration) -> Self {
        Self(Arc::new(Inner {
            silence_max,
            watched: Mutex::default(),
        }))
    }

    /// Watches a part from now on.
    #[must_use]
    pub fn watch(&self, name: impl Into<String>) -> Heartbeat {
        let beat = Arc::new(Beat {
            name: name.into(),
            count: AtomicU64::new(0),
            in_system_call: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
        });
        self.lock().push(Watched {
            beat: Arc::clone(&beat),
            seen: 0,
            silent: Duration::ZERO,
            verdict: Verdict::Turning,
        });
        let interval = self.0.silence_max / BEATS_PER_SILENCE;
        Heartbeat {
            beat,
            interval: interval.clamp(BEAT_INTERVAL_MIN, BEAT_INTERVAL_MAX),
        }
    }

    /// Looks at every part; `passed` is the time since the last look. Returns the parts whose verdict has changed.
    pub fn look(&self, passed: Duration) -> Vec<Part> {
        // More than that, and it was the checker that stalled.
        let passed = passed.min(2 * LOOK_INTERVAL);
        let mut watched = self.lock();
        watched.retain(|it| !it.beat.retired.load(Ordering::Acquire));
        let silence_max = self.0.silence_max;
        let changed = watched.iter_mut().filter_map(|it| {
            let before = it.verdict;
            it.look(passed, silence_max);
            (it.verdict != before).then(|| it.part())
        });
        changed.collect()
    }

    /// Every part, in the order in which they were first watched.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        self.lock().iter().map(Watched::part).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.0
            .watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn look(&mut self, passed: Duration, silence_max: Duration) {
        let count = self.beat.count.load(Ordering::Relaxed);
        if count == self.seen {
            self.silent += passed;
        } else {
            (self.seen, self.silent) = (count, Duration::ZERO);
        }
        let in_system_call = self.beat.in_system_call.load(Ordering::Relaxed);
        self.verdict = if self.beat.abandoned.load(Ordering::Acquire) {
            Verdict::Stalled
        } else if self.silent < silence_max {
            Verdict::Turning
        } else if in_system_call && self.silent < silence_max.max(SYSTEM_CALL_MAX) {
            Verdict::Slow
        } else {
            Verdict::Stalled
        };
        let is_stalled = self.verdict != Verdict::Turning;
        self.beat.stalled.store(is_stalled, Ordering::Relaxed);
    }

    fn part(&self) -> Part {
        Part {
            name: self.beat.name.clone(),
            verdict: self.verdict,
            silent: self.silent,
        }
    }
}

impl Heartbeat {
    /// The part has turned once more.
    pub fn beat(&self) {
        #[cfg(debug_assertions)]
        switch::stall_thread_if_told(&self.beat.name);
        self.beat.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Longest that the part should sleep between two beats.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// The part's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.beat.name
    }

    /// A flag that says whether this part has stalled.
    #[must_use]
    pub fn sign(&self) -> Sign {
        Sign(Arc::clone(&self.beat))
    }

    /// Runs `call`, which may be slow by no fault of the part's: see [`SYSTEM_CALL_MAX`].
    pub fn in_system_call<T>(&self, call: impl FnOnce() -> T) -> T {
        self.beat();
        self.beat.in_system_call.store(true, Ordering::Relaxed);
        let done = call();
        self.beat.in_system_call.store(false, Ordering::Relaxed);
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
    pub async fn stall_if_told(&self) {
        if switch::is_told_to_stall_task(&self.beat.name) {
            pending::<()>().await;
        }
    }

    /// Only test builds have a switch.
    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_async, reason = "test builds wait here")]
    pub async fn stall_if_told(&self) {}

    /// The part ends because it was asked to: nobody expects another beat.
    pub fn retire(self) {
        self.beat.retired.store(true, Ordering::Release);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        // Whoever retired is looked at no more.
        self.beat.abandoned.store(true, Ordering::Release);
    }
}

/// A switch that only test builds have: parts stop for good once a file says so. `NJP_STALL` names the file, and each line
/// of it `thread NAME` or `task NAME`.
#[cfg(debug_assertions)]
mod switch {
    use std::{fs, path::PathBuf, sync::OnceLock, thread};

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

    fn is_told(line: &str) -> bool {
        let file = FILE.get_or_init(|| std::env::var_os("NJP_STALL").map(PathBuf::from));
        let Some(file) = file else { return false };
        let told = fs::read_to_string(file).unwrap_or_default();
        told.lines().any(|it| it == line)
    }

    pub(super) fn is_told_to_stall_task(name: &str) -> bool {
        is_told(&format!("task {name}"))
    }

    /// Returns when the file says so no more.
    pub(super) fn stall_thread_if_told(name: &str) {
        while is_told(&format!("thread {name}")) {
            thread::sleep(super::LOOK_INTERVAL);
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
            let _ = watchdog.look(LOOK_INTERVAL);
            passed += LOOK_INTERVAL;
        }
    }

    fn verdict(watchdog: &Watchdog) -> Verdict {
        watchdog.parts().first().map(|it| it.verdict).unwrap()
    }

    #[test]
    fn a_part_that_beats_turns_and_one_that_is_silent_for_too_long_stalls() {
        let watchdog = Watchdog::new(FIVE_SECONDS);
        let heartbeat = watchdog.watch("worker-0");
        for _ in 0..100 {
            pass(&watchdog, FIVE_SECONDS.saturating_sub(LOOK_INTERVAL));
            assert_eq!(verdict(&watchdog), Verdict::Turning);
            heartbeat.beat();
            pass(&watchdog, LOOK_INTERVAL);
        }
        pass(&watchdog, FIVE_SECONDS);
        assert_eq!(verdict(&watchdog), Verdict::Stalled);
        assert!(heartbeat.sign().is_stalled());
        heartbeat.beat();
        let changed = watchdog.look(LOOK_INTERVAL);
        assert_eq!(changed.len(), 1);
        assert_eq!(verdict(&watchdog), Verdict::Turning);
    }

    #[test]
    fn a_part_inside_a_system_call_is_slow_for_a_minute_before_it_counts_as_stalled() {
        let watchdog = Watchdog::new(FIVE_SECONDS);
        let heartbeat = watchdog.watch("audit");
        heartbeat.in_system_call(|| {
            pass(&watchdog, FIVE_SECONDS + LOOK_INTERVAL);
            assert_eq!(verdict(&watchdog), Verdict::Slow);
            pass(&watchdog, SYSTEM_CALL_MAX.saturating_sub(FIVE_SECONDS));
            assert_eq!(verdict(&watchdog), Verdict::Stalled);
        });
        pass(&watchdog, LOOK_INTERVAL);
        assert_eq!(verdict(&watchdog), Verdict::Turning);
    }

    #[test]
    fn a_process_that_was_stopped_as_a_whole_has_not_stalled() {
        let watchdog = Watchdog::new(FIVE_SECONDS);
        let _heartbeat = watchdog.watch("worker-0");
        let changed = watchdog.look(Duration::from_hours(8));
        assert_eq!(changed, []);
        assert_eq!(verdict(&watchdog), Verdict::Turning);
    }

    #[test]
    fn a_part_that_ended_by_itself_counts_as_stalled_at_once_and_one_that_retired_is_forgotten() {
        let watchdog = Watchdog::new(FIVE_SECONDS);
        let (dies, retires) = (watchdog.watch("audit"), watchdog.watch("worker-0"));
        drop(dies);
        retires.retire();
        let changed = watchdog.look(LOOK_INTERVAL);
        assert_eq!(changed.len(), 1);
        assert_eq!(watchdog.parts(), changed);
        assert_eq!(changed.first().unwrap().verdict, Verdict::Stalled);
    }
}
