//! Bytes after a response, in whichever layer, never reach the next caller.

use std::sync::{Mutex, mpsc};

use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};

use crate::settings::Setting;

use super::{
    front::Front,
    upstream::{Peer, Upstream, ok},
};

const ONE_WORKER: Setting = ("listen", "workers", "1");

/// What the server says beside its first answer, and how much of it at once; the rest comes once a request has.
type Stray = fn(&mut Peer) -> (Vec<u8>, usize);

fn half_an_answer(peer: &mut Peer) -> (Vec<u8>, usize) {
    let record = peer.record(ok("\"stray\"").as_bytes());
    let half = record.len() / 2;
    (record, half)
}

fn a_byte_of_an_answer(peer: &mut Peer) -> (Vec<u8>, usize) {
    (peer.record(ok("\"stray\"").as_bytes()), 1)
}

fn an_answer(peer: &mut Peer) -> (Vec<u8>, usize) {
    let record = peer.record(ok("\"stray\"").as_bytes());
    let all = record.len();
    (record, all)
}

fn new_keys(peer: &mut Peer) -> (Vec<u8>, usize) {
    let record = peer.key_update();
    let all = record.len();
    (record, all)
}

fn half_of_new_keys(peer: &mut Peer) -> (Vec<u8>, usize) {
    let record = peer.key_update();
    let half = record.len() / 2;
    (record, half)
}

fn half_of_an_end(peer: &mut Peer) -> (Vec<u8>, usize) {
    let record = peer.close_notify();
    let half = record.len() / 2;
    (record, half)
}

/// When the server says what nobody asked for.
#[derive(Debug, Clone, Copy)]
enum When {
    WithItsAnswer,
    /// When the answer has arrived, and before another request is sent.
    Later,
}

/// Two requests; what the second one got, and how many connections there were.
async fn second_answer(
    tls: Option<&'static SupportedProtocolVersion>,
    stray: Stray,
    when: When,
) -> (String, usize) {
    let (arrived, has_arrived) = mpsc::sync_channel(1);
    let (said, was_said) = mpsc::sync_channel(1);
    let has_arrived = Mutex::new(has_arrived);
    let upstream = Upstream::start(tls, &["http/1.1"], move |peer, number| {
        if number > 1 {
            let rest = std::mem::take(&mut peer.rest);
            peer.send(&rest);
            peer.say(&ok("\"own\""));
            return;
        }
        let answer = peer.record(ok("\"first\"").as_bytes());
        let (stray, at_once) = stray(peer);
        let (begin, rest) = stray.split_at(at_once);
        peer.rest = rest.to_vec();
        match when {
            When::WithItsAnswer => peer.send(&[&answer, begin].concat()),
            When::Later => {
                peer.send(&answer);
                has_arrived.lock().unwrap().recv().unwrap();
                peer.send(begin);
            }
        }
        said.send(()).unwrap();
    });
    let proxy = Front::start(&upstream.tenant(), &[ONE_WORKER]);

    let first = proxy.get_once_ready("/v2/users").await;
    assert_eq!(first.text(), "\"first\"", "{}", first.head);
    arrived.send(()).unwrap();
    was_said.recv().unwrap();

    let second = proxy.get("/v2/users").await;
    (second.text(), upstream.connections())
}

#[tokio::test]
async fn a_connection_on_which_anything_is_left_serves_nobody_else() {
    let both = [&TLS12, &TLS13].map(Some);
    for tls in both.into_iter().chain([None]) {
        for stray in [half_an_answer as Stray, a_byte_of_an_answer, an_answer] {
            for when in [When::WithItsAnswer, When::Later] {
                let (second, connections) = second_answer(tls, stray, when).await;
                assert_eq!(second, "\"own\"", "{tls:?}, {when:?}");
                assert_eq!(connections, 2, "{tls:?}, {when:?}");
            }
        }
    }
}

#[tokio::test]
async fn half_of_what_tls_says_for_itself_ends_a_connection_and_all_of_it_does_not() {
    for when in [When::WithItsAnswer, When::Later] {
        for stray in [half_of_new_keys as Stray, half_of_an_end] {
            let (second, connections) = second_answer(Some(&TLS13), stray, when).await;
            assert_eq!((&*second, connections), ("\"own\"", 2), "{when:?}");
        }
        let (second, connections) = second_answer(Some(&TLS12), half_of_an_end, when).await;
        assert_eq!((&*second, connections), ("\"own\"", 2), "{when:?}");
        let (second, connections) = second_answer(Some(&TLS13), new_keys, when).await;
        assert_eq!((&*second, connections), ("\"own\"", 1), "{when:?}");
    }
}
