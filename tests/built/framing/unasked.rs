//! What nobody asked for, from callers and from NinjaOne, over HTTP/2, which the library may have something to say about:
//! whatever the log level, the program goes on.

use rustls::version::TLS13;

use crate::{
    frames::{
        self, ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame,
    },
    settings::Setting,
};

use super::{
    front::Front,
    upstream::{Upstream, ok},
};

const LEVELS: [&str; 4] = ["\"error\"", "\"warn\"", "\"info\"", "\"debug\""];
const ONE_WORKER: Setting = ("listen", "workers", "1");

/// At a log level.
fn start(upstream: &Upstream, level: &str) -> Front {
    let level = ("telemetry.log", "level", level);
    Front::start(&upstream.tenant(), &[ONE_WORKER, level])
}

/// Frames and why they are odd.
fn odd_frames() -> Vec<(&'static str, Vec<u8>)> {
    let some = block(&[(":status", "200")]);
    vec![
        ("an answer to no PING", frame(PING, ACK, 0, &[7; 8])),
        ("many PINGs", frame(PING, 0, 0, &[7; 8]).repeat(500)),
        ("a SETTINGS ACK", frame(SETTINGS, ACK, 0, &[])),
        ("many SETTINGS", frame(SETTINGS, 0, 0, &[]).repeat(500)),
        ("SETTINGS of a stream", frame(SETTINGS, 0, 1, &[])),
        ("SETTINGS that are cut", frame(SETTINGS, 0, 0, &[0; 5])),
        ("a window of 0", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        (
            "a window beyond 2 GiB",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]).repeat(2),
        ),
        ("the end of no stream", frame(RST_STREAM, 0, 99, &[0; 4])),
        ("data of no stream", frame(DATA, 0, 99, b"stray")),
        (
            "the headers of no stream",
            frame(HEADERS, END_HEADERS, 99, &some),
        ),
        (
            "a promise",
            frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]),
        ),
        (
            "a stream before itself",
            frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]),
        ),
        ("a kind that nobody knows", frame(99, 255, 7, b"?")),
        ("a GOAWAY", frame(GOAWAY, 0, 0, &[0; 8])),
    ]
}

fn upstream() -> Upstream {
    Upstream::start(None, &[], |peer, _| peer.say(&ok("[]")))
}

#[tokio::test]
async fn whatever_a_caller_sends_unasked_others_are_served() {
    let upstream = upstream();
    for level in LEVELS {
        let proxy = start(&upstream, level);
        assert_eq!(proxy.get_once_ready("/v2/users").await.status, 200);
        let request = block(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/v2/users"),
        ]);
        let mut all = odd_frames();
        let resets = (0..50_u32).flat_map(|it| {
            let stream = 2 * it + 1;
            let begun = frames::request(stream, &request);
            [begun, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        });
        all.push(("requests taken back at once", resets.collect()));
        let mut open = Vec::new();
        for (why, bytes) in all {
            let mut connection = proxy.http2().await;
            connection.send(&bytes).await;
            open.push(connection);
            assert!(proxy.is_alive().await, "{level}: after {why}");
        }
    }
}

#[tokio::test]
async fn whatever_ninjaone_sends_unasked_callers_are_answered() {
    for level in LEVELS {
        for (why, bytes) in odd_frames() {
            let upstream = Upstream::start(Some(&TLS13), &["h2", "http/1.1"], move |peer, n| {
                // RFC 7541 appendix A: 8 is the status 200.
                let answer = frame(HEADERS, END_HEADERS, peer.stream, &[0x88]);
                let body = frame(DATA, END_STREAM, peer.stream, b"[]");
                let mut all = if n == 1 { bytes.clone() } else { Vec::new() };
                all.extend_from_slice(&answer);
                all.extend_from_slice(&body);
                let record = peer.record(&all);
                peer.send(&record);
            });
            let proxy = start(&upstream, level);
            let first = proxy.get_once_ready("/v2/users").await;
            let (status, text) = (first.status, first.text());
            assert!(matches!(status, 200 | 502), "{level}: {why}: {text}");
            assert!(proxy.is_alive().await, "{level}: after {why}");
        }
    }
}
