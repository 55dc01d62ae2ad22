//! NinjaOne's responses, however strange.

use std::time::{Duration, Instant};

use crate::wait::until;

use super::{
    hostile::{Act, Hostile},
    record::COOKIE_CANARY,
    world::World,
};

fn with_length(head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

async fn saying(bytes: Vec<u8>) -> World {
    let hostile = Hostile::start(move |_| Act::Say(bytes.clone())).await;
    World::in_front_of(hostile).await
}

#[tokio::test]
async fn of_twenty_six_response_headers_only_the_allowed_ones_come_back() {
    let passed = [
        ("content-type", "application/json"),
        ("content-disposition", "attachment; filename=\"a.json\""),
        ("content-language", "en"),
        ("etag", "\"v1\""),
        ("last-modified", "Sat, 21 Nov 2026 00:00:00 GMT"),
        ("cache-control", "no-cache"),
        ("date", "Sun, 22 Nov 2026 00:00:00 GMT"),
        ("location", "/elsewhere"),
        ("retry-after", "7"),
        ("link", "</v2/devices?after=2>; rel=next"),
        ("x-nj-request-id", "nj-1"),
    ];
    let mut head = "200 OK".to_owned();
    for (name, value) in passed {
        for part in ["\r\n", name, ": ", value] {
            head.push_str(part);
        }
    }
    for line in [
        &format!("Set-Cookie: sessionKey={COOKIE_CANARY}"),
        &format!("Set-Cookie: other={COOKIE_CANARY}"),
        "Server: Grizzly",
        "X-Powered-By: Jersey",
        "Strict-Transport-Security: max-age=1",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Credentials: true",
        "WWW-Authenticate: Bearer",
        "Proxy-Status: elsewhere; error=dns_error",
        "RateLimit: \"ninja\";r=1",
        "Alt-Svc: h3=\":443\"",
        "X-Request-Id: theirs",
        "Via: 1.1 theirs",
        "Keep-Alive: timeout=5",
        "Refresh: 0",
    ] {
        head.push_str("\r\n");
        head.push_str(line);
    }
    let world = saying(with_length(&head, "[]")).await;

    let answer = world.get("reports", "/v2/devices").await;

    answer.is(200);
    for (name, value) in passed {
        assert_eq!(answer.all(name), [value], "{name}");
    }
    let ours = [
        "content-length",
        "x-request-id",
        "ratelimit",
        "ratelimit-policy",
    ];
    for (name, _) in &answer.headers {
        let known = passed.iter().any(|(it, _)| it == name) || ours.contains(&name.as_str());
        assert!(known, "{name} came back");
    }
    assert_eq!(answer.all("x-request-id").len(), 1);
    assert_ne!(answer.id(), "theirs");
    assert!(
        answer
            .header("ratelimit")
            .unwrap()
            .starts_with("\"caller\";")
    );
    world.end().await;
}

#[tokio::test]
async fn an_encoded_body_comes_back_as_it_is() {
    let body = "\u{1f}not really gzip";
    let head = "200 OK\r\nContent-Encoding: gzip\r\nContent-Type: application/json";
    let world = saying(with_length(head, body)).await;

    let answer = world.get("reports", "/v2/devices").await;

    answer.is(200);
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.text(), body);
    world.end().await;
}

#[tokio::test]
async fn a_redirect_is_passed_back_and_not_followed() {
    let world = World::new().await;

    let answer = world
        .get("operator", "/v2/device/101/dashboard-url?redirect=true")
        .await;

    assert!((300..400).contains(&answer.status), "{}", answer.status);
    let location = answer.header("location").unwrap();
    assert!(location.starts_with("https://console.sandbox.invalid/"));
    assert_eq!(world.saw().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_redirect_with_a_page_is_passed_back_and_is_no_sign_of_a_limit() {
    let head = "302 Found\r\nLocation: /v2/users\r\nContent-Type: text/html";
    let redirect = with_length(head, "<html>Found</html>");
    let page = with_length("200 OK\r\nContent-Type: application/json", "[]");
    let hostile = Hostile::start(move |got| {
        Act::Keep(match got.target() {
            "/v2/devices" => redirect.clone(),
            _ => page.clone(),
        })
    })
    .await;
    let world = World::in_front_of(hostile).await;

    let answer = world.get("reports", "/v2/devices").await;

    answer.is(302);
    assert_eq!(answer.header("location"), Some("/v2/users"));
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["status"], 302);
    assert_eq!(line["source"], "ninjaone");
    let targets: Vec<_> = world.arrivals().into_iter().map(|it| it.target).collect();
    assert_eq!(targets, ["/v2/devices"]);
    // The tenant is not held back for it either.
    world.get("reports", "/v2/organizations").await.is(200);
    world.end().await;
}

#[tokio::test]
async fn an_error_of_ninjaones_is_passed_through_as_it_is() {
    let world = World::new().await;

    let answer = world.get("reports", "/v2/device/999999").await;

    answer.is(404);
    assert_eq!(answer.json()["resultCode"], "NOT_FOUND");
    assert_eq!(answer.header("proxy-status"), None);
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["status"], 404);
    assert_eq!(line["source"], "ninjaone");
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_is_not_modified_has_no_body_and_ends() {
    let world = saying(b"HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n".to_vec()).await;

    let answer = world.get("reports", "/v2/devices").await;

    assert_eq!(answer.status, 304);
    assert_eq!(answer.header("etag"), Some("\"v1\""));
    world.end().await;
}

#[tokio::test]
async fn a_chunked_answer_comes_back_whole_and_its_trailers_do_not() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\nX-Late: sessionKey=1\r\n\r\n";
    let world = saying(bytes.to_vec()).await;

    let answer = world.get("reports", "/v2/devices").await;

    answer.is(200);
    assert_eq!(answer.text(), "[]");
    assert_eq!(answer.header("x-late"), None);
    world.end().await;
}

#[tokio::test]
async fn a_body_that_is_cut_reaches_the_caller_as_cut_and_is_recorded_so() {
    let world = World::new().await;
    world.trouble(r#"{"cut_body":true}"#);

    let answer = world.get("reports", "/v2/organizations").await;

    assert_eq!(answer.status, 200);
    assert!(!answer.whole);
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["error"], "cut");
    assert_eq!(world.saw().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_body_that_stops_coming_is_cut_after_the_idle_time_out() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[";
    let hostile = Hostile::start(|_| Act::Hold(head.to_vec())).await;
    let plan = World::plan()
        .behind(hostile)
        .set("timeouts", "idle", "\"200ms\"");
    let world = plan.start().await;

    let answer = world.get("reports", "/v2/devices").await;

    assert!(!answer.whole);
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["error"], "cut");
    world.end().await;
}

#[tokio::test]
async fn a_first_byte_that_does_not_come_is_a_504_and_a_write_is_not_sent_again() {
    let plan = World::plan().set("timeouts", "first_byte", "\"200ms\"");
    let world = plan.start().await;
    world.trouble(r#"{"slow_ms":3000}"#);

    let began = Instant::now();
    let read = world.get("reports", "/v2/devices").await;
    let write = world.post("operator", "/v2/organizations", "{}").await;

    assert!(began.elapsed() < Duration::from_secs(2));
    read.refuses(504, "upstream-timeout");
    write.refuses(504, "upstream-timeout");
    let line = world.outcome(write.id()).await;
    assert_eq!(line["decision"], "allowed");
    assert_eq!(line["error"], "upstream-timeout");
    assert_eq!(line["attempts"], 1);
    let posts = world
        .saw()
        .iter()
        .filter(|it| it.starts_with("POST"))
        .count();
    assert_eq!(posts, 1);
    world.end().await;
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_unreachable_and_nothing_is_sent() {
    let hostile = Hostile::start(|_| Act::Say(Vec::new())).await;
    let world = World::in_front_of(hostile).await;
    world.hostile().close().await;

    let read = world.get("reports", "/v2/devices").await;
    let write = world.post("operator", "/v2/organizations", "{}").await;

    for answer in [&read, &write] {
        answer.refuses(502, "upstream-unreachable");
        let told = answer.header("proxy-status").unwrap();
        assert!(told.contains("error=connection_refused"), "{told}");
        answer.retry_after();
        assert_eq!(world.outcome(answer.id()).await["attempts"], 0);
    }
    assert_eq!(world.arrivals().len(), 0);
    world.end().await;
}

#[tokio::test]
async fn what_is_not_http_is_a_bad_answer() {
    for nonsense in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n[]",
        "",
    ] {
        let world = saying(nonsense.as_bytes().to_vec()).await;

        let write = world.post("operator", "/v2/organizations", "{}").await;

        write.refuses(502, "upstream-bad-answer");
        assert_eq!(world.arrivals().len(), 1, "{nonsense}");
        world.end().await;
    }
}

#[tokio::test]
async fn bytes_after_an_answer_never_reach_the_next_caller() {
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nEVIL!";
    let hostile = Hostile::start(move |got| {
        let mut bytes = with_length("200 OK", &format!("{}", got.number));
        bytes.extend(smuggled.as_bytes());
        Act::Keep(bytes)
    })
    .await;
    let world = World::in_front_of(hostile).await;

    for _ in 0..20 {
        let answer = world.get("reports", "/v2/devices").await;
        assert!(!answer.text().contains("EVIL"), "{}", answer.text());
    }
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_while_a_read_streams_is_on_record() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n";
    let hostile = Hostile::start(|_| Act::Hold(head.to_vec())).await;
    let world = World::in_front_of(hostile).await;
    let mut wire = world.wire().await;
    wire.send(world.ask("reports", "GET", "/v2/devices").bytes())
        .await;
    let id = wire.head().await.unwrap().id().to_owned();

    drop(wire);

    let line = world.outcome(&id).await;
    assert_eq!(line["error"], "caller-gone");
    until("a free connection", async || {
        world.status().await["tenants"][0]["budget"]["in_flight"] == 0
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_page_of_html_becomes_a_429_with_a_whole_number_of_seconds() {
    let plan = World::plan().set("retry", "attempts", "1");
    let world = plan.start().await;
    world.trouble(r#"{"throttle":"html","count":1}"#);

    let answer = world.get("reports", "/v2/devices").await;

    answer.refuses(429, "upstream-throttled").retry_after();
    assert_eq!(answer.json()["bucket"], "tenant-paused");
    assert!(!answer.text().contains('<'));
    world.end().await;
}

#[tokio::test]
async fn what_ninjaone_says_with_a_429_is_heeded_and_told_on() {
    let plan = World::plan().set("retry", "attempts", "1");
    let world = plan.start().await;
    world.trouble(r#"{"throttle":"429","retry_after":17,"count":1}"#);

    let first = world.get("reports", "/v2/devices").await;
    let second = world.post("operator", "/v2/organizations", "{}").await;

    assert_eq!(first.refuses(429, "upstream-throttled").retry_after(), 17);
    let left = second.refuses(429, "upstream-throttled").retry_after();
    assert!((15..=17).contains(&left), "{left}");
    // The pause holds for everybody: the second one was not sent.
    assert_eq!(world.saw(), ["GET /v2/devices 429"]);
    world.end().await;
}

/// A listener that takes no connections: its queue is full, so whoever connects waits.
async fn deaf(address: std::net::SocketAddr) -> (socket2::Socket, Vec<tokio::net::TcpStream>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(1).unwrap();
    let mut queued = Vec::new();
    let timeout = Duration::from_millis(300);
    while let Ok(stream) =
        tokio::time::timeout(timeout, tokio::net::TcpStream::connect(address)).await
    {
        queued.push(stream.unwrap());
    }
    (socket, queued)
}

#[tokio::test]
async fn while_nobody_answers_the_door_all_who_wait_learn_it_at_once() {
    let hostile = Hostile::start(|_| Act::Keep(with_length("200 OK", "{}"))).await;
    let address = hostile.address;
    let plan = World::plan().behind(hostile);
    let world = plan.set("timeouts", "connect", "\"1s\"").start().await;
    world.hostile().close().await;
    let deaf = deaf(address).await;
    let began = Instant::now();

    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let ask = world.ask("operator", "PATCH", "/v2/device/101").body("{}");
        asking.spawn(async move { ask.send().await });
    }

    for answer in asking.join_all().await {
        answer.refuses(502, "upstream-unreachable");
    }
    // One after the other they would take half a minute.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(deaf);
    world.end().await;
}
