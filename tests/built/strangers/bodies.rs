//! Bodies that come slowly, or are taken slowly, hold nothing that others need. What takes a whole window of the average is
//! in `drips`.

use std::time::Duration;

use crate::{wait::until, wire::Wire};

use super::{
    behind::Behind,
    running::{KEY, OTHER_KEY, Plan, Running, get, post},
};

async fn plan() -> Plan {
    Plan::before(Behind::start().await.address)
}

async fn begin_upload(running: &Running, framing: &str, first: &str) -> Wire {
    let mut wire = running.wire().await;
    wire.send(post("/v2/contacts", KEY, framing)).await;
    wire.send(first).await;
    wire
}

#[tokio::test]
async fn a_body_that_does_not_come_holds_no_place_at_ninjaone() {
    let running = plan().await.concurrency(1).start().await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(begin_upload(&running, "Content-Length: 9", "1").await);
        slow.push(begin_upload(&running, "Transfer-Encoding: chunked", "1\r\n1\r\n").await);
    }
    // A long one that has hardly begun.
    let long = begin_upload(&running, "Content-Length: 1000000", "1").await;
    until("all of them", async || {
        running.count("in_flight_requests").await == 9
    })
    .await;

    for _ in 0..5 {
        let mut wire = running.wire().await;
        wire.send(get("/v2/users", OTHER_KEY)).await;
        assert_eq!(wire.answer().await.expect("an answer").status, 200);
    }

    drop(long);
    // They are served when they have come.
    for (number, wire) in slow.iter_mut().enumerate() {
        let rest = if number % 2 == 0 {
            "12345678"
        } else {
            "0\r\n\r\n"
        };
        wire.send(rest).await;
        assert_eq!(wire.answer().await.expect("an answer").status, 200);
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_is_named_in_the_audit_line() {
    let running = plan().await.timeouts("idle", "\"300ms\"").start().await;
    for (length, body) in [("9", "1"), ("1000000", "1")] {
        let framing = format!("Content-Length: {length}");
        let mut wire = begin_upload(&running, &framing, body).await;

        let answer = wire.answer().await.expect("an answer");

        assert_eq!(answer.status, 400, "{}", answer.text());
        let line = running.outcome(answer.id()).await;
        assert_eq!(line["error"], "body-stalled", "{line}");
        assert_eq!(line["bytes_in"], 1, "{line}");
    }
}

#[tokio::test]
async fn a_body_that_takes_too_long_in_all_is_ended() {
    let running = plan().await.timeouts("body_total", "\"1s\"").start().await;
    for framing in ["Content-Length: 10000000", "Content-Length: 60000"] {
        let mut wire = begin_upload(&running, framing, "").await;
        let answer = loop {
            tokio::select! {
                answer = wire.answer() => break answer,
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
            wire.try_send([b'x'; 1_000]).await;
        };
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 400);
        let line = running.outcome(answer.id()).await;
        assert_eq!(line["error"], "body-overdue", "{line}");
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_in_all_is_ended_on_account_of_whom_it_waits_for() {
    let running = plan().await.timeouts("body_total", "\"1s\"").start().await;
    let (mut drips, mut unread) = (running.wire().await, running.wire().await);
    drips.send(get("/v2/organizations", KEY)).await;
    unread.send(get("/v2/devices", KEY)).await;

    let answer = drips.answer().await.expect("an answer");

    assert!(!answer.whole);
    let line = running.outcome(answer.id()).await;
    assert_eq!(line["error"], "upstream-overdue", "{line}");
    let line = running
        .outcome_where(|line| line["operation"] == "getDevices")
        .await;
    assert_eq!(line["error"], "caller-slow", "{line}");
    assert!(unread.closes_within(Duration::from_secs(20)).await);
}
