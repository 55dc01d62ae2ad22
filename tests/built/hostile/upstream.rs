//! A hostile NinjaOne: no stray byte reaches another caller, no dirty connection is reused, nothing is leaked.

use std::time::Duration;

use tokio::{net::TcpListener, time::timeout};

use crate::{
    answer::Answer,
    settings::Setting,
    wire::{Client, Wire, get, request},
};

use super::{
    answers::{
        Expect::{Cut, Status},
        vectors,
    },
    evil::{Asked, Evil, Step, ok},
    stack::{Proxied, key},
};

/// Requests over connections that hostile answers came on.
const NONCES: usize = 2_000;

/// Answers a vector by its number, and anything else with its nonce.
fn script(asked: &Asked) -> Vec<Step> {
    if let Some(number) = asked.parameter("v").and_then(|it| it.parse::<usize>().ok()) {
        return vectors()
            .into_iter()
            .nth(number)
            .map_or_else(Vec::new, |it| it.answer);
    }
    vec![Step::ReadBody, Step::Send(nonce_answer(asked))]
}

fn nonce_answer(asked: &Asked) -> Vec<u8> {
    ok(
        "application/json",
        asked.parameter("nonce").unwrap_or("none"),
    )
}

const ONE_ATTEMPT: Setting = ("retry", "attempts", "1");

fn nonce_of(reply: Option<&Answer>) -> Option<String> {
    reply.filter(|it| it.status == 200).map(Answer::text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_answers_end_with_their_request_and_never_reach_another_caller() {
    let evil = Evil::start(script).await;
    let proxy = Proxied::start(evil.address, &[ONE_ATTEMPT]);
    for (number, vector) in vectors().iter().enumerate() {
        let mut wire = Wire::to(proxy.callers).await;
        let target = format!("/v2/devices?v={number}");
        let asked = request(vector.method, &target, &key("reporting"), "");
        wire.send(&asked).await;
        let reply = wire.answer_to(vector.method).await.filter(|it| it.whole);
        let status = reply.as_ref().map(|it| it.status);
        match vector.expect {
            Status(wanted) => {
                let fits = status.is_some_and(|it| wanted.contains(&it));
                assert!(fits, "{}: {reply:?}", vector.name);
            }
            // An answer that breaks off is never taken for a whole one.
            Cut => assert!(
                matches!(status, None | Some(502)),
                "{}: {reply:?}",
                vector.name
            ),
        }
        if let Some(reply) = &reply {
            assert!(!reply.head.contains("CANARY"), "{}", vector.name);
            assert!(!reply.text().contains("STRAY"), "{}", vector.name);
        }
        if vector.name == "stray-later" {
            // It is there before the next request goes out, and must end the connection.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for turn in 0..2 {
            let nonce = format!("{}-{turn}", vector.name);
            let reply = get(
                proxy.callers,
                &format!("/v2/devices?nonce={nonce}"),
                &key("operator"),
            )
            .await;
            assert_eq!(
                (reply.status, reply.text()),
                (200, nonce),
                "after {}",
                vector.name
            );
        }
    }
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_callers_on_the_same_connections_only_get_their_own_answers() {
    // Bytes that come after the next request has gone out are its answer: nobody can tell (RFC 9112 section 9.3).
    let quick: Vec<usize> = vectors()
        .iter()
        .enumerate()
        .filter(|(_, it)| !matches!(it.name, "head-without-end" | "header-10-mb" | "stray-later"))
        .map(|(number, _)| number)
        .collect();
    let evil = Evil::start(script).await;
    let proxy = Proxied::start(evil.address, &[ONE_ATTEMPT]);
    let mut callers = ["reporting", "operator"].map(|name| (Client::new(proxy.callers), key(name)));
    let mut answered = 0;
    for number in 0..NONCES {
        let (client, key) = &mut callers[number % 2];
        if number % 5 == 0 {
            let hostile = quick[number / 5 % quick.len()];
            let vector = request("GET", &format!("/v2/devices?v={hostile}"), key, "");
            let _ = client.ask(&vector).await;
        }
        let nonce = format!("n{number}");
        let asked = request("GET", &format!("/v2/devices?nonce={nonce}"), key, "");
        let got = nonce_of(client.ask(&asked).await.as_ref());
        assert!(
            got.is_none() || got.as_deref() == Some(&nonce),
            "{got:?} for {nonce}"
        );
        answered += usize::from(got.is_some());
    }
    assert!(answered > NONCES * 95 / 100, "only {answered} answered");
    let connections = evil.asked().iter().map(|it| it.connection).max().unwrap();
    assert!(connections < NONCES / 2, "connections are not kept");
    proxy.stop().await;
}

/// An answer that comes before the caller's body has gone out leaves a connection that others must not wait for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_answer_does_not_make_others_wait_for_the_rest_of_an_upload() {
    let evil = Evil::start(|asked| match asked.parameter("nonce") {
        Some(_) => vec![Step::Send(nonce_answer(asked))],
        None => vec![
            Step::Send(ok("application/json", "early")),
            Step::Wait(Duration::from_secs(8)),
        ],
    })
    .await;
    let proxy = Proxied::start(evil.address, &[ONE_ATTEMPT]);
    // Longer than what is waited for before anything is sent.
    let mut slow = Wire::to(proxy.callers).await;
    let key_of = key("operator");
    let head = format!(
        "POST /v2/organizations HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key_of}\r\n\
         Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{"
    );
    slow.send(head).await;
    slow.send(vec![b'x'; 70_000]).await;
    let early = slow.answer().await.unwrap();
    assert_eq!(early.text(), "early");
    for number in 0..5 {
        let nonce = format!("n{number}");
        let target = format!("/v2/devices?nonce={nonce}");
        let asked = get(proxy.callers, &target, &key_of);
        let reply = timeout(Duration::from_secs(3), asked)
            .await
            .expect("an answer in time");
        assert_eq!((reply.status, reply.text()), (200, nonce));
    }
    drop(slow);
    proxy.stop().await;
}

/// What comes on a connection that waits for its next request is nobody's answer, and neither is what would follow it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_on_an_idle_connection_end_it_and_are_nobodys_answer() {
    let stray =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nSTRAY";
    for late in [&stray[..], b"H", b"\r\n", b"0\r\n\r\n"] {
        let evil = Evil::start(move |asked| {
            let mut steps = vec![Step::ReadBody, Step::Send(nonce_answer(asked))];
            if asked.parameter("nonce") == Some("first") {
                steps.push(Step::Wait(Duration::from_millis(20)));
                steps.push(Step::Send(late.to_vec()));
            }
            steps
        })
        .await;
        let proxy = Proxied::start(evil.address, &[ONE_ATTEMPT]);
        let ask = async |nonce: &str| {
            let target = format!("/v2/devices?nonce={nonce}");
            let reply = get(proxy.callers, &target, &key("reporting")).await;
            (reply.status, reply.text())
        };
        assert_eq!(ask("first").await, (200, "first".to_owned()));
        // They are there before the next request goes out.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(ask("second").await, (200, "second".to_owned()));
        assert_eq!(ask("third").await, (200, "third".to_owned()));
        let connections: Vec<_> = evil.asked().iter().map(|it| it.connection).collect();
        let [first, second, third] = connections[..] else {
            panic!("{connections:?}");
        };
        assert!(first != second && second == third, "{connections:?}");
        proxy.stop().await;
    }
}

const CREDENTIALS: &str = "Set-Cookie: sessionKey=CANARY-1\r\nWWW-Authenticate: Bearer CANARY-2\r\n\
    Authorization: Bearer CANARY-3\r\nProxy-Authenticate: CANARY-4\r\nServer: CANARY-5\r\nAlt-Svc: CANARY-6\r\n\
    Clear-Site-Data: CANARY-7\r\nAccess-Control-Allow-Origin: CANARY-8\r\nX-Echo: CANARY-9\r\n\
    Proxy-Status: CANARY-10\r\nVia: CANARY-11\r\nConnection: Content-Type\r\nKeep-Alive: CANARY-12\r\n\
    Content-Security-Policy: CANARY-13\r\nRefresh: CANARY-14\r\nX-Frame-Options: CANARY-15\r\nSet-Cookie2: CANARY-16\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_headers_are_an_allow_list_and_redirects_are_not_followed() {
    let canary = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap = canary.local_addr().unwrap();
    let evil = Evil::start(move |asked| {
        let status = asked
            .parameter("status")
            .unwrap_or("200 OK")
            .replace('+', " ");
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nLocation: http://{trap}/\r\n\
             {CREDENTIALS}Content-Length: 2\r\n\r\n{{}}"
        );
        vec![Step::ReadBody, Step::Send(answer.into_bytes())]
    })
    .await;
    let proxy = Proxied::start(evil.address, &[ONE_ATTEMPT]);
    for status in [
        "200+OK", "301+x", "302+x", "303+x", "307+x", "308+x", "407+x", "500+x", "503+x",
    ] {
        let reply = get(
            proxy.callers,
            &format!("/v2/devices?status={status}"),
            &key("reporting"),
        )
        .await;
        assert_eq!(status.get(..3).unwrap(), reply.status.to_string());
        assert!(!reply.head.contains("CANARY"), "{}", reply.head);
        assert!(reply.header("x-request-id").is_some());
    }
    let followed = timeout(Duration::from_millis(100), canary.accept()).await;
    assert!(followed.is_err(), "a redirect was followed");
    proxy.stop().await;
}

/// A caller's 401 means the caller's key, so NinjaOne's never gets out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_401_of_ninjaone_is_never_passed_on_and_a_write_is_sent_once() {
    let evil = Evil::start(|_| {
        let answer = "HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: 29\r\n\r\n{\"error\":\"not_authenticated\"}";
        vec![Step::ReadBody, Step::Send(answer.as_bytes().to_vec())]
    })
    .await;
    let proxy = Proxied::start(evil.address, &[ONE_ATTEMPT]);
    let mut client = Client::new(proxy.callers);
    let write = request("POST", "/v2/device/1/reboot/NORMAL", &key("operator"), "");
    let reply = client.ask(&write).await.unwrap();
    assert_eq!(reply.status, 502);
    assert_eq!(evil.asked().len(), 1);
    proxy.stop().await;
}

const AFTER: [&str; 27] = [
    "18446744073709551615",
    "99999999999999999999999",
    "-1",
    "1e3",
    "0",
    "0x10",
    "1.5",
    "+5",
    "",
    " ",
    "120",
    "300",
    "301",
    "86400",
    "Wed, 21 Oct 2099 07:28:00 GMT",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Wednesday, 21-Oct-99 07:28:00 GMT",
    "Thu Jan  1 00:00:00 1970",
    "soon",
    "5, 7",
    "5;7",
    "\u{ff15}",
    "١٢",
    "1 2",
    "\t7",
    "Infinity",
    "null",
];

fn is_sane(reply: &Answer) -> bool {
    let lines = reply.head.lines();
    let values: Vec<&str> = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("retry-after"))
        .map(|(_, value)| value.trim())
        .collect();
    match values.as_slice() {
        [] => reply.status != 429,
        [one] => {
            one.bytes().all(|it| it.is_ascii_digit())
                && (1..=300).contains(&one.parse::<u64>().unwrap())
        }
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_a_whole_number_from_1_to_300_whatever_ninjaone_says() {
    for status in ["429", "503", "200"] {
        for value in AFTER {
            let answer = format!(
                "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nRetry-After: {value}\r\n\
                 Retry-After: 7777\r\nContent-Length: 2\r\n\r\n{{}}"
            );
            let evil = Evil::start(move |_| vec![Step::Send(answer.clone().into_bytes())]).await;
            let proxy = Proxied::start(evil.address, &[ONE_ATTEMPT]);
            let reply = get(proxy.callers, "/v2/devices", &key("reporting")).await;
            assert_eq!(reply.status.to_string(), status);
            assert!(is_sane(&reply), "{status} {value:?}: {}", reply.head);
            proxy.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_answer_is_passed_on_as_it_is() {
    /// 10 MiB of zeros would come of about so many bytes.
    const BOMB_BYTES: usize = 10_240;
    let evil = Evil::start(|_| {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {BOMB_BYTES}\r\n\r\n"
        )
        .into_bytes();
        answer.extend(vec![0x1f; BOMB_BYTES]);
        vec![Step::Send(answer)]
    })
    .await;
    let proxy = Proxied::start(evil.address, &[ONE_ATTEMPT]);
    let reply = get(proxy.callers, "/v2/devices", &key("reporting")).await;
    assert_eq!(reply.body, vec![0x1f; BOMB_BYTES]);
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    proxy.stop().await;
}

/// A caller that reads without pause is served to the end, however long that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_but_steady_reader_gets_the_whole_answer() {
    const BODY_BYTES: usize = 48 << 20;
    const IDLE: Setting = ("timeouts", "idle", "\"600ms\"");
    let evil = Evil::start(|_| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
        vec![Step::Send(head.into_bytes()), Step::Send(vec![b'x'; BODY_BYTES])]
    })
    .await;
    let proxy = Proxied::start(evil.address, &[ONE_ATTEMPT, IDLE]);
    let mut wire = Wire::to(proxy.callers).await;
    wire.send(request("GET", "/v2/devices", &key("reporting"), ""))
        .await;
    let mut total = 0;
    loop {
        let length = wire.sip(1 << 20).await;
        if length == 0 {
            break;
        }
        total += length;
        if total >= BODY_BYTES {
            break;
        }
        tokio::time::sleep(Duration::from_millis(
            length as u64 / (BODY_BYTES as u64 / 3_000),
        ))
        .await;
    }
    assert!(total >= BODY_BYTES, "cut after {total} bytes");
    drop(wire);
    proxy.stop().await;
}
