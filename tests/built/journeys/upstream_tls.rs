//! HTTPS to NinjaOne: the protocol, the trusted certificates, and lost connections.

use std::{net::TcpListener, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use ninjaone_proxy::sandbox::{ListenerSource as Listening, SandboxOptions};
use rustls::ServerConfig;
use tokio::task::JoinSet;

use crate::{authority::Authority, key::hex, wait::until};

use super::{
    record::Arrival,
    tls_front::Front,
    world::{Plan, World},
};

const HTTP2_OR_HTTP1: &[&str] = &["h2", "http/1.1"];
const HTTP1: &[&str] = &["http/1.1"];
const NO_ALPN: &[&str] = &[];
const UPLOAD: &str = "/v2/attachments/temp/upload";
/// What `World::plan` runs: each has connections of its own.
const WORKERS: u64 = 2;

/// A plan of a NinjaOne that shows `tls`, reached as `localhost`, where `trusted` is believed.
async fn plan(tls: Arc<ServerConfig>, trusted: &Authority) -> (Plan, Front) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let front = Front::of(listener.local_addr().unwrap(), tls).await;
    let options = SandboxOptions {
        listener: Listening::Listener(listener),
        ..SandboxOptions::default()
    };
    let url = format!("\"https://localhost:{}\"", front.address.port());
    let plan = World::plan()
        .sandbox(options)
        .set("tenant.acme", "url", &url)
        .set("tenant.acme", "ca", &trusted.file());
    (plan, front)
}

async fn world(alpn: &[&str]) -> (World, Front, Authority) {
    let trusted = Authority::new();
    let (plan, front) = plan(trusted.certify("localhost", alpn), &trusted).await;
    (plan.start().await, front, trusted)
}

/// Over HTTP/2 the host travels as `:authority`, which is not a header.
fn is_http1(arrival: &Arrival) -> bool {
    arrival.header("host").is_some()
}

/// Reads, writes and uploads, and returns what arrived.
async fn read_write_and_upload(alpn: &[&str]) -> Vec<Arrival> {
    let (world, front, _trusted) = world(alpn).await;
    let file: Vec<u8> = (0..=250).cycle().take(1 << 20).collect();
    let sha256 = hex(digest(&SHA256, &file).as_ref());
    let upload = world
        .ask("operator", "POST", UPLOAD)
        .header("Content-Type", "application/octet-stream")
        .body(&file);
    let mut wire = world.wire().await;

    let long = "/v2/queries/software?pageSize=500";
    let read = world.ask("operator", "GET", long).send_on(&mut wire).await;
    let write = world.ask("operator", "PATCH", "/v2/device/101").body("{}");
    let write = write.header("Content-Type", "application/json");
    let written = write.send_on(&mut wire).await;
    let uploaded = upload.send_on(&mut wire).await;
    let bare = world.ask("operator", "HEAD", "/v2/users");
    let head = bare.send_on(&mut wire).await;

    let results = read.unwrap().is(200).json()["results"].clone();
    assert_eq!(results.as_array().unwrap().len(), 500);
    assert!(written.unwrap().status < 300);
    assert!(uploaded.unwrap().status < 300);
    assert_eq!(head.unwrap().status, 200);
    let seen = world.ninja().requests();
    assert_eq!(*seen[0].target, *b"/ws/oauth/token");
    assert_eq!(seen[3].body_bytes, 1 << 20);
    assert_eq!(*seen[3].body_sha256, *sha256);
    assert_eq!(world.ninja().token_calls(), 1, "one token, over TLS");
    assert_eq!(front.accepted(), 2, "one for the token, one for the rest");
    let arrivals = world.arrivals();
    world.end().await;
    arrivals
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_offered() {
    let arrivals = read_write_and_upload(HTTP2_OR_HTTP1).await;
    assert_eq!(arrivals.len(), 4);
    assert!(!arrivals.iter().any(is_http1));
}

#[tokio::test]
async fn http1_is_spoken_where_nothing_else_is_offered() {
    let arrivals = read_write_and_upload(HTTP1).await;
    assert_eq!(arrivals.len(), 4);
    assert!(arrivals.iter().all(is_http1));
}

#[tokio::test]
async fn http1_is_spoken_where_no_protocol_is_agreed() {
    let arrivals = read_write_and_upload(NO_ALPN).await;
    assert_eq!(arrivals.len(), 4);
    assert!(arrivals.iter().all(is_http1));
}

#[tokio::test]
async fn a_chunked_upload_arrives_whole_over_http2() {
    let (world, _front, _trusted) = world(HTTP2_OR_HTTP1).await;
    let key = world.key("operator").to_owned();
    let mut wire = world.wire().await;
    let chunk = vec![b'c'; 64 * 1024];
    wire.send(format!(
        "POST {UPLOAD} HTTP/1.1\r\nHost: {}\r\nX-Api-Key: {key}\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        world.callers,
    ))
    .await;
    for _ in 0..16 {
        wire.send("10000\r\n").await;
        wire.send(&chunk).await;
        wire.send("\r\n").await;
    }
    wire.send("0\r\n\r\n").await;

    assert!(wire.answer().await.unwrap().status < 300);

    let seen = world.ninja().requests();
    let upload = seen.last().unwrap();
    assert_eq!(upload.body_bytes, 1 << 20);
    assert_eq!(upload.header("transfer-encoding"), None);
    assert_eq!(upload.header("host"), None);
    world.end().await;
}

#[tokio::test]
async fn two_hundred_reads_at_once_share_one_http2_connection_a_worker() {
    let trusted = Authority::new();
    let tls = trusted.certify("localhost", HTTP2_OR_HTTP1);
    let (plan, front) = plan(tls, &trusted).await;
    let plan = plan.set("limits.upstream", "concurrency", "200");
    let world = plan.start().await;
    world.trouble(r#"{"slow_ms":300}"#);

    read_at_once(&world, 200).await;

    assert_eq!(world.saw().len(), 200);
    let for_reads = front.accepted() - world.ninja().token_calls();
    assert!(for_reads <= WORKERS, "{for_reads} connections");
    world.end().await;
}

async fn read_at_once(world: &World, count: usize) {
    let mut reads = JoinSet::new();
    for _ in 0..count {
        let client = world.client();
        reads.spawn(async move { client.get("reports", "/v2/users").await });
    }
    while let Some(answer) = reads.join_next().await {
        answer.unwrap().is(200);
    }
}

/// A certificate that must not be believed: neither the secret nor a request reaches who shows it.
async fn nothing_is_sent_to(tls: Arc<ServerConfig>, trusted: &Authority) {
    let (plan, front) = plan(tls, trusted).await;
    let world = plan.build();
    let mut told = serde_json::Value::Null;
    until("the reason", async || {
        let status = world.admin("/status").await.json();
        told = status["tenants"][0]["identities"][0]["last_error"].clone();
        told.is_string()
    })
    .await;

    let read = world.get("reports", "/v2/users").await;
    let write = world.post("operator", "/v2/organizations", "{}").await;

    read.refuses(503, "token-unavailable").retry_after();
    write.refuses(503, "token-unavailable").retry_after();
    assert!(told.as_str().unwrap().contains("certificate"), "{told}");
    assert!(front.accepted() > 0);
    assert_eq!(world.ninja().requests().len(), 0);
    world.end().await;
}

#[tokio::test]
async fn nothing_is_sent_to_who_shows_a_certificate_of_an_unknown_authority() {
    let tls = Authority::new().certify("localhost", HTTP2_OR_HTTP1);
    nothing_is_sent_to(tls, &Authority::new()).await;
}

#[tokio::test]
async fn nothing_is_sent_to_who_shows_a_certificate_of_another_host() {
    let trusted = Authority::new();
    let tls = trusted.certify("localhost.example", HTTP2_OR_HTTP1);
    nothing_is_sent_to(tls, &trusted).await;
}

#[tokio::test]
async fn nothing_is_sent_to_who_shows_an_expired_certificate() {
    let trusted = Authority::new();
    let tls = trusted.certify_until_2021("localhost", HTTP2_OR_HTTP1);
    nothing_is_sent_to(tls, &trusted).await;
}

#[tokio::test]
async fn a_token_does_not_go_to_who_takes_the_place_of_ninjaone() {
    let (world, front, trusted) = world(HTTP2_OR_HTTP1).await;
    world.get("reports", "/v2/users").await.is(200);
    let impostor = trusted.certify("localhost.example", HTTP2_OR_HTTP1);
    front.come_back_with(impostor).await;

    let read = world.get("reports", "/v2/users").await;
    let write = world.post("operator", "/v2/organizations", "{}").await;

    for answer in [read, write] {
        answer.refuses(502, "upstream-unreachable").retry_after();
        let why = answer.header("proxy-status").unwrap_or_default();
        assert!(why.contains("tls_certificate_error"), "{why}");
    }
    assert_eq!(world.saw(), ["GET /v2/users 200"]);
    world.end().await;
}

async fn the_next_read_succeeds_after_connections_are_gone(alpn: &[&str]) {
    let (world, front, _trusted) = world(alpn).await;
    for _ in 0..10 {
        read_at_once(&world, 8).await;
        front.hang_up().await;
    }
    world.get("reports", "/v2/users").await.is(200);
    assert_eq!(world.ninja().token_calls(), 1);
    world.end().await;
}

#[tokio::test]
async fn the_next_read_succeeds_after_http2_connections_are_gone() {
    the_next_read_succeeds_after_connections_are_gone(HTTP2_OR_HTTP1).await;
}

#[tokio::test]
async fn the_next_read_succeeds_after_http1_connections_are_gone() {
    the_next_read_succeeds_after_connections_are_gone(HTTP1).await;
}

#[tokio::test]
async fn a_ninjaone_that_comes_back_with_another_protocol_is_understood() {
    let (world, front, trusted) = world(HTTP2_OR_HTTP1).await;
    for alpn in [HTTP1, HTTP2_OR_HTTP1, NO_ALPN, HTTP2_OR_HTTP1] {
        front
            .come_back_with(trusted.certify("localhost", alpn))
            .await;

        read_at_once(&world, 10).await;

        let arrivals = world.arrivals();
        assert_eq!(is_http1(arrivals.last().unwrap()), alpn != HTTP2_OR_HTTP1);
    }
    world.end().await;
}

#[tokio::test]
async fn reads_that_a_lost_http2_connection_carried_are_answered_over_few_new_ones() {
    let (world, front, _trusted) = world(HTTP2_OR_HTTP1).await;
    // One connection carries them all: it has served, and nobody waits for its first answer.
    let mut wire = world.wire().await;
    let warm = world.ask("reports", "GET", "/v2/users");
    warm.send_on(&mut wire).await.unwrap().is(200);
    read_at_once(&world, 20).await;
    world.trouble(r#"{"slow_ms":400}"#);
    let before = (front.accepted(), world.ninja().requests().len() as u64);

    let reads = read_at_once(&world, 40);
    let breaking = async {
        world.ninja().wait_for_requests(before.1 + 40).await;
        front.hang_up().await;
    };
    tokio::join!(reads, breaking);

    let made = front.accepted() - before.0;
    assert!(made <= 2 * WORKERS, "{made} connections");
    world.end().await;
}

#[tokio::test]
async fn a_write_that_a_lost_http2_connection_carried_is_not_sent_again() {
    let (world, front, _trusted) = world(HTTP2_OR_HTTP1).await;
    read_at_once(&world, 10).await;
    world.trouble(r#"{"slow_ms":2000,"count":1}"#);
    let before = world.ninja().requests().len() as u64;

    let write = world.post("operator", "/v2/organizations", "{}");
    let breaking = async {
        world.ninja().wait_for_requests(before + 1).await;
        front.hang_up().await;
    };
    let (write, ()) = tokio::join!(write, breaking);

    write.refuses(502, "upstream-bad-answer");
    read_at_once(&world, 10).await;
    let writes = world
        .saw()
        .iter()
        .filter(|it| it.starts_with("POST"))
        .count();
    assert_eq!(writes, 1);
    world.end().await;
}

/// Handshake messages and tickets in many records, records in many packets: what is put by is taken up again.
#[tokio::test]
async fn a_server_may_speak_in_crumbs() {
    for alpn in [HTTP1, HTTP2_OR_HTTP1] {
        for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
            let trusted = Authority::new();
            let mut tls = trusted.certify_for("localhost", alpn, versions);
            Arc::get_mut(&mut tls).unwrap().max_fragment_size = Some(48);
            let (plan, _front) = plan(tls, &trusted).await;
            let world = plan.start().await;

            let mut asking = JoinSet::new();
            for number in 0..20 {
                let ask = match number % 4 {
                    0 => world.ask("operator", "PATCH", "/v2/device/101").body("{}"),
                    _ => world.ask("reports", "GET", "/v2/organizations"),
                };
                asking.spawn(async move { ask.send().await });
            }

            for answer in asking.join_all().await {
                assert!(matches!(answer.status, 200 | 204), "{}", answer.text());
                assert!(answer.whole);
            }
            world.end().await;
        }
    }
}

/// Whatever byte a server gets wrong, what it said is not believed, and who asked is told.
#[tokio::test]
async fn a_wrong_byte_anywhere_in_a_servers_tls_is_noticed() {
    let (world, front, _trusted) = world(HTTP1).await;
    let write = world.ask("operator", "PATCH", "/v2/device/101").body("{}");
    write.send().await.is(204);
    let mut noticed = 0;
    for wrong in (1..2000).step_by(37) {
        front.gets_wrong(wrong);
        front.hang_up().await;

        // A write is sent once: nothing hides what became of it.
        let answer = write.send().await;

        assert!(
            matches!(answer.status, 204 | 502),
            "byte {wrong}: {}",
            answer.text()
        );
        noticed += u32::from(answer.status == 502);
    }
    front.gets_wrong(0);
    front.hang_up().await;
    write.send().await.is(204);
    // A handshake and an answer are longer than that.
    assert!(noticed >= 20, "{noticed}");
    world.end().await;
}
