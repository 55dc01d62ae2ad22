//! Strangers and the audit log: what they send is counted, and fills no disk; callers' lines have a place to the end.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use ninjaone_proxy::{audit::verify::verify, names::RequestId};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{audit_log, small_disk::SmallDisk, wait::until};

use super::{
    behind::Behind,
    running::{KEY, Plan, Running},
};

const KEYLESS: &str = "GET /v2/devices HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// With the limits that people have.
async fn plan() -> Plan {
    Plan::before(Behind::start().await.address)
        .set("audit", "strangers", "")
        .set("audit", "strangers_per_peer", "")
}

/// Sends requests without a key on one connection, many at a time, and gives the ids of the answers.
async fn keyless(at: SocketAddr, count: usize) -> Vec<String> {
    let (mut from, mut to) = TcpStream::connect(at).await.unwrap().into_split();
    let sending = tokio::spawn(async move {
        let hundred = KEYLESS.repeat(100);
        for _ in 0..count / 100 {
            to.write_all(hundred.as_bytes()).await.unwrap();
        }
        let rest = KEYLESS.repeat(count % 100);
        to.write_all(rest.as_bytes()).await.unwrap();
        to
    });
    let (mut ids, mut text, mut chunk) = (Vec::new(), String::new(), vec![0; 64 << 10]);
    while ids.len() < count {
        let length = from.read(&mut chunk).await.unwrap();
        assert!(length > 0, "closed after {} answers", ids.len());
        text.push_str(&String::from_utf8_lossy(&chunk[..length]));
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines = text[..whole].lines();
        let found = lines.filter_map(|line| line.strip_prefix("x-request-id: "));
        ids.extend(found.map(|it| it.trim().to_owned()));
        text.drain(..whole);
    }
    drop(sending.await.unwrap());
    ids
}

fn of_strangers(lines: &[Value]) -> Vec<&Value> {
    let is_theirs = |it: &&Value| it["type"] == "outcome" && it["caller"].is_null();
    lines.iter().filter(is_theirs).collect()
}

fn tallies(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|it| it["type"] == "refused").collect()
}

fn counted(lines: &[Value]) -> u64 {
    let counts = tallies(lines).into_iter().map(|it| &it["count"]);
    counts.map(|it| it.as_u64().unwrap()).sum()
}

/// The lines, once each of `count` requests has one or is counted in one.
async fn recorded(running: &Running, count: usize) -> Vec<Value> {
    let mut lines = Vec::new();
    until("every stranger on record", async || {
        lines = running.lines();
        of_strangers(&lines).len() as u64 + counted(&lines) >= count as u64
    })
    .await;
    lines
}

fn bytes_of(running: &Running) -> u64 {
    let files = fs::read_dir(running.directory.audit()).unwrap();
    files.map(|it| it.unwrap().metadata().unwrap().len()).sum()
}

async fn write(running: &Running) -> u16 {
    let mut wire = running.wire().await;
    wire.send(format!(
        "PATCH /v2/device/101 HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {KEY}\r\nContent-Length: 2\r\n\r\n{{}}"
    ))
    .await;
    wire.answer().await.expect("an answer").status
}

fn free_bytes(disk: &SmallDisk) -> u64 {
    let it = rustix::fs::statvfs(disk.log()).unwrap();
    it.f_bavail * it.f_frsize
}

async fn space(running: &Running) -> Value {
    running.status().await["audit"]["space"].take()
}

fn assert_whole(running: &Running) {
    let report = verify(&running.directory.audit(), &[]).unwrap();
    assert!(report.is_intact(), "{report:?}");
}

#[tokio::test]
async fn strangers_beyond_the_rate_are_counted_in_one_line_a_second() {
    let running = plan()
        .await
        .set("audit", "strangers_per_peer", "\"5/s\"")
        .start()
        .await;
    let before = bytes_of(&running);

    let ids = keyless(running.callers, 2500).await;

    let lines = recorded(&running, ids.len()).await;
    let (own, tallies) = (of_strangers(&lines), tallies(&lines));
    assert_eq!(
        own.len() as u64 + counted(&lines),
        2500,
        "each of them once"
    );
    let mut by_second = HashMap::<_, usize>::new();
    for line in &own {
        *by_second
            .entry(&line["at"].as_str().unwrap()[..19])
            .or_default() += 1;
    }
    assert!(by_second.values().all(|it| *it <= 5), "{by_second:?}");
    for line in &tallies {
        assert_eq!(line["reasons"]["unauthenticated"], line["count"], "{line}");
        assert_eq!(line["peers"], serde_json::json!(["127.0.0.1"]));
        let second = |it: &Value| it.as_str().unwrap()[..19].to_owned();
        assert!(line["first"].as_str() <= line["last"].as_str(), "{line}");
        assert!(second(&line["last"]) <= second(&line["at"]));
    }
    // The id of each that has no line of its own leads to one that counts it.
    let spans: Vec<_> = tallies
        .iter()
        .map(|it| (at(&it["first"]), at(&it["last"])))
        .collect();
    for id in &ids {
        if own.iter().any(|it| it["request"] == id.as_str()) {
            continue;
        }
        let came = id.parse::<RequestId>().unwrap().unix_ms();
        let names_it = spans
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&came));
        assert!(names_it, "{id}: {came} {spans:?}");
    }
    let grown = bytes_of(&running) - before;
    assert!(grown < 20_000, "2500 requests wrote {grown} bytes");
    assert_eq!(
        running.count("audit_strangers_counted_total").await,
        counted(&lines)
    );
    assert_whole(&running);
    running.stop().await;
}

/// Milliseconds since 1970.
fn at(text: &Value) -> u64 {
    let at: jiff::Timestamp = text.as_str().unwrap().parse().unwrap();
    u64::try_from(at.as_millisecond()).unwrap()
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_second_tells_of_those_that_were_counted() {
    let running = plan().await.start().await;
    let ids = keyless(running.callers, 300).await;

    let lines = running.lines_at_its_end().await;

    assert_eq!(
        of_strangers(&lines).len() as u64 + counted(&lines),
        ids.len() as u64
    );
    assert_eq!(lines.last().unwrap()["type"], "stop");
}

#[tokio::test]
async fn a_flood_of_strangers_neither_loses_nor_delays_a_callers_line() {
    let running = plan().await.start().await;
    let at = running.callers;
    let flood: Vec<_> = (0..4).map(|_| tokio::spawn(keyless(at, 3000))).collect();

    let began = Instant::now();
    let mut written = Vec::new();
    for _ in 0..20 {
        assert_eq!(write(&running).await, 200);
        let answer = running.get().await.unwrap();
        written.push(answer.is(200).id().to_owned());
    }
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    for id in &written {
        running.outcome(id).await;
    }
    for task in flood {
        task.await.unwrap();
    }

    let lines = recorded(&running, 12_000).await;
    assert_eq!(of_strangers(&lines).len() as u64 + counted(&lines), 12_000);
    let intents = lines.iter().filter(|it| it["type"] == "intent").count();
    assert_eq!(intents, 20);
    assert_eq!(running.status().await["audit"]["lost"], 0);
    assert_whole(&running);
    running.stop().await;
}

#[tokio::test]
async fn strangers_cannot_fill_a_small_disk() {
    let Some(disk) = SmallDisk::mount_of("4m") else {
        return;
    };
    let path = format!("{:?}", disk.log());
    let running = plan().await.set("audit", "path", &path).start().await;
    let free = free_bytes(&disk);

    let flood = (0..4).map(|_| tokio::spawn(keyless(running.callers, 5001)));
    for task in flood.collect::<Vec<_>>() {
        task.await.unwrap();
    }

    let taken = free - free_bytes(&disk);
    assert!(taken < 300 << 10, "20,004 requests took {taken} bytes");
    assert_eq!(write(&running).await, 200);
    assert_eq!(space(&running).await["level"], "plenty");

    // Somebody else fills it.
    disk.fill(3 << 20);
    until("the reserve", async || {
        space(&running).await["level"] == "reserve-only"
    })
    .await;
    let before = of_strangers(&audit_log::lines(&disk.log())).len();
    keyless(running.callers, 500).await;
    assert_eq!(write(&running).await, 200);
    until("their count", async || {
        counted(&audit_log::lines(&disk.log())) >= 20_000
    })
    .await;
    let after = of_strangers(&audit_log::lines(&disk.log())).len();
    assert_eq!(after, before, "none of them has a line of its own any more");
    let status = running.status().await;
    assert_eq!(status["health"], "degraded");
    let said = status["degraded"][0].as_str().unwrap();
    assert!(said.contains("only its reserve left"), "{said}");
    assert_eq!(running.count("audit_reserve_only").await, 1);
    assert_eq!(
        running
            .told(&["only the audit log's reserve is left"])
            .len(),
        1
    );
    running.stop().await;
}

#[tokio::test]
async fn when_its_room_is_used_up_writes_are_refused_and_reads_go_on() {
    let plan = plan().await.set("audit", "max_total", "\"128KiB\"");
    let running = plan.set("audit", "reserve", "\"64KiB\"").start().await;

    until("the reserve", async || {
        running.get().await.unwrap().is(200);
        space(&running).await["level"] == "reserve-only"
    })
    .await;
    let mut writes = 0;
    let refused = loop {
        match write(&running).await {
            200 => writes += 1,
            other => break other,
        }
    };
    assert_eq!(refused, 503);
    assert!(
        writes > 20,
        "the reserve is for intents and outcomes: {writes}"
    );
    let status = running.status().await;
    assert_eq!(status["audit"]["state"], "failing");
    assert_eq!(status["audit"]["space"]["level"], "exhausted");
    let why = status["audit"]["last_error"].as_str().unwrap();
    assert!(why.contains("audit.max_total (128 KiB)"), "{why}");
    let mut reads = Vec::new();
    for _ in 0..20 {
        reads.push(running.get().await.unwrap().is(200).id().to_owned());
    }
    assert!(bytes_of(&running) <= 128 << 10);
    assert_whole(&running);

    // The operator archives the file; the chain goes on in the next.
    let file = status["audit"]["path"].as_str().unwrap();
    fs::rename(file, running.path("archived.jsonl")).unwrap();
    until("room", async || space(&running).await["level"] == "plenty").await;
    until("writes", async || write(&running).await == 200).await;
    // What waited for room is not lost.
    for id in &reads {
        running.outcome(id).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn without_room_reads_are_refused_too_where_the_operator_wants_it_so() {
    let plan = plan().await.set("audit", "max_total", "\"96KiB\"");
    let plan = plan.set("audit", "reserve", "\"64KiB\"");
    let plan = plan.set("audit", "on_failure", "{ read = \"refuse\" }");
    let running = plan.start().await;

    let mut last = None;
    until("the end of its room", async || {
        let answer = running.get().await.unwrap();
        let is_over = answer.status != 200;
        last = Some(answer);
        is_over
    })
    .await;

    last.unwrap()
        .refuses(503, "audit-unavailable")
        .retry_after();
    assert!(bytes_of(&running) <= 96 << 10);
    assert_whole(&running);
    running.stop().await;
}
