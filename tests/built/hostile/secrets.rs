//! Secrets that must not appear in the audit log, metrics, status or refusals; and lines that cannot be forged.

use crate::wire::{Client, Wire, get};

use super::{
    evil::{Evil, Step, ok},
    stack::{Proxied, Stack, key},
};

/// Where secrets go in; each has its own number.
#[expect(clippy::too_many_lines, reason = "a table")]
fn requests(key: &str) -> Vec<String> {
    let head = |line: &str, lines: &str, body: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let good = format!("X-Api-Key: {key}\r\n");
    vec![
        head("GET /v2/devices?x=CANARY-query", &good, ""),
        head(
            "GET /v2/devices",
            &format!(
                "{good}Cookie: sessionKey=CANARY-cookie\r\nX-Foo: CANARY-header\r\nAccept: CANARY-accept\r\nUser-Agent: CANARY-agent\r\n"
            ),
            "",
        ),
        head(
            "POST /v2/organizations",
            &format!("{good}Content-Type: application/json\r\n"),
            r#"{"name":"CANARY-body"}"#,
        ),
        head(
            "GET /v2/devices",
            "X-Api-Key: CANARY-key-of-nobody-0123456789abcdef\r\n",
            "",
        ),
        head(
            "GET /v2/devices",
            "Authorization: Bearer CANARY-bearer\r\n",
            "",
        ),
        head(
            "GET /v2/devices",
            "Authorization: Basic Q0FOQVJZOkNBTkFSWQ==\r\n",
            "",
        ),
        head("GET /v2/devices", "Authorization: CANARY-scheme x\r\n", ""),
        head(
            "GET /v2/devices",
            &format!("{good}Authorization: Bearer CANARY-both\r\n"),
            "",
        ),
        head("GET /v2/devices?access_token=CANARY-token", &good, ""),
        head("GET /v2/nothing?x=CANARY-unknown", &good, ""),
        head(
            "GET /v2/devices",
            &format!("{good}NJP-Tenant: CANARY-tenant\r\n"),
            "",
        ),
        head(
            "GET /v2/devices",
            &format!("{good}Origin: https://CANARY-origin\r\n"),
            "",
        ),
        head(
            "GET /v2/devices",
            &format!("{good}Expect: CANARY-expect\r\n"),
            "",
        ),
        head("GET /v2/devices", "Host: CANARY-host\r\n", ""),
        head(
            "POST /oauth/token",
            "",
            "grant_type=client_credentials&client_id=reporting&client_secret=CANARY-secret",
        ),
        head(
            "POST /oauth/token",
            "Authorization: Basic CANARY\r\n",
            "grant_type=CANARY-grant",
        ),
        head(
            "POST /oauth/token",
            "",
            "client_id=CANARY-client&client_secret=CANARY&scope=CANARY-scope&grant_type=client_credentials",
        ),
        head("GET /v2/devices?x=CANARY-quote\"", &good, ""),
        "GET /v2/devices HTTP/1.1\r\nCANARY broken\r\n\r\n".to_owned(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_the_log_the_metrics_the_status_or_a_refusal() {
    let evil = Evil::start(|asked| match asked.target() {
        it if it.contains("fail") => vec![Step::Send(
            b"HTTP/1.1 200 OK\r\nCANARY-bad head\r\n\r\n".to_vec(),
        )],
        _ => vec![Step::ReadBody, Step::Send(ok("application/json", "{}"))],
    })
    .await;
    let everything = ("telemetry.log", "level", "\"debug\"");
    let proxy = Proxied::start_with(
        evil.address,
        "CANARY-client-secret",
        &[("retry", "attempts", "1"), everything],
    );
    let operator = key("operator");
    let mut told = String::new();
    let mut answered = 0;
    let mut all = requests(&operator);
    all.push(format!(
        "GET /v2/devices?fail HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {operator}\r\n\r\n"
    ));
    for bytes in all {
        if let Some(reply) = Client::new(proxy.callers).ask(bytes.as_bytes()).await {
            told += &reply.head;
            told += &reply.text();
            answered += 1;
        }
    }
    // The token of the simulated NinjaOne is a canary too, and must have been used.
    assert!(
        evil.asked()
            .iter()
            .any(|it| it.header("authorization") == Some("Bearer CANARY-access-token"))
    );
    for asked in evil.asked() {
        assert!(!asked.head.contains(&operator), "the caller's key went out");
        for gone in [
            "CANARY-cookie",
            "CANARY-header",
            "CANARY-both",
            "CANARY-tenant",
        ] {
            assert!(!asked.head.contains(gone), "{gone} went out");
        }
    }
    for page in [
        "/status",
        "/metrics",
        "/readyz?verbose",
        "/livez",
        "/nothing?CANARY",
    ] {
        told += &get(proxy.admin, page, "CANARY-admin").await.text();
    }
    told += &proxy.audit(answered).await.join("\n");
    told += &proxy.program.log.text();
    assert!(told.contains("ninjaone_proxy_requests_total") && told.contains("\"outcome\""));
    for secret in ["CANARY", operator.as_str(), key("reporting").as_str()] {
        if let Some(at) = told.find(secret) {
            let from = told.floor_char_boundary(at.saturating_sub(300));
            panic!(
                "a secret shows: {}",
                &told[from..told.ceil_char_boundary(at + 60)]
            );
        }
    }
    proxy.stop().await;
}

/// Bytes that forge lines, move cursors and turn the direction of writing.
const PIECES: [&str; 20] = [
    "\r\n{\"type\":\"outcome\"}",
    "\n",
    "\r",
    "\0",
    "\x1b[31m",
    "\x1b]0;x\x07",
    "\u{9b}31m",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\x7f",
    "\x08\x08",
    "\",\"caller\":\"root",
    "\\\",\"x\":\"",
    "\t",
    "\u{200f}",
    "%0d%0a%1b[2J",
];

fn escaped(text: &str) -> String {
    percent_encoding::percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC)
        .to_string()
}

fn payloads(key: &str) -> Vec<String> {
    let mut all = Vec::new();
    for chunk in PIECES {
        let hex = escaped(chunk);
        let lines = |first: &str, more: &str| {
            format!("{first} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n{more}\r\n")
        };
        all.extend([
            lines(&format!("GET /v2/{chunk}"), ""),
            lines(&format!("GET /v2/{hex}"), ""),
            lines(&format!("GET /v2/alert/{hex}"), ""),
            lines(&format!("DELETE /v2/alert/{hex}"), ""),
            lines(&format!("GET /v2/devices?x={chunk}"), ""),
            lines("GET /v2/devices", &format!("NJP-Reason: a{chunk}b\r\n")),
            lines(
                "GET /v2/devices",
                &format!("NJP-On-Behalf-Of: a{chunk}b\r\n"),
            ),
            lines("GET /v2/devices", &format!("NJP-Tenant: a{chunk}b\r\n")),
            lines("GET /v2/devices", &format!("User-Agent: a{chunk}b\r\n")),
            lines(&format!("GET{chunk} /v2/devices"), ""),
            lines(&format!("GET /tenant/{hex}/v2/devices"), ""),
        ]);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_can_forge_a_line_of_the_log_or_move_a_terminal() {
    const PAYLOADS_MIN: usize = 200;
    let stack = Stack::start();
    let all = payloads(&key("operator"));
    assert!(all.len() >= PAYLOADS_MIN);
    for bytes in &all {
        let mut wire = Wire::to(stack.proxy.callers).await;
        wire.try_send(bytes).await;
        if let Some(reply) = wire.answer().await {
            for byte in reply.body.iter().filter(|_| reply.status >= 400) {
                assert!(*byte >= 0x20 && *byte != 0x7f, "{reply:?}");
            }
        }
    }
    let lines = stack.proxy.audit(all.len()).await;
    assert!(lines.len() >= all.len());
    for line in &lines {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
        let deceives = |letter: char| {
            letter.is_control()
                || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        assert!(!line.contains(deceives), "{line:?}");
        assert!(!line.contains("\"caller\":\"root\""), "{line}");
    }
    stack.proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_proofs_cannot_be_told_apart() {
    let stack = Stack::start();
    let good = key("operator");
    let mut almost = good.clone();
    almost.pop();
    almost.push('!');
    let mut answers = Vec::new();
    for lines in [
        String::new(),
        "X-Api-Key: x\r\n".to_owned(),
        format!("X-Api-Key: {almost}\r\n"),
        format!("Authorization: Bearer {almost}\r\n"),
        "Authorization: Basic eDp5\r\n".to_owned(),
        "Authorization: what\r\n".to_owned(),
        format!("Authorization: Bearer {good}\r\nX-Api-Key: {almost}\r\n"),
        format!(
            "Authorization: Bearer {good}\r\nX-Api-Key: {}\r\n",
            key("reporting")
        ),
    ] {
        let bytes = format!("GET /v2/devices HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        let reply = Client::new(stack.proxy.callers)
            .ask(bytes.as_bytes())
            .await
            .unwrap();
        assert_eq!(reply.status, 401, "{lines}");
        let id = reply.header("x-request-id").unwrap().to_owned();
        let line = |it: &str| !it.to_lowercase().starts_with("date:");
        let head: Vec<&str> = reply.head.lines().filter(|it| line(it)).collect();
        answers.push(format!("{head:?}{}", reply.text()).replace(&id, "ID"));
    }
    assert!(answers.iter().all(|it| *it == answers[0]), "{answers:#?}");
    assert_eq!(stack.arrived().len(), 0);
    stack.proxy.stop().await;
}
