//! What HTTP/1.1 refuses is refused over HTTP/2: with an id, a body and a line in the log.

use ninjaone_proxy::{
    sandbox::{Client, Sandbox, SandboxOptions},
    secret::Secret,
};
use serde_json::Value;

use crate::frames::{self, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, block, frame};

use super::front::{CLIENT_ID, CLIENT_SECRET, Front};

struct World {
    ninja: Sandbox,
    proxy: Front,
}

impl World {
    async fn start() -> Self {
        let client = Client {
            id: CLIENT_ID.to_owned(),
            secret: Secret::new(CLIENT_SECRET.to_owned()),
            ..Client::default()
        };
        let ninja = Sandbox::start(SandboxOptions {
            clients: vec![client],
            ..SandboxOptions::default()
        });
        let ninja = ninja.unwrap();
        let url = format!("\"http://{}\"", ninja.address());
        let proxy = Front::start(&[("url", url)], &[]);
        assert_eq!(proxy.get_once_ready("/v2/users").await.status, 200);
        ninja.clear_requests();
        Self { ninja, proxy }
    }

    /// The pseudo-headers and the key, with one of them said otherwise, or left out.
    fn fields<'a>(&'a self, name: &str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let all = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/v2/users"),
            ("x-api-key", &*self.proxy.key),
        ];
        let said = all.into_iter().filter_map(|(known, usual)| {
            let value = if known == name { value } else { Some(usual) };
            value.map(|it| (known, it))
        });
        said.collect()
    }

    /// Sends a request without a body, and after it a good one on the same connection.
    async fn refused(&self, fields: &[(&str, &str)], why: &str) -> Value {
        let mut connection = self.proxy.http2().await;
        connection.send(&frames::request(1, &block(fields))).await;
        let got = connection.answer(1).await;
        let problem: Value = serde_json::from_str(&got.body)
            .unwrap_or_else(|_| panic!("{why}: no problem, but {got:?}"));
        self.on_record(&problem, why).await;
        assert!(self.ninja.requests().is_empty(), "{why} arrived");

        connection
            .send(&frames::request(3, &block(&self.fields("", None))))
            .await;
        let good = connection.answer(3).await;
        assert!(good.body.starts_with('['), "after {why}: {good:?}");
        self.ninja.clear_requests();
        problem
    }

    /// Whether the answer has a line in the log, under its id.
    async fn on_record(&self, problem: &Value, why: &str) {
        let instance = problem["instance"].as_str();
        let id = instance.and_then(|it| it.strip_prefix("/requests/"));
        let id = id.unwrap_or_else(|| panic!("{why}: no id in {problem}"));
        let line = self.proxy.outcome(id).await;
        assert_eq!(line["status"], problem["status"], "{why}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_http1_would_refuse_is_refused_and_on_record() {
    let world = World::start().await;
    let pseudo = [
        (":path", Some("/v2/users#x")),
        (":path", Some("/v2/users?a=b#c")),
        (":path", Some("#")),
        (":path", Some("")),
        (":path", Some("*")),
        (":path", Some("v2/users")),
        (":path", Some("http://localhost/v2/users")),
        (":path", Some(" /v2/users")),
        (":path", Some("/v2/users ")),
        (":path", Some("/v2/us ers")),
        (":path", Some("/v2/us\ters")),
        (":path", None),
        (":scheme", Some("gopher")),
        (":scheme", Some("ftp")),
        (":scheme", Some("HTTP")),
        (":scheme", Some("")),
        (":scheme", Some("http ")),
        (":scheme", None),
        (":authority", Some("user@localhost")),
        (":authority", Some("user:secret@localhost")),
        (":authority", Some("")),
        (":authority", Some("localhost ")),
        (":authority", Some("localhost/v2")),
        (":authority", None),
        (":method", None),
    ];
    for (name, value) in pseudo {
        let why = format!("{name} {value:?}");
        let problem = world.refused(&world.fields(name, value), &why).await;
        assert_eq!(problem["status"], 400, "{why}: {problem}");
        assert_eq!(problem["code"], "bad-request", "{why}");
    }
    for (name, value) in [
        ("accept", " text/html"),
        ("accept", "text/html "),
        ("accept", "\ttext/html"),
        ("accept", "text/html\t"),
        ("accept", " "),
        ("x-nobody-knows", "blank "),
        ("accept", "text/html\rx: y"),
        ("accept", "text/html\nx: y"),
        ("accept", "text\0html"),
        ("Accept", "text/html"),
        ("acc ept", "text/html"),
        ("accept:", "text/html"),
        ("", "text/html"),
        ("connection", "close"),
        ("keep-alive", "5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("te", "trailers, deflate"),
        ("content-length", "1"),
        ("content-length", "+0"),
        ("content-length", ""),
        (":path", "/v2/devices"),
        (":status", "200"),
        (":protocol", "websocket"),
        (":unknown", "x"),
    ] {
        let why = format!("{name:?} {value:?}");
        let mut fields = world.fields("", None);
        fields.push((name, value));
        let problem = world.refused(&fields, &why).await;
        assert_eq!(problem["status"], 400, "{why}: {problem}");
        assert_eq!(problem["code"], "bad-request", "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_an_answer_of_its_own_over_http1_has_the_same_over_http2() {
    let world = World::start().await;
    let long = "x".repeat(9 * 1024);
    let path = format!("/v2/users?{long}");
    for (name, value, status, code) in [
        (":method", "CONNECT", 405, "method-refused"),
        (":method", "TRACE", 405, "method-refused"),
        (":method", "get", 405, "method-refused"),
        (":method", "GE T", 405, "method-refused"),
        (":method", "", 405, "method-refused"),
        (":path", &*path, 414, "too-large"),
        (":authority", "example.com", 421, "host-refused"),
    ] {
        let problem = world.refused(&world.fields(name, Some(value)), value).await;
        assert_eq!(problem["status"], status, "{value}: {problem}");
        assert_eq!(problem["code"], code, "{value}");
    }
    let many: Vec<(&str, &str)> = [("accept", "*/*"); 70].to_vec();
    let wide: Vec<(&str, &str)> = [("accept", &*long); 4].to_vec();
    for more in [many, wide] {
        let fields = [world.fields("", None), more].concat();
        let mut connection = world.proxy.http2().await;
        let block = block(&fields);
        let mut parts = block.chunks(16 * 1024).peekable();
        let mut kind = HEADERS;
        while let Some(part) = parts.next() {
            let end = if parts.peek().is_none() {
                END_HEADERS
            } else {
                0
            };
            let flags = if kind == HEADERS {
                end | END_STREAM
            } else {
                end
            };
            connection.send(&frame(kind, flags, 1, part)).await;
            kind = CONTINUATION;
        }
        let got = connection.answer(1).await;
        let problem: Value = serde_json::from_str(&got.body).unwrap();
        assert_eq!(problem["status"], 431, "{problem}");
        world.on_record(&problem, "a head above its bound").await;
    }
}

/// The marker by which a refusal is told to the library is nothing that a caller could say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_cannot_refuse_itself() {
    let world = World::start().await;
    let mut fields = world.fields("", None);
    fields.push(("njp-refused", "9 GET /elsewhere"));
    fields.push(("te", "trailers"));
    let mut connection = world.proxy.http2().await;
    connection.send(&frames::request(1, &block(&fields))).await;
    assert!(connection.answer(1).await.body.starts_with('['));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_trailers_that_must_not_be_is_refused() {
    let world = World::start().await;
    let body = br#"{"name":"Trailing"}"#;
    let length = body.len().to_string();
    let mut fields = world.fields(":method", Some("POST"));
    fields[3].1 = "/v2/organizations";
    fields.push(("content-type", "application/json"));
    for with_length in [false, true] {
        let mut fields = fields.clone();
        if with_length {
            fields.push(("content-length", &length));
        }
        for (name, value) in [
            (":path", "/v2/users"),
            (":status", "200"),
            (":method", "GET"),
            ("x-checksum", "blank "),
            ("X-Checksum", "1"),
            ("connection", "close"),
        ] {
            let why = format!("{name} {value:?}, length {with_length}");
            world.ninja.clear_requests();
            let mut connection = world.proxy.http2().await;
            connection
                .send(&frame(HEADERS, END_HEADERS, 1, &block(&fields)))
                .await;
            connection.send(&frame(DATA, 0, 1, body)).await;
            let trailers = block(&[(name, value)]);
            connection
                .send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers))
                .await;
            let got = connection.answer(1).await;
            let problem: Value = serde_json::from_str(&got.body)
                .unwrap_or_else(|_| panic!("{why}: no problem, but {got:?}"));
            assert_eq!(problem["status"], 400, "{why}: {problem}");
            world.on_record(&problem, &why).await;
            let seen = world.ninja.requests();
            assert!(
                seen.iter().all(|it| it.status().is_none_or(|it| it >= 400)),
                "{why}: NinjaOne did it"
            );
        }
        let mut connection = world.proxy.http2().await;
        connection
            .send(&frame(HEADERS, END_HEADERS, 1, &block(&fields)))
            .await;
        connection.send(&frame(DATA, 0, 1, body)).await;
        let trailers = block(&[("x-checksum", "1")]);
        connection
            .send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers))
            .await;
        let got = connection.answer(1).await;
        assert!(
            got.body.contains("Trailing"),
            "length {with_length}: {got:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_that_is_refused_gets_no_body() {
    let world = World::start().await;
    let (mut head, mut blank) = (Vec::new(), Vec::new());
    for fields in [&mut head, &mut blank] {
        *fields = world.fields(":method", Some("HEAD"));
    }
    // One refused before the library sees it, one after.
    blank.push(("x-a", "b "));
    for (name, value) in &mut head {
        if *name == ":authority" {
            *value = "elsewhere";
        }
    }
    for fields in [head, blank] {
        let mut connection = world.proxy.http2().await;
        connection.send(&frames::request(1, &block(&fields))).await;
        let got = connection.answer(1).await;
        assert_eq!(got.body, "", "{got:?}");
        assert_eq!(got.ended_by, None, "{got:?}");
        connection
            .send(&frames::request(3, &block(&world.fields("", None))))
            .await;
        assert!(connection.answer(3).await.body.starts_with('['));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_target_is_told_in_the_words_of_http1() {
    let world = World::start().await;
    for (path, told) in [
        ("/v2/users?a=b c", "The query has a space at position 14 of"),
        ("/v2/users?a=<", "The query has '<' at position 13 of"),
        ("/v2/us ers", "The path has a space at position 7 of"),
        (
            "/v2/us\u{fc}ers",
            "The path has the byte 0xC3 at position 7 of",
        ),
        ("/v2/us%2fers", "The path has '%2F' at position 7 of"),
        (
            "//v2/users",
            "The path has an empty segment ('//') at position 1 of",
        ),
    ] {
        let problem = world
            .refused(&world.fields(":path", Some(path)), path)
            .await;
        assert_eq!(problem["code"], "bad-request", "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(told), "{path}: {detail}");
    }
}
