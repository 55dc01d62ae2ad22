//! Pages of HTML where the API answers with JSON: which are limits, which are errors, and what becomes of a write.

use std::{
    fmt::Write as _,
    io::Write as _,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use tokio::task::LocalSet;

use crate::answer::Answer;

use super::{
    hostile::{Act, Hostile},
    world::World,
};

const JSON_BODY: &str = r#"{"resultCode":"ERROR"}"#;
const PAGE: &str = "<html><body><h1>Sorry</h1>Something is wrong.</body></html>";
const LIMIT_PAGE: &str = "<html><body><h1>Sorry</h1>Rate\n limit reached.</body></html>";

const STATUSES: [u16; 18] = [
    200, 201, 204, 302, 400, 403, 404, 408, 413, 414, 429, 451, 500, 501, 502, 503, 504, 520,
];
const METHODS: [(&str, &str); 5] = [
    ("GET", "/v2/devices"),
    ("HEAD", "/v2/devices"),
    ("POST", "/v2/organizations"),
    ("PATCH", "/v2/device/1"),
    ("DELETE", "/v2/alert/a-b"),
];
const BODIES: [Body; 6] = [
    Body::None,
    Body::Json,
    Body::Page,
    Body::LimitPage,
    Body::PackedPage,
    Body::PackedLimitPage,
];
const TYPES: [Option<&str>; 5] = [
    Some("text/html"),
    Some("Text/HTML; charset=utf-8"),
    Some("application/xhtml+xml"),
    Some("application/json"),
    None,
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Body {
    None,
    Json,
    Page,
    LimitPage,
    PackedPage,
    PackedLimitPage,
}

/// One cell of the table.
#[derive(Clone, Copy, Debug)]
struct Row {
    status: u16,
    method: &'static str,
    target: &'static str,
    body: Body,
    content_type: Option<&'static str>,
}

/// What is to become of it.
#[derive(Debug, PartialEq, Eq)]
enum Becomes {
    AsItIs,
    WithoutType,
    Throttle,
    Problem(u16, &'static str),
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

impl Row {
    fn body(&self) -> Vec<u8> {
        match self.body {
            Body::None => Vec::new(),
            Body::Json => JSON_BODY.into(),
            Body::Page => PAGE.into(),
            Body::LimitPage => LIMIT_PAGE.into(),
            Body::PackedPage => gzipped(PAGE),
            Body::PackedLimitPage => gzipped(LIMIT_PAGE),
        }
    }

    fn has_body(&self) -> bool {
        self.body != Body::None && self.method != "HEAD" && self.status != 204
    }

    fn names_limit(&self) -> bool {
        matches!(self.body, Body::LimitPage | Body::PackedLimitPage)
    }

    /// What product.md says, section 4, "Forwarding".
    fn becomes(&self) -> Becomes {
        let is_page = self
            .content_type
            .is_some_and(|it| it.to_ascii_lowercase().contains("html"));
        let is_read = matches!(self.method, "GET" | "HEAD");
        match self.status {
            429 => Becomes::Throttle,
            302 => Becomes::AsItIs,
            _ if !is_page => Becomes::AsItIs,
            _ if !self.has_body() => Becomes::WithoutType,
            200 if is_read => Becomes::Throttle,
            403 | 503 if is_read && self.names_limit() => Becomes::Throttle,
            status @ 400..=499 => Becomes::Problem(status, "upstream-refused"),
            status @ 501..=599 => Becomes::Problem(status, "upstream-bad-answer"),
            _ => Becomes::Problem(502, "upstream-bad-answer"),
        }
    }

    /// Whether others have to wait after it.
    fn slows_down(&self) -> bool {
        let is_read = matches!(self.method, "GET" | "HEAD");
        let taught = !is_read && (200..300).contains(&self.status) && self.names_limit();
        let is_page = matches!(self.becomes(), Becomes::Problem(..));
        self.becomes() == Becomes::Throttle || (is_page && taught)
    }

    fn answer(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Said\r\n", self.status);
        if let Some(content_type) = self.content_type {
            write!(head, "Content-Type: {content_type}\r\n").unwrap();
        }
        if matches!(self.body, Body::PackedPage | Body::PackedLimitPage) {
            head += "Content-Encoding: gzip\r\n";
        }
        if self.status == 302 {
            head += "Location: /v2/users\r\n";
        }
        if self.status == 429 {
            head += "Retry-After: 1\r\n";
        }
        let body = self.body();
        if self.status != 204 {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        let mut bytes = format!("{head}\r\n").into_bytes();
        if self.has_body() {
            bytes.extend(body);
        }
        bytes
    }

    async fn ask(&self, world: &World) -> Answer {
        let mut ask = world.ask("operator", self.method, self.target);
        if !matches!(self.method, "GET" | "HEAD") {
            ask = ask.body("{}");
        }
        ask.send().await
    }

    fn judge(&self, answer: &Answer, line: &Value) {
        let row = format!("{self:?}: {}", answer.text());
        assert_eq!(line["upstream_status"], self.status, "{row}: {line}");
        assert_eq!(line["status"], answer.status, "{row}");
        assert_eq!(line["attempts"], 1, "{row}");
        let is_write = !matches!(self.method, "GET" | "HEAD");
        if is_write && self.status != 429 {
            assert_ne!(answer.status, 429, "{row}");
        }
        let without_body = self.method == "HEAD";
        match self.becomes() {
            Becomes::AsItIs | Becomes::WithoutType => {
                assert_eq!(answer.status, self.status, "{row}");
                let kept = self
                    .content_type
                    .filter(|_| self.becomes() == Becomes::AsItIs);
                assert_eq!(answer.header("content-type"), kept, "{row}");
                let sent = if self.has_body() {
                    self.body()
                } else {
                    Vec::new()
                };
                assert_eq!(answer.body, sent, "{row}");
                assert_eq!(line["source"], "ninjaone", "{row}");
            }
            Becomes::Throttle => {
                assert_eq!(answer.status, 429, "{row}");
                answer.retry_after();
                if !without_body {
                    answer.refuses(429, "upstream-throttled");
                }
            }
            Becomes::Problem(status, code) => {
                answer.refuses(status, code);
                assert_eq!(line["error"], code, "{row}");
                assert_eq!(line["decision"], "allowed", "{row}");
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains(&self.status.to_string()), "{row}");
                let is_unknown = is_write && code == "upstream-bad-answer";
                assert_eq!(detail.contains("unknown"), is_unknown, "{row}");
            }
        }
    }
}

fn table() -> Vec<Row> {
    let mut all = Vec::new();
    for status in STATUSES {
        for (method, target) in METHODS {
            for body in BODIES {
                for content_type in TYPES {
                    all.push(Row {
                        status,
                        method,
                        target,
                        body,
                        content_type,
                    });
                }
            }
        }
    }
    all
}

/// A world behind which the answers to these rows come one after the other, and then an empty list for ever.
async fn answering(rows: &[Row]) -> World {
    let answers: Vec<Vec<u8>> = rows.iter().map(Row::answer).collect();
    let hostile = Hostile::start(move |got| {
        let list =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]";
        Act::Keep(answers.get(got.number - 1).cloned().unwrap_or(list.into()))
    })
    .await;
    let plan = World::plan().set("retry", "attempts", "1").behind(hostile);
    plan.set("limits.upstream", "queue", "\"10s\"")
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_limit_is_passed_on_or_becomes_a_problem_and_slows_nobody_down() {
    let rows: Vec<Row> = table().into_iter().filter(|it| !it.slows_down()).collect();
    assert!(rows.len() > 2_000, "{}", rows.len());
    let world = answering(&rows).await;
    let mut answers = Vec::new();

    for row in &rows {
        answers.push(row.ask(&world).await);
    }

    for kind in ["status", "html"] {
        let series = format!("upstream_throttled_total{{tenant=\"acme\",kind=\"{kind}\"}}");
        assert_eq!(world.metric(&series).await, Some(0.0), "{kind}");
    }
    let lines = world.lines().await;
    let outcomes = lines.iter().filter(|it| it["type"] == "outcome");
    let outcomes: std::collections::HashMap<&str, &Value> = outcomes
        .map(|it| (it["request"].as_str().unwrap(), it))
        .collect();
    for (row, answer) in rows.iter().zip(&answers) {
        row.judge(answer, outcomes[answer.id()]);
    }
    assert_eq!(world.arrivals().len(), rows.len());
    world.end().await;
}

#[tokio::test]
async fn what_is_a_limit_is_a_429_to_reads_and_holds_the_tenant_back() {
    let throttles =
        |row: &Row| row.slows_down() && row.content_type != Some("application/xhtml+xml");
    let rows: Vec<Row> = table().into_iter().filter(throttles).collect();
    // Each of its kind once: a pause takes a second.
    let chosen: Vec<Row> = rows
        .iter()
        .enumerate()
        .filter(|(at, row)| {
            let same =
                |it: &Row| (it.status, it.method, it.body) == (row.status, row.method, row.body);
            rows.iter().position(same) == Some(*at)
                && (row.status != 429 || matches!(row.body, Body::None | Body::LimitPage))
                && !matches!(row.method, "PATCH" | "DELETE")
        })
        .map(|(_, row)| *row)
        .collect();
    assert!(chosen.len() >= 15, "{chosen:?}");
    let worlds = LocalSet::new();

    for part in chosen.chunks(4) {
        worlds.spawn_local(each_holds_the_tenant_back(part.to_vec()));
    }
    worlds.await;
}

async fn each_holds_the_tenant_back(rows: Vec<Row>) {
    for row in rows {
        let world = answering(&[row]).await;
        let answer = row.ask(&world).await;
        row.judge(&answer, &world.outcome(answer.id()).await);

        let began = Instant::now();
        world.get("reports", "/v2/devices").await.is(200);
        let waited = began.elapsed();
        assert!(waited > Duration::from_millis(500), "{row:?}: {waited:?}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_page_from_a_gateway_is_asked_again_for_by_a_read_and_never_by_a_write() {
    let page = |status: u16| {
        let length = PAGE.len();
        format!(
            "HTTP/1.1 {status} Said\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{PAGE}"
        )
    };
    for (status, attempts) in [(502, 3), (503, 3), (504, 3), (500, 1), (404, 1), (403, 1)] {
        let answer = page(status).into_bytes();
        let hostile = Hostile::start(move |_| Act::Keep(answer.clone())).await;
        let world = World::in_front_of(hostile).await;

        let read = world.get("reports", "/v2/devices").await;
        let write = world.post("operator", "/v2/organizations", "{}").await;

        assert_eq!(world.outcome(read.id()).await["attempts"], attempts);
        assert_eq!(world.outcome(write.id()).await["attempts"], 1);
        assert_eq!(world.arrivals().len(), attempts + 1, "{status}");
        world.end().await;
    }
}

/// A body without a length, of which so many bytes come before nothing more does.
fn held(status: u16, bytes: usize, begin: &str) -> Act {
    let mut answer =
        format!("HTTP/1.1 {status} Said\r\nContent-Type: text/html\r\n\r\n{begin}").into_bytes();
    answer.resize(answer.len() + bytes, b' ');
    Act::Hold(answer)
}

#[tokio::test]
async fn a_page_that_never_ends_is_judged_by_its_beginning() {
    // One that stops coming, and one that is longer than what is read.
    for bytes in [0, 1024 * 1024] {
        for (begin, code) in [
            (LIMIT_PAGE, "upstream-throttled"),
            (PAGE, "upstream-refused"),
        ] {
            let hostile = Hostile::start(move |_| held(403, bytes, begin)).await;
            let plan = World::plan().set("retry", "attempts", "1").behind(hostile);
            let world = plan.start().await;
            let began = Instant::now();

            let answer = world.get("reports", "/v2/devices").await;

            assert_eq!(answer.json()["code"], code);
            assert!(began.elapsed() < Duration::from_secs(10));
            world.end().await;
        }
    }
}

#[tokio::test]
async fn a_download_that_is_a_page_is_passed_on() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Disposition: attachment; filename=\"a.html\"";
    let answer = format!(
        "{head}\r\nContent-Length: {}\r\n\r\n{LIMIT_PAGE}",
        LIMIT_PAGE.len()
    );
    let hostile = Hostile::start(move |_| Act::Keep(answer.clone().into_bytes())).await;
    let world = World::in_front_of(hostile).await;

    let target = "/v2/knowledgebase/article/1/download";
    let answer = world.get("reports", target).await;

    answer.is(200);
    assert_eq!(answer.text(), LIMIT_PAGE);
    world.end().await;
}
