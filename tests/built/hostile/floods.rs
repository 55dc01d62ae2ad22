//! Callers that are slow, silent or too many are shed, and the others are served.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    frames::{
        self, CONTINUATION, Connection, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM,
        SETTINGS, frame,
    },
    wait::eventually,
    wire::{Client, Wire, get, request},
};

use super::stack::{Stack, key};

/// Connections from one address.
const PER_PEER_MAX: usize = 256;
const GOOD: usize = 100;
/// For the whole of the good traffic.
const GOOD_PATIENCE: Duration = Duration::from_secs(10);

/// Good traffic goes on.
async fn good(at: SocketAddr) {
    let served = async {
        let mut client = Client::new(at);
        for _ in 0..GOOD {
            let reply = client
                .ask(&request("GET", "/v2/organizations", &key("reporting"), ""))
                .await;
            assert_eq!(reply.map(|it| it.status), Some(200));
        }
    };
    timeout(GOOD_PATIENCE, served)
        .await
        .expect("good traffic in time");
}

async fn is_closed(socket: &mut TcpStream, longest: Duration) -> bool {
    let mut buffer = [0; 1024];
    let read = async { while socket.read(&mut buffer).await.is_ok_and(|it| it > 0) {} };
    timeout(longest, read).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_256_connections_and_no_more() {
    let stack = Stack::start();
    let mut open = Vec::new();
    for _ in 0..300 {
        open.push(TcpStream::connect(stack.proxy.callers).await.unwrap());
    }
    // The oldest make room: none of them has proved anything.
    let mut evicted = 0;
    for socket in open.iter_mut().take(300 - PER_PEER_MAX) {
        evicted += usize::from(is_closed(socket, Duration::from_secs(2)).await);
    }
    assert_eq!(evicted, 300 - PER_PEER_MAX);
    assert_eq!(stack.proxy.connections().await, PER_PEER_MAX as u64);
    drop(open);
    let none = async || stack.proxy.connections().await == 0;
    assert!(eventually(Duration::from_secs(5), none).await);
    good(stack.proxy.callers).await;
    stack.proxy.stop().await;
}

/// Heads that come byte by byte, silent connections, half a preface: all are closed when their time is up, and good
/// traffic is served meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_and_silent_connections_are_closed_in_time() {
    const HEAD_PATIENCE: Duration = Duration::from_secs(10);
    let stack = Stack::start();
    let mut slow = JoinSet::new();
    for number in 0..120 {
        let at = stack.proxy.callers;
        slow.spawn(async move {
            let mut wire = Wire::to(at).await;
            let began = Instant::now();
            let chunks: &[&[u8]] = match number % 4 {
                0 => &[
                    b"GET /v2/devices HTTP/1.1\r\nHost: localhost\r\n",
                    b"X-A: b\r\n",
                ],
                1 => &[b"G", b"E"],
                2 => &[b"PR", b"I"],
                _ => &[b"", b""],
            };
            wire.try_send(chunks[0]).await;
            loop {
                let (_, closed) = wire.drain(Duration::from_secs(1)).await;
                if closed || began.elapsed() > HEAD_PATIENCE * 3 {
                    return began.elapsed();
                }
                if number % 4 == 0 {
                    wire.try_send(chunks[1]).await;
                }
            }
        });
    }
    good(stack.proxy.callers).await;
    // Sniffing the protocol and reading the head have a time-out each.
    for took in slow.join_all().await {
        assert!(
            took < HEAD_PATIENCE * 2 + Duration::from_secs(2),
            "{took:?}"
        );
    }
    stack.proxy.stop().await;
}

/// The one body that is read before anybody has proved anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_keep_the_token_endpoint_reading() {
    let stack = Stack::with(&[("timeouts", "idle", "\"3s\"")]);
    let mut wire = Wire::to(stack.proxy.callers).await;
    let head =
        "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000\r\n\r\ngrant_type=";
    wire.send(&head).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let (said, closed) = wire.drain(Duration::from_secs(1)).await;
        if closed || !said.is_empty() {
            break;
        }
        wire.try_send(b"a").await;
    }
    assert!(began.elapsed() < Duration::from_secs(15), "still read");
    stack.proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_and_readers_do_not_stop_the_others() {
    let stack = Stack::with(&[("timeouts", "idle", "\"1s\"")]);
    let key = key("operator");
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut wire = Wire::to(stack.proxy.callers).await;
        let head = format!(
            "POST /v2/organizations HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
        );
        wire.send(&head).await;
        slow.push(wire);
    }
    for _ in 0..40 {
        // Many answers asked for, none read.
        let mut wire = Wire::to(stack.proxy.callers).await;
        let many = request("GET", "/v2/devices-detailed", &key, "").repeat(50);
        wire.send(&many).await;
        slow.push(wire);
    }
    good(stack.proxy.callers).await;
    for wire in slow.iter_mut().take(40) {
        let (said, closed) = wire.drain(Duration::from_secs(10)).await;
        assert!(
            closed || said.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
    stack.proxy.stop().await;
}

/// Stream 35 has a '#' in its number, length 35 one in its frame: they say nothing about a target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_http2_request_of_a_connection_is_answered_whatever_its_bytes_are() {
    let stack = Stack::start();
    let mut connection = Connection::open(stack.proxy.callers).await;
    let mut refused = Vec::new();
    for number in 0..100_u32 {
        let stream = number * 2 + 1;
        let head = frames::get(&format!("/v2/devices?n={number}"), &key("reporting"));
        connection.send(&frames::request(stream, &head)).await;
        let status = connection.status(stream).await;
        if status != Some(200) {
            refused.push((stream, status));
        }
    }
    assert!(refused.is_empty(), "{refused:?}");
    stack.proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "mostly a table")]
async fn crooked_http2_requests_do_not_arrive() {
    let stack = Stack::start();
    let key = key("operator");
    let plain = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/v2/devices"),
        ("x-api-key", key.as_str()),
    ];
    let changed = |at: usize, field: (&'static str, &'static str)| {
        let mut fields = plain.to_vec();
        fields[at] = field;
        fields
    };
    let added = |field: (&'static str, &'static str)| {
        let mut fields = plain.to_vec();
        fields.push(field);
        fields
    };
    let mut all = vec![
        changed(0, (":method", "get")),
        changed(0, (":method", "CONNECT")),
        changed(0, (":method", "TRACE")),
        changed(2, (":authority", "evil.example")),
        changed(2, (":authority", "user@localhost")),
        changed(2, (":authority", "")),
        changed(3, (":path", "/v2/d\u{e9}vices")),
        changed(3, (":path", "/v2/../v2/devices")),
        changed(3, (":path", "//v2/devices")),
        changed(3, (":path", "/v2%2fdevices")),
        changed(3, (":path", "*")),
        changed(3, (":path", "v2/devices")),
        changed(3, (":path", "")),
        changed(3, (":path", "/v2/devices HTTP/1.1\r\nX: y")),
        changed(3, (":path", "http://evil/v2/devices")),
        added(("host", "evil.example")),
        added(("transfer-encoding", "chunked")),
        added(("connection", "close")),
        added(("te", "gzip")),
        added(("upgrade", "h2c")),
        added(("Accept", "x")),
        added(("content-length", "5")),
        added(("accept", "a\r\nx-b: c")),
        added(("accept", "a\0")),
        added((":path", "/v2/organizations")),
        added(("origin", "https://evil.example")),
        added(("x-http-method-override", "DELETE")),
        added(("keep-alive", "x")),
        added(("proxy-connection", "x")),
        added(("accept", "\u{e9}")),
    ];
    all.push(
        plain
            .iter()
            .copied()
            .filter(|(name, _)| *name != ":authority")
            .collect(),
    );
    for fields in &all {
        let mut connection = Connection::open(stack.proxy.callers).await;
        connection
            .send(&frames::request(1, &frames::block(fields)))
            .await;
        let status = connection.status(1).await;
        assert!(
            !matches!(status, Some(200..=399)),
            "{status:?} for {fields:?}"
        );
    }
    assert_eq!(stack.arrived().len(), 0);
    let mut connection = Connection::open(stack.proxy.callers).await;
    connection
        .send(&frames::request(1, &frames::block(&plain)))
        .await;
    assert_eq!(connection.status(1).await, Some(200));
    stack.proxy.stop().await;
}

/// Whether the other end ends the connection while it is flooded with `frames`.
async fn is_ended_by(at: SocketAddr, mut frames: impl FnMut(u32) -> Vec<u8>) -> bool {
    const FRAMES_MAX: u32 = 20_000;
    let mut connection = Connection::open(at).await;
    for number in 0..FRAMES_MAX {
        if !connection.send(&frames(number)).await {
            return true;
        }
    }
    loop {
        match timeout(Duration::from_secs(2), connection.next()).await {
            Ok(None) => return true,
            Ok(Some(it)) if it.kind == GOAWAY => return true,
            Ok(Some(_)) => {}
            Err(_) => return false,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_floods_end_their_connection_or_do_no_harm() {
    let stack = Stack::start();
    let at = stack.proxy.callers;
    let head = frames::get("/v2/devices", &key("reporting"));
    let reset = |number: u32| {
        let stream = number * 2 + 1;
        let mut bytes = frames::request(stream, &head);
        bytes.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
        bytes
    };
    let continued = |number: u32| match number {
        0 => frame(HEADERS, END_STREAM, 1, &head),
        _ => frame(CONTINUATION, 0, 1, &[]),
    };
    let (by_reset, by_continuation, by_streams, (), ()) = tokio::join!(
        is_ended_by(at, reset),
        is_ended_by(at, continued),
        is_ended_by(at, |number| frame(
            HEADERS,
            END_HEADERS,
            number * 2 + 1,
            &frames::get("/v2/nothing", "none")
        )),
        async {
            // Pings and settings are answered as long as somebody reads; nobody does.
            for kind in [PING, SETTINGS] {
                let payload: &[u8] = if kind == PING { &[0; 8] } else { &[] };
                let mut connection = Connection::open(at).await;
                for _ in 0..20_000 {
                    let bytes = frame(kind, 0, 0, payload);
                    let Ok(true) = timeout(Duration::from_secs(1), connection.send(&bytes)).await
                    else {
                        break;
                    };
                }
            }
        },
        good(at),
    );
    assert!(by_reset, "rapid reset");
    assert!(by_continuation, "CONTINUATION");
    let _ = by_streams;
    good(at).await;
    stack.proxy.stop().await;
}

/// 1,000 streams at once: no more than 100 are served together, and none is lost in silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_on_one_connection_do_not_reach_ninjaone_at_once() {
    let stack = Stack::start();
    let mut connection = Connection::open(stack.proxy.callers).await;
    // Small answers: those that nobody reads hold a place at NinjaOne until they are cut off.
    let head = frames::get("/v2/organizations", &key("reporting"));
    for number in 0..1_000_u32 {
        let bytes = frames::request(number * 2 + 1, &head);
        if !connection.send(&bytes).await {
            break;
        }
    }
    good(stack.proxy.callers).await;
    assert_eq!(
        get(stack.proxy.callers, "/v2/devices", &key("reporting"))
            .await
            .status,
        200
    );
    stack.proxy.stop().await;
}

/// One caller that asks for tokens without end is limited; it takes nothing from the others, nor from its own tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_cannot_use_up_the_tokens_of_all() {
    const MORE_THAN_ITS_BURST: usize = 1_000;
    let stack = Stack::start();
    let form = |name: &str| {
        let body = format!(
            "grant_type=client_credentials&client_id={name}&client_secret={}",
            key(name)
        );
        format!(
            "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let (at, greedy) = (stack.proxy.callers, form("reporting"));
        clients.spawn(async move {
            let mut client = Client::new(at);
            let mut refused = 0;
            for _ in 0..MORE_THAN_ITS_BURST / 4 {
                let reply = client.ask(greedy.as_bytes()).await;
                refused += usize::from(reply.map(|it| it.status) == Some(429));
            }
            refused
        });
    }
    let refused: usize = clients.join_all().await.into_iter().sum();
    assert!(refused > 0);
    let reply = Client::new(stack.proxy.callers)
        .ask(form("operator").as_bytes())
        .await;
    assert_eq!(reply.map(|it| it.status), Some(200));
    stack.proxy.stop().await;
}
