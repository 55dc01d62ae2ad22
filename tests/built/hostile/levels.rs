//! A stranger's bytes, or an upstream's, that make a library log: at every log level each worker goes on, and a stop ends
//! the program.

use std::{net::SocketAddr, time::Duration};

use ninjaone_proxy::sandbox::{Sandbox, SandboxOptions};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::{
    authority::Authority,
    frames::{self, ACK, Connection, PING, PREFACE, RST_STREAM, SETTINGS, frame},
    settings::Setting,
    wire::{Wire, request},
};

use super::{
    http2_server::Http2Server,
    stack::{Proxied, Stack, key},
};

const LEVELS: [&str; 4] = ["\"error\"", "\"warn\"", "\"info\"", "\"debug\""];
const WORKERS: Setting = ("listen", "workers", "2");
/// Open at once, so that each worker has some of them.
const CONNECTIONS: usize = 8;
const WAIT_MAX: Duration = Duration::from_secs(10);

/// An acknowledgement of a PING that was never sent (RFC 9113 section 6.7).
fn unasked_ping_ack() -> Vec<u8> {
    frame(PING, ACK, 0, b"unasked!")
}

/// Every worker answers reads.
async fn all_workers_answer(callers: SocketAddr, level: &str) {
    let mut wires = Vec::new();
    for _ in 0..CONNECTIONS {
        wires.push(Wire::to(callers).await);
    }
    for round in 0..3 {
        for wire in &mut wires {
            let read = request("GET", "/v2/organizations", &key("reporting"), "");
            wire.send(&read).await;
            let reply = timeout(WAIT_MAX, wire.answer()).await;
            let status = reply.unwrap_or(None).map(|it| it.status);
            assert_eq!(status, Some(200), "round {round} at {level}");
        }
    }
}

/// Sends this to each worker, on connections that stay open, and looks whether the others are served.
async fn is_survived(bytes: &[u8]) {
    for level in LEVELS {
        let stack = Stack::with(&[WORKERS, ("telemetry.log", "level", level)]);
        let mut strangers = Vec::new();
        for _ in 0..4 {
            let mut stranger = TcpStream::connect(stack.proxy.callers).await.unwrap();
            stranger.write_all(bytes).await.unwrap();
            strangers.push(stranger);
        }
        all_workers_answer(stack.proxy.callers, level).await;
        drop(strangers);
        all_workers_answer(stack.proxy.callers, level).await;
        stack.proxy.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_bytes_of_a_stranger_stop_no_worker_at_any_level() {
    let settings = frame(SETTINGS, 0, 0, &[]);
    let bytes = [PREFACE, &settings, &unasked_ping_ack()].concat();
    assert!(bytes.len() <= 50, "{}", bytes.len());
    is_survived(&bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_reset_at_once_stop_no_worker_at_any_level() {
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let head = frames::get("/v2/devices", "nobody");
    for number in 0..22 {
        let stream = number * 2 + 1;
        bytes.extend(frames::request(stream, &head));
        bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    is_survived(&bytes).await;
}

const HTTP2_OR_HTTP1: &[&str] = &["h2", "http/1.1"];

/// The URL of a server on this port that shows a certificate for `localhost`.
fn over_tls(port: u16) -> String {
    format!("\"https://localhost:{port}\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_acknowledges_what_nobody_sent_stops_no_worker_at_any_level() {
    let authority = Authority::new();
    let tls = authority.certify("localhost", HTTP2_OR_HTTP1);
    let server = Http2Server::start(tls, unasked_ping_ack()).await;
    let (url, ca) = (over_tls(server.address.port()), authority.file());
    for level in LEVELS {
        let proxy = Proxied::start(
            server.address,
            &[
                WORKERS,
                ("telemetry.log", "level", level),
                ("tenant.acme", "url", &url),
                ("tenant.acme", "ca", &ca),
            ],
        );
        proxy.has_token().await;
        all_workers_answer(proxy.callers, level).await;
        all_workers_answer(proxy.callers, level).await;
        proxy.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_on_both_sides_is_served_at_every_level() {
    let authority = Authority::new();
    let tls = authority.certify("localhost", HTTP2_OR_HTTP1);
    let ninja = Sandbox::start(SandboxOptions {
        tls: Some(tls),
        ..SandboxOptions::default()
    })
    .unwrap();
    let (url, ca) = (over_tls(ninja.address().port()), authority.file());
    for level in LEVELS {
        let proxy = Proxied::start(
            ninja.address(),
            &[
                WORKERS,
                ("telemetry.log", "level", level),
                ("tenant.acme", "url", &url),
                ("tenant.acme", "ca", &ca),
            ],
        );
        proxy.has_token().await;
        let mut connection = Connection::open(proxy.callers).await;
        for number in 0..50 {
            let stream = number * 2 + 1;
            let head = frames::get("/v2/devices", &key("reporting"));
            connection.send(&frames::request(stream, &head)).await;
            assert_eq!(connection.status(stream).await, Some(200), "{level}");
        }
        all_workers_answer(proxy.callers, level).await;
        proxy.stop().await;
    }
}
