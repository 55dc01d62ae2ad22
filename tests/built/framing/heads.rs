//! Unfinished request heads: together they have a bound, and their memory is given back.

use std::time::{Duration, Instant};

use ninjaone_proxy::net::server::head_reservation::INCOMPLETE_HEADS_BYTES_MAX;

use crate::{
    frames::{CONTINUATION, GOAWAY, HEADERS, block, frame},
    settings::Setting,
    wait::until_within,
    wire::Wire,
};

use super::{
    front::Front,
    upstream::{Upstream, ok},
};

/// Within a head's bound of 32 KiB, and its end missing.
const PART_BYTES: usize = 30 * 1024;
/// So many exceed the room for all.
const HEADS: usize = INCOMPLETE_HEADS_BYTES_MAX / PART_BYTES + 150;
/// What connections, and what refused them, may take beside what they hold.
const BESIDE_KIB: u64 = 40 * 1024;
/// What may stay when all have gone: on a busy machine the allocator keeps up to half of what it does not need.
const STAYS_KIB: u64 = 28 * 1024;
const MANY: Setting = ("listen", "connections_per_peer", "4096");

async fn begin(proxy: &Front, path: &str) -> Wire {
    let mut wire = proxy.wire().await;
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Filler: ");
    let filler = "x".repeat(PART_BYTES - head.len());
    wire.send(head + &filler).await;
    wire
}

fn refused(proxy: &Front) -> usize {
    let lines = proxy.lines();
    let refused = lines.iter().filter(|it| it["decision"] == "too-large");
    refused.count()
}

#[tokio::test]
async fn the_oldest_unfinished_heads_go_when_all_of_them_hold_too_much_and_memory_comes_back() {
    let upstream = Upstream::start(None, &[], |peer, _| peer.say(&ok("[]")));
    let proxy = Front::start(&upstream.tenant(), &[MANY]);
    assert_eq!(proxy.get_once_ready("/v2/users").await.status, 200);
    let before = proxy.program.resident_kib();

    let mut half = Vec::new();
    for _ in 0..HEADS {
        half.push(begin(&proxy, "/v2/users").await);
    }
    let is_refused = async || refused(&proxy) > 0;
    until_within(Duration::from_mins(1), "a head to be refused", is_refused).await;
    let during = proxy.program.resident_kib();

    let oldest = half[0].answer().await.expect("an answer");
    oldest.refuses(431, "too-large");
    // Whoever comes whole is served, and the youngest may end what it began.
    assert_eq!(proxy.get("/v2/users").await.status, 200);
    let mut youngest = half.pop().unwrap();
    let end = format!("\r\nX-Api-Key: {}\r\nConnection: close\r\n\r\n", proxy.key);
    youngest.send(end).await;
    assert_eq!(youngest.answer().await.expect("an answer").status, 200);
    let bound = before + (INCOMPLETE_HEADS_BYTES_MAX >> 10) as u64 + BESIDE_KIB;
    assert!(during < bound, "{during} KiB, {before} before");

    drop(half);
    let began = Instant::now();
    while proxy.program.resident_kib() > before + STAYS_KIB {
        let now = proxy.program.resident_kib();
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{now} KiB stay, {during} during, {before} before"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn unfinished_heads_over_http2_share_the_same_room() {
    let upstream = Upstream::start(None, &[], |peer, _| peer.say(&ok("[]")));
    let proxy = Front::start(&upstream.tenant(), &[MANY]);
    assert_eq!(proxy.get_once_ready("/v2/users").await.status, 200);

    let filler = "x".repeat(15 * 1024);
    let part = block(&[(":path", "/v2/users"), ("x-filler", &filler)]);
    let mut half = Vec::new();
    for _ in 0..HEADS {
        let mut connection = proxy.http2().await;
        connection.send(&frame(HEADERS, 0, 1, &part)).await;
        connection.send(&frame(CONTINUATION, 0, 1, &part)).await;
        half.push(connection);
    }
    let ended = half[0].answer(1).await.ended_by;
    assert_eq!(ended, Some(GOAWAY));
    let line = proxy.line(|it| it["decision"] == "too-large").await;
    assert_eq!(line["status"], 431, "{line}");
    assert_eq!(proxy.get("/v2/users").await.status, 200);
}

/// As over HTTP/1.1: the time for a head runs from its first byte, however its end trickles in.
#[tokio::test]
async fn a_head_that_does_not_end_over_http2_has_the_time_of_a_head() {
    /// More than the ten seconds of a head, and far less than the three minutes of an idle connection.
    const LATEST: Duration = Duration::from_secs(45);
    let upstream = Upstream::start(None, &[], |peer, _| peer.say(&ok("[]")));
    let proxy = Front::start(&upstream.tenant(), &[MANY]);
    let began = Instant::now();
    let mut connection = proxy.http2().await;
    connection
        .send(&frame(HEADERS, 0, 1, &block(&[(":path", "/v2/users")])))
        .await;

    let got = connection.answer(1).await;

    assert!(got.body.is_empty());
    assert!(began.elapsed() < LATEST, "{:?}", began.elapsed());
}
