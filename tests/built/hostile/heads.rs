//! Heads that two parsers could frame differently: each makes at most one request, never a smuggled one.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::wire::{Wire, get};

use super::{
    head_cases::{May, cases, smuggled},
    stack::{Stack, key},
};

const HEADS_MIN: usize = 500;
const AT_ONCE: usize = 32;

/// Sends a case on a connection of its own; whether the other end closed by itself, and what it said.
async fn send(at: SocketAddr, bytes: &[u8], timeout: Duration) -> (String, bool) {
    let mut wire = Wire::to(at).await;
    // The other end may well have had enough before the end.
    wire.try_send(bytes).await;
    let (said, closed) = wire.drain(timeout).await;
    (String::from_utf8_lossy(&said).into_owned(), closed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "sends, then judges what came of all")]
async fn at_most_one_request_comes_of_a_head_and_never_a_smuggled_one() {
    /// Long enough for every answer to have come.
    const WAIT_MAX: Duration = Duration::from_millis(700);
    let stack = Stack::start();
    let all = Arc::new(cases());
    assert!(all.len() >= HEADS_MIN, "only {} heads", all.len());
    // The first request waits for a token.
    let _ = get(stack.proxy.callers, "/v2/devices?warm", &key("operator")).await;

    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut sending = JoinSet::new();
    for number in 0..all.len() {
        let (all, places, at) = (Arc::clone(&all), Arc::clone(&places), stack.proxy.callers);
        sending.spawn(async move {
            let _place = places.acquire().await.unwrap();
            (number, send(at, &all[number].bytes, WAIT_MAX).await)
        });
    }
    let said: HashMap<usize, (String, bool)> = sending.join_all().await.into_iter().collect();

    let mut arrived: HashMap<String, usize> = HashMap::new();
    let seen = stack.arrived();
    for it in &seen {
        let agent = it
            .header("user-agent")
            .map(|it| String::from_utf8_lossy(it).into_owned());
        *arrived.entry(agent.unwrap_or_default()).or_default() += 1;
        let names: Vec<&str> = it.headers().map(|(name, _)| name).collect();
        for name in &names {
            assert!(ALLOWED.contains(name), "{name} arrived");
        }
        for once in ["host", "authorization", "via"] {
            assert_eq!(
                names.iter().filter(|it| **it == once).count(),
                1,
                "{names:?}"
            );
        }
        assert_eq!(
            it.header("host").unwrap(),
            stack.ninja.address().to_string().as_bytes()
        );
    }
    let mut wrong = Vec::new();
    for (number, case) in all.iter().enumerate() {
        let came = arrived
            .get(&number.to_string())
            .copied()
            .unwrap_or_default();
        let (said, closed) = &said[&number];
        let smuggled = arrived.contains_key(&format!("smuggled {number}"));
        let fits = match case.may {
            May::Nothing => came == 0 && !said.starts_with("HTTP/1.1 2"),
            May::OneAndClose => came <= 1 && *closed,
            May::One => came == 1,
            May::AtMostOne => came <= 1,
        };
        if !fits || smuggled {
            let first: String = said.chars().take(60).collect();
            wrong.push(format!(
                "{}: {:?}, {came} came, smuggled {smuggled}, closed {closed}: {first:?}",
                case.name, case.may
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let outcomes = stack.proxy.outcomes(seen.len()).await;
    assert!(
        outcomes.len() >= seen.len(),
        "{} lines for {} requests",
        outcomes.len(),
        seen.len()
    );
    stack.proxy.stop().await;
}

const ALLOWED: [&str; 18] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "content-type",
    "content-length",
    "transfer-encoding",
    "user-agent",
    "if-none-match",
    "if-modified-since",
    "if-match",
    "if-unmodified-since",
    "content-language",
    "range",
    "if-range",
    "authorization",
    "host",
    "via",
    "connection",
];

/// An encoding that is not `chunked` alone is one that the next reader could frame differently.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_with_doubtful_framing_is_closed() {
    let stack = Stack::start();
    let key = key("operator");
    for lines in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    ] {
        let bytes = format!(
            "POST /v2/organizations HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nContent-Type: application/json\r\n{lines}\r\n0\r\n\r\n{}",
            smuggled(&key)
        );
        let (said, closed) = send(
            stack.proxy.callers,
            bytes.as_bytes(),
            Duration::from_secs(5),
        )
        .await;
        assert!(closed, "{lines:?} is kept open after {said:?}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{lines:?}: {said}");
    }
    assert!(
        stack
            .arrived()
            .iter()
            .all(|it| it.header("user-agent") != Some(b"smuggled".as_slice()))
    );
    stack.proxy.stop().await;
}

/// What follows a request on its connection is a request of its own, with a line of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fragment_is_refused_wherever_its_request_stands_on_the_connection() {
    let stack = Stack::start();
    let key = key("operator");
    let one = format!("GET /v2/devices HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\r\n");
    let cut =
        format!("GET /v2/organizations#x HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\r\n");
    let (said, _) = send(
        stack.proxy.callers,
        format!("{one}{cut}").as_bytes(),
        Duration::from_secs(1),
    )
    .await;
    assert!(said.starts_with("HTTP/1.1 200"));
    // The parser cuts it off: then what was matched is what was sent.
    for seen in stack.arrived() {
        assert!(matches!(
            &*seen.target,
            b"/v2/devices" | b"/v2/organizations"
        ));
    }
    stack.proxy.stop().await;
}
