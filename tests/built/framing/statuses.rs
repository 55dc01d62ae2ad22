//! Status codes that HTTP does not define.

use rustls::version::TLS13;

use crate::frames;

use super::{
    front::Front,
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
    let record = peer.record(&frames::request(peer.stream, &block));
    peer.send(&record);
}

#[tokio::test]
async fn a_status_that_http_does_not_have_is_a_bad_answer() {
    for (alpn, say) in [
        ("http/1.1", say_over_http1 as fn(&mut Peer, &str)),
        ("h2", say_over_http2),
    ] {
        for status in STATUSES {
            let upstream = Upstream::start(Some(&TLS13), &[alpn, "http/1.1"], move |peer, _| {
                say(peer, status);
            });
            let proxy = Front::start(&upstream.tenant(), &[("listen", "workers", "1")]);
            let answer = proxy.get_once_ready("/v2/users").await;
            assert_eq!(answer.status, 502, "{alpn} {status}: {}", answer.head);
            assert_eq!(
                answer.json()["code"],
                "upstream-bad-answer",
                "{alpn} {status}"
            );
        }
    }
}
