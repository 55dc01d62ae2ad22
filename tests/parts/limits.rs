//! Limits: what a caller may do per time, what a tenant may spend, and how far a `Retry-After` is believed.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_of_one_thread::Local;
use ninjaone_proxy::{
    clock::Timestamp,
    limits::{
        LimitKind, RateLimitStatus, RateLimits,
        budget::{Budget, BudgetLimit, Permit},
        caller_limiter::{CallerLimiter, CallerRateLimit},
        rate::Rate,
        retry_after::parse_retry_after,
    },
};
use tokio::time::Instant;

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn limit(pace: &str, burst: u32, concurrency: u32) -> CallerRateLimit {
    CallerRateLimit {
        rate: rate(pace),
        burst: count(burst),
        concurrency: count(concurrency),
    }
}

fn budget_limit(pace: &str, burst: u32, concurrency: u32, queue_ms: u64) -> BudgetLimit {
    BudgetLimit {
        rate: rate(pace),
        burst: count(burst),
        concurrency: count(concurrency),
        queue_timeout: Duration::from_millis(queue_ms),
    }
}

/// A budget whose rate is never what stands in the way.
fn of_concurrency(concurrency: u32, queue_ms: u64) -> Arc<Budget> {
    let limit = budget_limit("1000000/s", 1_000_000, concurrency, queue_ms);
    Arc::new(Budget::new(limit))
}

/// Futures that are polled side by side on the test's own thread, without a task of their own.
mod futures_of_one_thread {
    use std::{
        future::{Future, poll_fn},
        pin::Pin,
        task::Poll,
    };

    pub(super) struct Local<T>(Vec<Pin<Box<dyn Future<Output = T>>>>);

    impl<T> Local<T> {
        pub(super) fn new() -> Self {
            Self(Vec::new())
        }

        pub(super) fn add(&mut self, future: impl Future<Output = T> + 'static) {
            self.0.push(Box::pin(future));
        }

        pub(super) fn len(&self) -> usize {
            self.0.len()
        }

        /// Polls all once, in order; those that are ready leave with their results.
        pub(super) async fn turn(&mut self) -> Vec<T> {
            poll_fn(|context| {
                let mut ready = Vec::new();
                self.0
                    .retain_mut(|future| match future.as_mut().poll(context) {
                        Poll::Ready(result) => {
                            ready.push(result);
                            false
                        }
                        Poll::Pending => true,
                    });
                Poll::Ready(ready)
            })
            .await
        }

        /// Polls until at least one is ready.
        pub(super) async fn next(&mut self) -> Vec<T> {
            loop {
                let ready = self.turn().await;
                if !ready.is_empty() {
                    return ready;
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

#[test]
fn a_caller_has_its_burst_and_is_then_told_when_to_come_back() {
    let meter = Arc::new(CallerLimiter::new(limit("5/s", 20, 100)));
    let held: Vec<_> = (0..20).map(|_| meter.admit().ok().unwrap()).collect();
    assert_eq!(held.first().unwrap().1.header(), "\"caller\";r=19;t=1");
    assert_eq!(held.last().unwrap().1.header(), "\"caller\";r=0;t=4");

    let (by, retry_after, standing) = meter.admit().err().unwrap();

    assert_eq!(by, LimitKind::CallerRate);
    assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_millis(200));
    assert_eq!(
        standing,
        RateLimitStatus {
            remaining: 0,
            reset_s: 4
        }
    );
    assert_eq!(meter.in_flight(), 20);
    drop(held);
    assert_eq!(meter.in_flight(), 0);
}

#[test]
fn a_caller_has_only_so_many_requests_under_way_and_a_refusal_costs_it_nothing() {
    let meter = Arc::new(CallerLimiter::new(limit("1/h", 4, 2)));
    let first = meter.admit().ok().unwrap();
    let second = meter.admit().ok().unwrap();
    for _ in 0..1000 {
        let (by, retry_after, _) = meter.admit().err().unwrap();
        assert_eq!(by, LimitKind::CallerConcurrency);
        assert_eq!(retry_after, Duration::from_secs(1));
    }

    drop(first);
    let (_third, standing) = meter.admit().ok().unwrap();

    assert_eq!(standing.remaining, 1);
    drop(second);
}

#[test]
fn the_policy_header_tells_burst_and_refill_time() {
    let header = |pace, burst| {
        let meter = CallerLimiter::new(limit(pace, burst, 1));
        meter.policy_header().to_str().unwrap().to_owned()
    };
    assert_eq!(header("5/s", 20), "\"caller\";q=20;w=4");
    assert_eq!(header("60/min", 60), "\"caller\";q=60;w=60");
    assert_eq!(header("1000000/s", 1), "\"caller\";q=1;w=1");
    assert_eq!(
        header("1/h", 4_000_000_000),
        "\"caller\";q=1000000;w=3600000000"
    );
    let largest = RateLimitStatus {
        remaining: u32::MAX,
        reset_s: u32::MAX,
    };
    assert_eq!(largest.header(), "\"caller\";r=4294967295;t=4294967295");
}

#[test]
fn a_reload_keeps_the_counters_of_what_did_not_change() {
    let before = RateLimits::new(
        vec![
            ("same".parse().unwrap(), limit("5/s", 5, 5)),
            ("other".parse().unwrap(), limit("5/s", 5, 5)),
            ("gone".parse().unwrap(), limit("5/s", 5, 5)),
        ],
        vec![("acme".parse().unwrap(), budget_limit("1/s", 1, 1, 0))],
        None,
    );

    let after = RateLimits::new(
        vec![
            ("other".parse().unwrap(), limit("6/s", 5, 5)),
            ("same".parse().unwrap(), limit("5/s", 5, 5)),
        ],
        vec![("acme".parse().unwrap(), budget_limit("1/s", 1, 1, 0))],
        Some(&before),
    );

    assert!(Arc::ptr_eq(
        before.caller_limiter(0).unwrap(),
        after.caller_limiter(1).unwrap()
    ));
    assert!(!Arc::ptr_eq(
        before.caller_limiter(1).unwrap(),
        after.caller_limiter(0).unwrap()
    ));
    assert!(Arc::ptr_eq(
        before.budget(0).unwrap(),
        after.budget(0).unwrap()
    ));
    assert_eq!(Arc::strong_count(before.caller_limiter(2).unwrap()), 1);
    assert!(after.caller_limiter(2).is_none());
}

#[tokio::test]
async fn a_caller_that_floods_does_not_delay_another_by_more_than_one_round() {
    let budget = of_concurrency(1, 60_000);
    let held = budget.acquire(0, Instant::now()).await.ok().unwrap();
    let mut takes = Local::new();
    for _ in 0..2000 {
        let budget = Arc::clone(&budget);
        takes.add(async move {
            budget
                .acquire(0, Instant::now())
                .await
                .map(|permit| ("flood", permit))
        });
    }
    let refused = takes.turn().await;
    assert_eq!(refused.len(), 2000 - 1024);
    assert!(
        refused
            .into_iter()
            .all(|take| take.err().unwrap().0 == LimitKind::TenantQueue)
    );
    let other = Arc::clone(&budget);
    takes.add(async move {
        other
            .acquire(1, Instant::now())
            .await
            .map(|permit| ("other", permit))
    });
    assert!(takes.turn().await.is_empty());
    assert_eq!(budget.snapshot().waiting, 1025);

    drop(held);
    let mut order = Vec::new();
    while takes.len() > 0 {
        for take in takes.next().await {
            let (name, permit) = take.ok().unwrap();
            order.push(name);
            drop(permit);
        }
    }

    let position = order.iter().position(|name| *name == "other").unwrap();
    assert!(position <= 1, "served as number {position}");
    assert_eq!(order.len(), 1025);
    let rest = budget.snapshot();
    assert_eq!((rest.in_flight, rest.waiting), (0, 0));
}

#[tokio::test]
async fn waiters_that_leave_lose_no_permit_and_leave_no_hole() {
    let budget = of_concurrency(2, 60_000);
    for round in 0..50_usize {
        let held = [
            budget.acquire(0, Instant::now()).await,
            budget.acquire(0, Instant::now()).await,
        ];
        let mut takes = Local::new();
        for caller in 0..40 {
            let budget = Arc::clone(&budget);
            takes.add(async move { budget.acquire(caller % 5, Instant::now()).await });
        }
        assert!(takes.turn().await.is_empty());
        drop(held);
        // Some have been served and do not know it yet, the others wait: all leave.
        if round % 2 == 0 {
            drop(takes.turn().await);
        }
        drop(takes);
        let rest = budget.snapshot();
        assert_eq!((rest.in_flight, rest.waiting), (0, 0), "round {round}");
    }
}

#[tokio::test]
async fn time_lets_the_next_one_through_also_when_the_one_that_kept_time_leaves() {
    let budget = Arc::new(Budget::new(budget_limit("20/s", 1, 100, 10_000)));
    let _first = budget.acquire(0, Instant::now()).await.ok().unwrap();
    let mut timekeeper = Local::new();
    let its = Arc::clone(&budget);
    timekeeper.add(async move { its.acquire(0, Instant::now()).await });
    assert!(timekeeper.turn().await.is_empty());
    let mut others = Local::new();
    for _ in 0..3 {
        let budget = Arc::clone(&budget);
        others.add(async move { budget.acquire(0, Instant::now()).await });
    }
    assert!(others.turn().await.is_empty());

    drop(timekeeper);

    let started = Instant::now();
    let mut served = Vec::new();
    while others.len() > 0 {
        served.extend(others.next().await);
    }
    assert_eq!(served.iter().filter(|take| take.is_ok()).count(), 3);
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn the_deadline_of_the_queue_names_what_stood_in_the_way() {
    let crowded = of_concurrency(1, 20);
    let _held = crowded.acquire(0, Instant::now()).await.ok().unwrap();
    assert_eq!(refusal(&crowded).await.0, LimitKind::TenantConcurrency);

    let slow = Arc::new(Budget::new(budget_limit("1/min", 1, 9, 20)));
    let _first = slow.acquire(0, Instant::now()).await.ok().unwrap();
    let (by, retry_after) = refusal(&slow).await;
    assert_eq!(by, LimitKind::TenantRate);
    assert!(
        retry_after > Duration::from_secs(59) && retry_after <= Duration::from_mins(1),
        "{retry_after:?}"
    );
}

#[test]
fn a_reset_is_never_later_than_the_retry_after_beside_it() {
    let status = RateLimitStatus {
        remaining: 0,
        reset_s: 6,
    };
    assert_eq!(status.capped_by(2).header(), "\"caller\";r=0;t=2");
    assert_eq!(status.capped_by(7), status);
}

async fn refusal(budget: &Arc<Budget>) -> (LimitKind, Duration) {
    budget.acquire(0, Instant::now()).await.err().unwrap()
}

#[tokio::test]
async fn while_paused_nothing_goes_out_and_the_pause_has_a_bound() {
    let budget = of_concurrency(4, 2_000);
    budget.pause(Duration::from_millis(80));
    let started = Instant::now();
    let permit = budget.acquire(0, Instant::now()).await.ok().unwrap();
    assert!(started.elapsed() >= Duration::from_millis(80));
    drop(permit);

    budget.pause(Duration::from_secs(1_000_000));
    budget.pause(Duration::from_secs(1));

    let paused = budget.snapshot().paused_for.unwrap();
    assert!(paused > Duration::from_secs(295) && paused <= Duration::from_mins(5));
    let started = Instant::now();
    let (by, retry_after) = refusal(&budget).await;
    assert_eq!(by, LimitKind::TenantPaused);
    assert!(retry_after > Duration::from_secs(295));
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "does not wait for the deadline"
    );
}

#[tokio::test]
async fn no_more_than_the_burst_and_the_rate_go_out() {
    let budget = Arc::new(Budget::new(budget_limit("100/s", 5, 1000, 10_000)));
    let started = Instant::now();
    let mut takes = Local::new();
    for caller in 0..40 {
        let budget = Arc::clone(&budget);
        takes.add(async move { budget.acquire(caller, Instant::now()).await });
    }
    let mut served: Vec<Result<Permit, _>> = Vec::new();
    while takes.len() > 0 {
        served.extend(takes.next().await);
        let by_rate = started.elapsed().as_secs_f64() * 100.0;
        assert!(f64::from(u32::try_from(served.len()).unwrap()) <= 5.0 + by_rate + 1.0);
    }
    assert!(served.iter().all(Result::is_ok));
    assert!(started.elapsed() >= Duration::from_millis(340));
}

#[test]
fn a_permit_that_one_runtime_gives_back_wakes_a_waiter_of_another() {
    const THREADS: usize = 4;
    const TAKES: usize = 300;
    let budget = of_concurrency(3, 60_000);
    let (under_way, most) = (AtomicU32::new(0), AtomicU32::new(0));
    let served = Mutex::new(0);
    let together = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for caller in 0..THREADS {
            let (budget, under_way, most) = (&budget, &under_way, &most);
            let (served, together) = (&served, &together);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                together.wait();
                runtime.block_on(async {
                    for _ in 0..TAKES {
                        let permit = budget.acquire(caller, Instant::now()).await.ok().unwrap();
                        let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        under_way.fetch_sub(1, Ordering::SeqCst);
                        drop(permit);
                    }
                });
                *served.lock().unwrap() += TAKES;
            });
        }
    });
    assert_eq!(*served.lock().unwrap(), THREADS * TAKES);
    assert!(most.load(Ordering::SeqCst) <= 3);
    assert_eq!(budget.snapshot().in_flight, 0);
}

#[test]
fn whoever_leaves_on_whatever_thread_gives_everything_back() {
    const THREADS: usize = 4;
    let budget = Arc::new(Budget::new(budget_limit("4000/s", 3, 2, 60_000)));
    let served = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for caller in 0..THREADS {
            let (budget, served) = (&budget, &served);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    for round in 0..24 {
                        let mut takes = Local::new();
                        for number in 0..8 {
                            let budget = Arc::clone(budget);
                            takes.add(async move {
                                budget
                                    .acquire(caller * 10 + number % 3, Instant::now())
                                    .await
                            });
                        }
                        // Some stay for a turn or two and leave, some until the first is served, some to the end.
                        match round % 4 {
                            0 => drop(takes.turn().await),
                            1 => drop(takes.next().await),
                            _ => {
                                while takes.len() > 0 {
                                    let given = takes.next().await;
                                    assert!(given.iter().all(Result::is_ok));
                                    let count = u32::try_from(given.len()).unwrap();
                                    served.fetch_add(count, Ordering::SeqCst);
                                }
                            }
                        }
                    }
                });
            });
        }
    });
    assert_eq!(served.load(Ordering::SeqCst), 4 * 12 * 8);
    let rest = budget.snapshot();
    assert_eq!((rest.in_flight, rest.waiting), (0, 0));
}

#[test]
fn a_retry_after_is_read_with_suspicion() {
    // 2026-11-21T12:00:00Z
    let now = Timestamp::from_unix_micros(1_795_262_400_000_000);
    let table: [(&str, Option<u64>); 32] = [
        ("1", Some(1)),
        ("120", Some(120)),
        (" 7\t", Some(7)),
        ("007", Some(7)),
        ("0", Some(1)),
        ("300", Some(300)),
        ("301", Some(300)),
        ("9999999999", Some(300)),
        ("18446744073709551615", Some(300)),
        ("18446744073709551616", Some(300)),
        ("99999999999999999999999999999999999", Some(300)),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("1.5", None),
        ("0x10", None),
        ("5, 10", None),
        ("5;10", None),
        ("5s", None),
        ("", None),
        ("   ", None),
        ("soon", None),
        ("NaN", None),
        ("\u{664}\u{665}", None),
        ("99999999999999999999999999999999999999999999999999", None),
        ("Sat, 21 Nov 2026 12:00:30 GMT", Some(30)),
        ("Sat, 21 Nov 2026 11:00:00 GMT", Some(1)),
        ("Wed, 21 Oct 2099 07:28:00 GMT", Some(300)),
        ("Saturday, 21-Nov-26 12:00:30 GMT", Some(30)),
        ("Sat Nov 21 12:00:30 2026", Some(30)),
        ("Sat, 32 Nov 2026 12:00:30 GMT", None),
        ("Sat, 21 Nov 2026 12:00:30 +0900", None),
    ];
    for (text, seconds) in table {
        let expected = seconds.map(Duration::from_secs);
        assert_eq!(parse_retry_after(text, now), expected, "{text:?}");
    }
}
