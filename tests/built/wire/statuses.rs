//! Statuses that HTTP does not have.

use rustls::version::TLS13;

use super::{
    frames::{END_HEADERS, END_STREAM, HEADERS, frame},
    proxy::Proxy,
    upstream::{Peer, Upstream},
};

const STATUSES: [&str; 4] = ["000", "099", "600", "999"];

fn say_over_http1(peer: &mut Peer, status: &str) {
    peer.say(&format!(
        "HTTP/1.1 {status} Odd\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    ));
}

fn say_over_http2(peer: &mut Peer, status: &str) {
    // RFC 7541 section 6.2.2: a literal whose name is the eighth of the static table.
    let block = [&[0x08, 0x03], status.as_bytes()].concat();
    let frame = frame(HEADERS, END_HEADERS | END_STREAM, peer.stream, &block);
    let record = peer.record(&frame);
    peer.send(&record);
}

#[test]
fn a_status_that_http_does_not_have_is_a_bad_answer() {
    for (alpn, say) in [
        ("http/1.1", say_over_http1 as fn(&mut Peer, &str)),
        ("h2", say_over_http2),
    ] {
        for status in STATUSES {
            let upstream = Upstream::start(Some(&TLS13), &[alpn, "http/1.1"], move |peer, _| {
                say(peer, status);
            });
            let proxy = Proxy::start(&upstream.tenant(), "workers = 1");
            let answer = proxy.get_once_ready("/v2/users");
            assert_eq!(answer.status, 502, "{alpn} {status}: {}", answer.text);
            assert_eq!(answer.code(), "upstream-bad-answer", "{alpn} {status}");
        }
    }
}
