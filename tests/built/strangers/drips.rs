//! Bodies so slow that only their average shows it, all tested at once: one window is half a minute.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    answer::Answer,
    frames::{Connection, WINDOW_UPDATE, frame},
    wait::until,
    wire::Wire,
};

use super::{
    behind::Behind,
    running::{KEY, OTHER_KEY, Plan, Running, get, post},
};

/// See `net::body::throughput_window::WINDOW_S`.
const WINDOW: Duration = Duration::from_secs(30);
/// For a verdict: one window, a caller's five seconds more, and what a busy machine takes.
const VERDICT: Duration = Duration::from_secs(55);
/// Requests that may be at NinjaOne.
const CONCURRENCY: u32 = 8;

/// Sends `chunk` each `interval` until an answer comes.
async fn drip(mut wire: Wire, chunk: usize, interval: Duration) -> (Option<Answer>, Duration) {
    let began = Instant::now();
    loop {
        tokio::select! {
            answer = wire.answer() => return (answer, began.elapsed()),
            () = sleep(interval) => {}
        }
        wire.try_send(vec![b'x'; chunk]).await;
    }
}

async fn upload(running: &Running, length: usize, chunk: usize, every: Duration) -> Verdict {
    let mut wire = running.wire().await;
    let framing = format!("Content-Length: {length}");
    wire.send(post("/v2/contacts", KEY, &framing)).await;
    let (answer, took) = drip(wire, chunk, every).await;
    let answer = answer.expect("an answer");
    let line = running.outcome(answer.id()).await;
    let error = line["error"].as_str().unwrap_or_default().to_owned();
    (answer.status, error, took)
}

type Verdict = (u16, String, Duration);

#[track_caller]
fn is_judged(verdict: &Verdict, status: u16, error: &str) {
    let (was, why, took) = verdict;
    assert_eq!((*was, why.as_str()), (status, error), "{verdict:?}");
    assert!(*took >= WINDOW.mul_f32(0.9) && *took < VERDICT, "{took:?}");
}

async fn long_uploads_that_drip_hold_their_places_for_one_window(running: &Running) {
    let every = Duration::from_secs(5);
    let one = || upload(running, 1_000_000, 1, every);
    let all = tokio::join!(one(), one(), one(), one());
    for verdict in [all.0, all.1, all.2, all.3] {
        is_judged(&verdict, 400, "body-slow");
    }
    let mut wire = running.wire().await;
    wire.send(get("/v2/users", OTHER_KEY)).await;
    assert_eq!(wire.answer().await.expect("an answer").status, 200);
}

async fn short_ones_are_judged_alike(running: &Running) {
    let verdict = upload(running, 1_000, 1, Duration::from_secs(5)).await;
    is_judged(&verdict, 400, "body-slow");
}

async fn an_upload_that_is_fast_enough_arrives(running: &Running) {
    // 4 KiB a second, with pauses.
    let verdict = upload(running, 160 * 1024, 16 * 1024, Duration::from_secs(4)).await;
    assert_eq!((verdict.0, verdict.1.as_str()), (200, ""), "{verdict:?}");
    assert!(verdict.2 >= WINDOW);
}

async fn ninjaone_that_drips_is_cut(running: &Running) {
    let mut wire = running.wire().await;
    wire.send(get("/v2/organizations", KEY)).await;
    let answer = wire.answer().await.expect("a part of an answer");
    assert!(!answer.whole && answer.body.len() >= 10);
    let line = running.outcome(answer.id()).await;
    assert_eq!(line["error"], "upstream-slow", "{line}");
}

/// Reads `sip` bytes each `every`, until the connection ends or that has gone on for long enough.
async fn is_let_read(running: &Running, target: &str, sip: usize, every: Duration) -> bool {
    let mut wire = running.wire().await;
    wire.send(get(target, KEY)).await;
    let began = Instant::now();
    while began.elapsed() < VERDICT {
        if wire.sip(sip).await == 0 {
            return false;
        }
        sleep(every).await;
    }
    true
}

async fn a_caller_that_sips_is_cut(running: &Running) {
    // What has come to it already it can go on to sip.
    is_let_read(running, "/v2/devices", 1, Duration::from_secs(1)).await;
    let of_main =
        |line: &serde_json::Value| line["caller"] == "main" && line["operation"] == "getDevices";
    let line = running.outcome_where(of_main).await;
    assert_eq!(line["error"], "caller-slow", "{line}");
}

async fn a_caller_that_reads_steadily_is_not(running: &Running) {
    let every = Duration::from_millis(500);
    assert!(is_let_read(running, "/v2/devices", 32 * 1024, every).await);
}

/// One that leaves an answer lying loses it; what else it asks for over the same connection comes.
async fn over_http2_one_answer_is_judged_by_itself(running: &Running) {
    let mut connection = Connection::open(running.callers).await;
    // Room on the connection, but not on the stream.
    let room = (64_u32 << 20).to_be_bytes();
    connection.send(&frame(WINDOW_UPDATE, 0, 0, &room)).await;
    connection.get(1, "/v2/devices", OTHER_KEY).await;
    assert_eq!(connection.head(1).await, Some(200));
    let began = Instant::now();
    let mut stream = 3;
    while began.elapsed() < VERDICT {
        connection.get(stream, "/v2/users", OTHER_KEY).await;
        assert_eq!(connection.head(stream).await, Some(200));
        stream += 2;
        sleep(Duration::from_secs(2)).await;
    }
    let of_other =
        |line: &serde_json::Value| line["caller"] == "other" && line["operation"] == "getDevices";
    let line = running.outcome_where(of_other).await;
    assert_eq!(line["error"], "caller-slow", "{line}");
}

#[tokio::test]
async fn whoever_is_waited_for_is_judged_by_its_average() {
    let behind = Behind::start().await;
    let one = Plan::before(behind.address).concurrency(CONCURRENCY);
    let two = Plan::before(behind.address);
    let (one, two) = (one.start().await, two.start().await);
    tokio::join!(
        long_uploads_that_drip_hold_their_places_for_one_window(&one),
        short_ones_are_judged_alike(&one),
        an_upload_that_is_fast_enough_arrives(&two),
        ninjaone_that_drips_is_cut(&two),
        a_caller_that_sips_is_cut(&two),
        a_caller_that_reads_steadily_is_not(&two),
        over_http2_one_answer_is_judged_by_itself(&two),
    );
    for running in [&one, &two] {
        until("all places to be free", async || {
            running.count("in_flight_requests").await == 0
        })
        .await;
    }
}
