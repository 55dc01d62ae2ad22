//! One HTTP/1.1 connection: pipelining, unwanted bodies, and how it ends.

use std::time::{Duration, Instant};

use crate::{answer::Answer, wait::until, wire::Wire};

use super::world::World;

/// Whatever was read in vain of a body, that much lets the connection live.
const DISCARDED: usize = 256 * 1024;

#[tokio::test]
async fn bytes_that_are_no_request_are_answered_and_on_record() {
    let world = World::new().await;
    let cases: [(&[u8], &str, &str); 6] = [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "", ""),
        (b"hello\r\n\r\n", "", ""),
        (b"GET /v2/users HTTP/1.1\nHost: localhost\n\n", "GET", "/v2/users"),
        (b"GET /v2/users HTTP/3.0\r\n\r\n", "GET", "/v2/users"),
        (b"GET /v2/users?a=b HTTP/1.1\r\nX A: b\r\n\r\n", "GET", "/v2/users"),
        (b"POST /v2/contacts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n{", "POST", "/v2/contacts"),
    ];
    for (bytes, method, path) in cases {
        let mut wire = world.wire().await;
        wire.send(bytes).await;
        let began = Instant::now();

        let answer = wire.answer().await.expect("an answer");

        answer.refuses(400, "bad-request");
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(wire.is_closed().await);
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "not before the head's time is over"
        );
        let line = world.outcome(answer.id()).await;
        assert_eq!(line["decision"], "bad-request", "{line}");
        assert_eq!(
            line["method"].as_str().unwrap_or_default(),
            method,
            "{line}"
        );
        assert_eq!(line["path"].as_str().unwrap_or_default(), path, "{line}");
    }
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn requests_that_come_together_are_answered_one_after_the_other() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    let mut all = Vec::new();
    for number in 0..20 {
        let ask = match number % 2 {
            0 => world.ask("reports", "GET", &format!("/v2/users?n={number}")),
            _ => world.ask("operator", "PATCH", "/v2/device/101").body("{}"),
        };
        all.extend(ask.bytes());
    }

    wire.send(all).await;

    for number in 0..20 {
        let status = if number % 2 == 0 { 200 } else { 204 };
        wire.answer().await.expect("an answer").is(status);
    }
    let saw = world.saw();
    assert_eq!(saw.len(), 20);
    assert!(saw[18].contains("n=18"), "{saw:?}");
    world.end().await;
}

#[tokio::test]
async fn a_fragment_in_the_second_of_two_requests_is_refused_too() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    let good = world.ask("reports", "GET", "/v2/users").bytes();
    let bad = world.ask("reports", "GET", "/v2/users#/../devices").bytes();

    wire.send([good, bad].concat()).await;

    wire.answer().await.unwrap().is(200);
    wire.answer().await.unwrap().refuses(400, "bad-request");
    assert!(wire.is_closed().await);
    assert_eq!(world.saw().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_refused_write_leaves_its_connection_to_the_next_request() {
    let world = World::new().await;
    for length in [0, 1, 5000, DISCARDED] {
        let mut wire = world.wire().await;
        let body = vec![b'x'; length];
        let write = world.ask("reports", "POST", "/v2/contacts").body(&body);
        let head = write.bytes().len() - length;

        // As many clients do: the head first, then the body.
        wire.send(&write.bytes()[..head]).await;
        wire.answer().await.unwrap().refuses(403, "policy-denied");
        wire.send(&write.bytes()[head..]).await;

        let read = world.ask("reports", "GET", "/v2/users");
        read.send_on(&mut wire).await.expect("an answer").is(200);
    }
    world.end().await;
}

#[tokio::test]
async fn a_refused_write_in_chunks_leaves_its_connection_too_if_it_is_short() {
    let world = World::new().await;
    let chunked = |bytes: usize| {
        let ask = world.ask("reports", "POST", "/v2/contacts");
        let mut all = ask.header("Transfer-Encoding", "chunked").bytes();
        all.extend(format!("{bytes:x}\r\n").bytes());
        all.extend(vec![b'x'; bytes]);
        all.extend(b"\r\n0\r\n\r\n");
        all
    };
    let read = world.ask("reports", "GET", "/v2/users");

    let mut wire = world.wire().await;
    wire.send(chunked(DISCARDED)).await;
    wire.answer().await.unwrap().refuses(403, "policy-denied");
    read.send_on(&mut wire).await.expect("an answer").is(200);

    let mut wire = world.wire().await;
    wire.try_send(chunked(DISCARDED + 1)).await;
    wire.answer().await.unwrap().refuses(403, "policy-denied");
    assert!(read.send_on(&mut wire).await.is_none());
    world.end().await;
}

/// The kernel breaks a connection whose bytes nobody reads, and with it the answer that is on its way.
#[tokio::test]
async fn a_caller_that_goes_on_sending_too_much_still_reads_why_it_was_refused() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    let length = (100 << 20) + 1;
    let ask = world.ask("operator", "POST", "/v2/attachments/temp/upload");
    wire.send(ask.header("Content-Length", &length.to_string()).bytes())
        .await;
    for _ in 0..64 {
        wire.try_send(vec![b'x'; 64 * 1024]).await;
    }

    let answer = wire.answer().await.expect("an answer");

    answer.refuses(413, "too-large");
    assert_eq!(answer.header("connection"), Some("close"));
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_was_told_to_stop_is_heard_out_for_two_seconds() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    wire.send("no request\r\n\r\n").await;
    wire.answer().await.unwrap().refuses(400, "bad-request");
    let began = Instant::now();

    until("the end", async || world.connections().await == 0).await;

    let took = began.elapsed();
    assert!(took > Duration::from_millis(1500), "{took:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    world.end().await;
}

async fn answer_to_old(world: &World, wire: &mut Wire, more: &str) -> Answer {
    let key = world.key("reports");
    wire.send(format!(
        "GET /v2/users HTTP/1.0\r\nHost: localhost\r\nX-Api-Key: {key}\r\n{more}\r\n"
    ))
    .await;
    wire.answer().await.expect("an answer")
}

#[tokio::test]
async fn an_old_caller_is_answered_once() {
    let world = World::new().await;
    for more in ["", "Connection: keep-alive\r\n"] {
        let mut wire = world.wire().await;
        let answer = answer_to_old(&world, &mut wire, more).await;
        answer.is(200);
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.header("transfer-encoding"), None);
        assert!(wire.is_closed().await);
    }
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_asks_for_it_gets_its_connection_closed() {
    let world = World::new().await;
    let ask = world.ask("reports", "GET", "/v2/users");
    for value in ["close", "Close", "x, close"] {
        let mut wire = world.wire().await;
        let answer = ask
            .clone()
            .header("Connection", value)
            .send_on(&mut wire)
            .await;
        assert_eq!(answer.unwrap().is(200).header("connection"), Some("close"));
        assert!(wire.is_closed().await);
    }
    world.end().await;
}

#[tokio::test]
async fn every_answer_says_when_it_was_made() {
    let world = World::new().await;
    for answer in [
        world.get("reports", "/v2/users").await,
        world.unauthenticated("GET", "/v2/users").send().await,
    ] {
        let dates = answer.all("date");
        assert_eq!(dates.len(), 1, "{dates:?}");
        assert!(
            dates[0].ends_with(" GMT") && dates[0].len() == 29,
            "{dates:?}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn a_line_end_between_two_requests_is_passed_over() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    let read = world.ask("reports", "GET", "/v2/users").bytes();

    wire.send([&b"\r\n"[..], &read, b"\r\n", &read].concat())
        .await;

    wire.answer().await.unwrap().is(200);
    wire.answer().await.unwrap().is(200);
    for chunk in [&b"\r"[..], b"\n", &read] {
        wire.send(chunk).await;
    }
    wire.answer().await.unwrap().is(200);
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_sends_ahead_without_end_is_read_no_further() {
    let world = World::new().await;
    world.trouble(r#"{"slow_ms":2000}"#);
    let mut wire = world.wire().await;
    let read = world.ask("reports", "GET", "/v2/users").bytes();
    wire.send(&read).await;

    // More than the proxy and the kernel take together: what it cannot send must not be in the proxy's memory.
    let ahead = vec![b'x'; 64 << 20];
    let sent = tokio::time::timeout(Duration::from_secs(1), wire.try_send(ahead)).await;

    assert!(sent.is_err(), "all of it was taken");
    world.end().await;
}

/// What is asked on one connection, without an answer being read.
async fn ask_and_ask(world: &World, times: usize) -> tokio::net::TcpStream {
    use tokio::io::AsyncWriteExt;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(world.callers).await.unwrap();
    let ask = world.unauthenticated("GET", "/v2/users").bytes();
    let all = ask.repeat(times);
    // It is not taken to its end where answers are not read.
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(&all)).await;
    stream
}

/// The runtime lets a task do so much at once. A connection that has done it must not be left without a timer.
#[tokio::test]
async fn a_caller_that_asks_and_asks_and_reads_no_answer_is_given_up() {
    let world = World::plan()
        .set("timeouts", "idle", "\"200ms\"")
        .start()
        .await;
    let ask = || ask_and_ask(&world, 20_000);
    let asking = tokio::join!(ask(), ask(), ask(), ask());
    until("all of them", async || world.connections().await == 4).await;

    // Five seconds and the idle time after the last byte that was taken.
    until("the end", async || world.connections().await == 0).await;

    drop(asking);
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_ends_its_connection_arrives_whole_though_the_caller_sends_on() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::new().await;
    let key = world.key("operator").to_owned();
    for late in [&b"\r\n"[..], b"GET /v2/users HTTP/1.1\r\n\r\n"] {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(world.callers).await.unwrap();
        let ask = format!(
            "GET /v2/queries/software?pageSize=10000 HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut came = vec![stream.read_u8().await.unwrap()];
        stream.write_all(late).await.unwrap();

        stream.read_to_end(&mut came).await.unwrap();

        let head = came.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
        let text = String::from_utf8_lossy(&came[..head]).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1);
        let length = length.map(|it| it.lines().next().unwrap().parse::<usize>().unwrap());
        match length {
            Some(length) => assert_eq!(came.len() - head - 4, length),
            None => assert!(came.ends_with(b"\r\n0\r\n\r\n"), "cut"),
        }
        assert!(came.len() > 1 << 20, "{}", came.len());
    }
    world.end().await;
}

#[tokio::test]
async fn a_body_that_is_not_framed_as_announced_is_the_callers_mistake() {
    let world = World::new().await;
    for chunks in [
        "X\r\n",
        "-1\r\n",
        "5\nabcde\r\n",
        "5\r\nabcdeX",
        "2\r\n{}\r\n0\r\nX\r\n\r\n",
    ] {
        let mut wire = world.wire().await;
        let ask = world.ask("operator", "POST", "/v2/attachments/temp/upload");
        wire.send(ask.header("Transfer-Encoding", "chunked").bytes())
            .await;
        wire.send(chunks).await;

        let answer = wire.answer().await.expect("an answer");

        answer.refuses(400, "bad-request");
        assert!(wire.is_closed().await, "{chunks:?}");
    }
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn an_old_caller_is_not_told_to_go_on() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    let key = world.key("operator");
    wire.send(format!(
        "PATCH /v2/device/101 HTTP/1.0\r\nHost: localhost\r\nX-Api-Key: {key}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    ))
    .await;
    wire.send("{}").await;
    let status = wire.head().await.expect("an answer").status;
    assert_eq!(status, 204);
    world.end().await;
}
