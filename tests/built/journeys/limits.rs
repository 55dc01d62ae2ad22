//! Limits: what a caller may do per time, and what a tenant may spend.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::{answer::Answer, wait::until};

use super::world::World;

fn number(answer: &Answer, header: &str, name: &str) -> u64 {
    let value = answer.header(header).unwrap_or_default();
    let found = value
        .split(';')
        .find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
    found
        .unwrap_or_else(|| panic!("no {name} in {value:?}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_caller_that_is_too_fast_is_told_when_to_come_back() {
    let rules = "allow = [\"read\"]\nlimit = { rate = \"12/min\", burst = 3 }";
    let world = World::plan().caller("hasty", rules).start().await;

    for left in [2, 1, 0] {
        let answer = world.get("hasty", "/v2/users").await;
        answer.is(200);
        assert_eq!(number(&answer, "ratelimit", "r"), left);
        assert_eq!(number(&answer, "ratelimit-policy", "q"), 3);
    }
    let refused = world.get("hasty", "/v2/users").await;

    let seconds = refused.refuses(429, "caller-limit").retry_after();
    assert!((1..=5).contains(&seconds), "{seconds}");
    assert_eq!(refused.json()["bucket"], "caller-rate");
    assert_eq!(number(&refused, "ratelimit", "r"), 0);
    let line = world.outcome(refused.id()).await;
    assert_eq!(line["decision"], "caller-limit");
    assert_eq!(line["bucket"], "caller-rate");
    assert_eq!(world.saw().len(), 3);
    world.end().await;
}

/// The wait is the thing that is tested: it is as long as the answer says, and no longer.
async fn wait_as_told(refused: &Answer) {
    tokio::time::sleep(Duration::from_secs(refused.retry_after())).await;
}

#[tokio::test]
async fn a_caller_that_waits_as_long_as_it_is_told_gets_through() {
    let rules = "allow = [\"read\"]\nlimit = { rate = \"40/min\", burst = 4 }";
    let world = World::plan().caller("patient", rules).start().await;
    for _ in 0..4 {
        world.get("patient", "/v2/users").await.is(200);
    }

    let refused = world.get("patient", "/v2/users").await;

    refused.refuses(429, "caller-limit");
    // One request passes each 1.5 s; all four would take 6.
    assert_eq!(refused.retry_after(), 2);
    assert_eq!(number(&refused, "ratelimit", "t"), 2);
    assert_eq!(
        refused.json()["detail"],
        "Caller patient sends requests faster than its limit of 40/min with a burst of 4."
    );
    wait_as_told(&refused).await;
    world.get("patient", "/v2/users").await.is(200);
    world.end().await;
}

#[tokio::test]
async fn whoever_waits_for_the_tenants_budget_as_long_as_told_gets_through() {
    let world = World::plan()
        .set("limits.upstream", "rate", "\"20/min\"")
        .set("limits.upstream", "burst", "1")
        .set("limits.upstream", "queue", "\"50ms\"")
        .start()
        .await;
    world.get("reports", "/v2/users").await.is(200);
    let first = world.get("reports", "/v2/users").await;
    first.refuses(429, "upstream-throttled");
    assert_eq!(first.retry_after(), 3);
    tokio::time::sleep(Duration::from_millis(1100)).await;

    let later = world.get("reports", "/v2/users").await;

    later.refuses(429, "upstream-throttled");
    assert_eq!(later.json()["bucket"], "tenant-rate");
    // A second of the three has gone.
    assert_eq!(later.retry_after(), 2);
    assert!(number(&later, "ratelimit", "t") <= 2);
    wait_as_told(&later).await;
    world.get("reports", "/v2/users").await.is(200);
    world.end().await;
}

#[tokio::test]
async fn a_caller_with_all_its_requests_under_way_waits_for_one_to_end() {
    let rules = "allow = [\"all\"]\nlimit = { concurrency = 2 }";
    let world = World::plan().caller("two", rules).start().await;
    world.trouble(r#"{"slow_ms":400}"#);
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let client = world.client();
        tasks.spawn(async move { client.get("two", "/v2/users").await.status });
    }
    world.ninja().wait_for_requests(3).await;

    let refused = world.get("two", "/v2/users").await;
    let other = world.get("reports", "/v2/users").await;

    refused.refuses(429, "caller-limit").retry_after();
    assert_eq!(refused.json()["bucket"], "caller-concurrency");
    other.is(200);
    assert_eq!(tasks.join_all().await, [200, 200]);
    world.get("two", "/v2/users").await.is(200);
    world.end().await;
}

#[tokio::test]
async fn a_caller_at_its_concurrency_is_told_to_wait_as_long_as_its_requests_took_before() {
    let rules = "allow = [\"all\"]\nlimit = { concurrency = 1 }";
    let world = World::plan().caller("one", rules).start().await;
    world.trouble(r#"{"slow_ms":2200}"#);
    world.get("one", "/v2/users").await.is(200);
    let arrived = world.saw().len();
    let client = world.client();
    let slow = tokio::spawn(async move { client.get("one", "/v2/users").await.status });
    until("the request at NinjaOne", async || {
        world.saw().len() > arrived
    })
    .await;

    let refused = world.get("one", "/v2/users").await;

    refused.refuses(429, "caller-limit");
    assert!(refused.retry_after() >= 3, "{}", refused.text());
    slow.abort();
    world
        .ends_by_signal(std::time::Duration::from_secs(10))
        .await;
}

#[tokio::test]
async fn a_flooding_caller_costs_another_nothing() {
    let rules = "allow = [\"read\"]\nlimit = { rate = \"20/s\", burst = 5, concurrency = 4 }";
    let world = World::plan().caller("flood", rules).start().await;
    let mut flood = JoinSet::new();
    for _ in 0..8 {
        let client = world.client();
        flood.spawn(async move {
            let mut wire = client.wire().await;
            let ask = client.ask("flood", "GET", "/v2/users");
            let mut refused = 0;
            for _ in 0..150 {
                let answer = ask.send_on(&mut wire).await.unwrap();
                refused += usize::from(answer.status == 429);
            }
            refused
        });
    }

    for _ in 0..60 {
        world.get("reports", "/v2/users").await.is(200);
    }

    let refused: usize = flood.join_all().await.iter().sum();
    assert!(refused > 1000, "{refused}");
    world.end().await;
}

#[tokio::test]
async fn a_long_queue_of_one_caller_is_not_anothers_wait() {
    let world = World::plan()
        .set("limits.upstream", "concurrency", "2")
        .set("limits.upstream", "queue", "\"14s\"")
        .caller("crowd", "allow = [\"read\"]")
        .start()
        .await;
    world.trouble(r#"{"slow_ms":40}"#);
    let mut crowd = JoinSet::new();
    for _ in 0..60 {
        let client = world.client();
        crowd.spawn(async move { client.get("crowd", "/v2/users").await.status });
    }
    world.ninja().wait_for_requests(5).await;

    let began = Instant::now();
    world.get("reports", "/v2/users").await.is(200);
    let took = began.elapsed();

    assert!(took < Duration::from_millis(500), "{took:?}");
    assert!(crowd.join_all().await.iter().all(|it| *it == 200));
    world.end().await;
}

#[tokio::test]
async fn a_request_that_finds_no_room_in_time_is_refused_and_nothing_is_sent() {
    let world = World::plan()
        .set("limits.upstream", "concurrency", "1")
        .set("limits.upstream", "queue", "\"100ms\"")
        .start()
        .await;
    world.trouble(r#"{"slow_ms":1500,"count":1}"#);
    let client = world.client();
    let first = tokio::spawn(async move { client.get("reports", "/v2/users").await.status });
    world.ninja().wait_for_requests(2).await;

    let read = world.get("reports", "/v2/devices").await;
    let write = world.post("operator", "/v2/organizations", "{}").await;

    for answer in [&read, &write] {
        answer.refuses(429, "upstream-throttled").retry_after();
        assert_eq!(answer.json()["bucket"], "tenant-concurrency");
        let line = world.outcome(answer.id()).await;
        assert_eq!(line["decision"], "upstream-throttled");
        assert_eq!(line["attempts"], 0);
    }
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(world.saw(), ["GET /v2/users 200"]);
    world.end().await;
}

#[tokio::test]
async fn ninjaone_never_sees_more_per_second_than_its_budget() {
    let world = World::plan()
        .set("limits.upstream", "rate", "\"50/s\"")
        .set("limits.upstream", "burst", "10")
        .set("limits.upstream", "queue", "\"14s\"")
        .start()
        .await;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..60 {
        let client = world.client();
        tasks.spawn(async move { client.get("reports", "/v2/users").await.status });
    }

    let statuses = tasks.join_all().await;

    assert!(statuses.iter().all(|it| *it == 200));
    let least = Duration::from_millis(950);
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    world.end().await;
}

#[tokio::test]
async fn the_budget_is_shared_by_all_workers() {
    let rules = "allow = [\"read\"]\nlimit = { rate = \"1/h\", burst = 10 }";
    let world = World::plan()
        .set("listen", "workers", "4")
        .caller("counted", rules)
        .start()
        .await;
    let mut tasks = JoinSet::new();
    for _ in 0..40 {
        let client = world.client();
        tasks.spawn(async move { client.get("counted", "/v2/users").await.status });
    }

    let statuses = tasks.join_all().await;

    let served = statuses.iter().filter(|it| **it == 200).count();
    assert_eq!(served, 10);
    assert_eq!(world.saw().len(), 10);
    world.end().await;
}

#[tokio::test]
async fn waiting_in_the_queue_is_not_taken_from_ninjaones_time_to_answer() {
    let world = World::plan()
        .set("limits.upstream", "rate", "\"1/s\"")
        .set("limits.upstream", "burst", "1")
        .set("limits.upstream", "queue", "\"10s\"")
        .set("timeouts", "first_byte", "\"1s\"")
        .start()
        .await;
    world.trouble(r#"{"slow_ms":100}"#);
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..3 {
        let client = world.client();
        let made = format!("{{\"name\":\"Patient {number}\"}}");
        tasks.spawn(async move { client.post("operator", "/v2/organizations", &made).await });
    }

    let answers = tasks.join_all().await;

    // The last one waited longer than an answer may take.
    let least = Duration::from_millis(1900);
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    for answer in &answers {
        answer.is(200);
        assert_eq!(world.outcome(answer.id()).await["attempts"], 1);
    }
    assert_eq!(world.saw(), ["POST /v2/organizations 200"; 3]);
    world.end().await;
}
