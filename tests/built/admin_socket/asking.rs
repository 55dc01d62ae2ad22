//! What those who may look ask the running proxy: it answers by the rules in force, for users who cannot read its files.

use std::{
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

use ninjaone_proxy::{admin::inquiries::EXPLANATIONS_MAX, clock::Timestamp, names::RequestId};
use serde_json::Value;

use crate::{
    answer::Answer,
    key::new_key,
    wait::until,
    wire::{Wire, get},
};

use super::{Guarded, Told};

const AUDITOR: &str = "[{ unix = { user = \"nobody\" }, role = \"auditor\" }]";

/// The object that a command printed.
fn object(told: &Told) -> Value {
    serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{}{}", told.out, told.err))
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} in:\n{text}");
    }
}

#[tokio::test]
async fn explain_goes_by_the_rules_in_force_and_needs_no_configuration() {
    let mut guarded = Guarded::start_with(AUDITOR, |settings| {
        settings.caller("reports", &new_key("reports"), "allow = [\"read\"]");
    });
    let question = ["explain", "reports", "GET", "/v2/devices"];
    let told = guarded.command_of_nobody(&question);
    assert_eq!(told.code, 0, "{}{}", told.out, told.err);
    has(
        &told.out,
        &[
            "reports is known",
            "acme: the only one",
            "Allowed by caller.reports",
        ],
    );
    has(
        &told.err,
        &["By the rules in force in the proxy at", "admin.sock"],
    );

    let refused = ["--json", "explain", "reports", "POST /v2/organizations"];
    let told = guarded.command_of_nobody(&refused);
    let answer = object(&told);
    assert_eq!(
        (told.code, &answer["decision"]),
        (5, &"policy-denied".into())
    );
    assert_eq!(answer["schema"], "explain/1");
    assert_eq!(answer["rules"]["from"], "proxy");
    assert!(answer["rules"]["generation"].is_u64());
    assert!(answer.get("text").is_none() && answer.get("exit").is_none());

    // What the files say since is not in force, because it is wrong.
    guarded.rewrite("redy", "\"listening\"");
    assert_eq!(guarded.command_of_nobody(&question).code, 0);
    let told = guarded.command(&["explain", "--offline", "reports", "GET", "/v2/devices"]);
    assert_eq!(told.code, 78, "{}", told.out);

    for wrong in ["reports FETCH /v2/devices", "reports GET /v2/../x"] {
        let words: Vec<&str> = ["explain"].into_iter().chain(wrong.split(' ')).collect();
        let told = guarded.command(&words);
        assert_eq!(told.code, 2, "{wrong}: {}", told.err);
    }
    let told = guarded.command(&["explain", "report", "GET", "/v2/devices"]);
    assert_eq!(told.code, 1);
    has(&told.out, &["did you mean reports?"]);
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn a_caller_whose_keys_have_expired_is_led_to_a_later_date() {
    let key = new_key("late");
    let guarded = Guarded::start_with("[]", |settings| {
        let rules = "allow = [\"read\"]\nexpires = \"2020-01-01\"";
        settings.caller("late", &key, rules);
    });
    let later = "caller set late --expires DATE";
    let told = guarded.command(&["explain", "late", "GET", "/v2/devices"]);
    assert_eq!(told.code, 5, "{}{}", told.out, told.err);
    has(
        &told.out,
        &[
            "Refused (unauthenticated): the keys of late expired on 2020-01-01",
            later,
        ],
    );
    assert!(!told.out.contains("\nAllowed"), "{}", told.out);
    let told = guarded.command(&["--json", "explain", "late", "GET", "/v2/devices"]);
    assert_eq!(object(&told)["decision"], "unauthenticated");

    let answer = get(guarded.proxy.callers, "/v2/devices", &key).await;
    answer.refuses(401, "unauthenticated");
    guarded.proxy.outcome(answer.id()).await;
    let told = guarded.command(&["explain", answer.id()]);
    assert_eq!(told.code, 5, "{}{}", told.out, told.err);
    has(&told.out, &["has expired", later]);

    has(&guarded.command(&["doctor", "--offline"]).out, &[later]);
    has(&guarded.command(&["status"]).out, &["late (keys expired)"]);
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn our_own_endpoints_are_explained_too() {
    let guarded = Guarded::start_with("[]", |settings| {
        settings.caller("reports", &new_key("reports"), "allow = [\"read\"]");
    });
    for (target, words) in [
        ("POST /ws/oauth/token", "client_credentials"),
        ("POST /tenant/acme/oauth/token/", "client_credentials"),
        ("POST /ws/oauth/revoke", "revokes a token"),
        ("GET /.well-known/oauth-authorization-server", "RFC 8414"),
    ] {
        let told = guarded.command(&["explain", "reports", target]);
        assert_eq!(told.code, 0, "{target}: {}{}", told.out, told.err);
        has(&told.out, &[words, "no policy is asked"]);
    }
    let told = guarded.command(&["explain", "nobody", "POST /ws/oauth/token"]);
    assert_eq!(told.code, 1);
    let told = guarded.command(&["explain", "reports", "GET /ws/oauth/token"]);
    assert_eq!(told.code, 5);
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn a_request_is_looked_up_in_the_files_or_taken_from_the_proxys_own_word() {
    let guarded = Guarded::start(AUDITOR);
    let answer = get(guarded.proxy.callers, "/v2/devices", &new_key("nobody")).await;
    answer.refuses(401, "unauthenticated");
    guarded.proxy.outcome(answer.id()).await;

    let told = guarded.command(&["--json", "explain", answer.id()]);
    let by_files = object(&told);
    assert_eq!(told.code, 5, "{}", told.err);
    assert_eq!(by_files["source"], "files");
    assert_eq!(by_files["rules"]["from"], "proxy");

    // The directory of the audit log is closed to others.
    let told = guarded.command_of_nobody(&["--json", "explain", answer.id()]);
    let by_proxy = object(&told);
    assert_eq!(told.code, 5, "{}", told.err);
    assert_eq!(by_proxy["source"], "proxy");
    assert_eq!(by_proxy["then"], by_files["then"]);
    let told = guarded.command_of_nobody(&["explain", answer.id()]);
    has(
        &told.out,
        &[
            "its key, or its token, is unknown here",
            "the running proxy's own word",
        ],
    );
    let told = guarded.command(&["explain", answer.id()]);
    assert!(!told.out.contains("own word"), "{}", told.out);

    let absent = "01K9YJ00000000000000000009";
    let told = guarded.command_of_nobody(&["explain", absent]);
    assert_eq!(told.code, 1, "{}", told.out);
    has(&told.err, &["error: request", absent, "is not in"]);
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn the_proxy_verifies_its_log_for_those_who_cannot_read_it_and_says_whose_word_that_is() {
    let guarded = Guarded::start(AUDITOR);
    let told = guarded.command(&["--json", "audit", "verify"]);
    let by_files = object(&told);
    assert_eq!(
        (told.code, &by_files["source"]),
        (0, &"files".into()),
        "{}",
        told.err
    );
    assert_eq!(by_files["verdict"], "whole");

    let told = guarded.command_of_nobody(&["--json", "audit", "verify"]);
    let by_proxy = object(&told);
    assert_eq!(
        (told.code, &by_proxy["source"]),
        (0, &"proxy".into()),
        "{}",
        told.err
    );
    let told = guarded.command_of_nobody(&["audit", "verify"]);
    has(
        &told.out,
        &["The audit log is whole", "own word", "proves nothing"],
    );

    let anchor = format!("{}:{}", 1, "0".repeat(64));
    let told = guarded.command_of_nobody(&["audit", "verify", "--anchor", &anchor]);
    assert_eq!(told.code, 7, "{}{}", told.out, told.err);
    has(
        &told.out,
        &["BROKEN", "the anchor gives another hash for line 1"],
    );
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn doctor_checks_with_the_proxys_secrets_and_an_auditor_sends_nothing() {
    let mut guarded = Guarded::start(AUDITOR);
    let told = guarded.command_of_nobody(&["--json", "doctor", "--offline"]);
    let report = object(&told);
    assert_eq!(report["schema"], "doctor/1", "{}", told.err);
    assert_eq!(report["source"], "proxy");
    let checks = report["checks"].as_array().unwrap();
    let check = |name: &str| checks.iter().find(|it| it["name"] == name).unwrap();
    has(
        check("configuration")["seen"].as_str().unwrap(),
        &["1 tenant", "in force"],
    );
    has(
        check("audit-directory")["seen"].as_str().unwrap(),
        &["is private"],
    );
    assert_eq!(check("ports")["verdict"], "ok");

    let told = guarded.command_of_nobody(&["doctor"]);
    assert_eq!(told.code, 1, "{}", told.out);
    has(
        &told.err,
        &["an auditor may look but change nothing", "doctor --offline"],
    );

    // The operator's goes out: nothing listens at this NinjaOne.
    let told = guarded.command(&["doctor"]);
    assert_eq!(told.code, 1, "{}{}", told.out, told.err);
    has(&told.out, &["acme/tcp", "FAILED", "What to do"]);
    has(&told.err, &["Checked by the proxy at"]);
    let told = guarded.command(&["-q", "doctor", "acme", "--offline"]);
    assert!(!told.out.contains("audit-directory"), "{}", told.out);
    let told = guarded.command(&["doctor", "globex"]);
    assert_eq!(told.code, 1);
    has(&told.err, &["no tenant \"globex\"", "acme"]);

    guarded.rewrite("redy", "\"listening\"");
    until("the wrong file was seen", async || {
        let told = guarded.command(&["--json", "doctor", "--offline"]);
        told.out.contains("cannot be loaded")
    })
    .await;
    guarded.proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_doctor_runs_at_a_time_and_the_status_is_shown_meanwhile() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("\"http://{}\"", silent.local_addr().unwrap());
    let guarded = Guarded::start_with(AUDITOR, |settings| settings.set("tenant.acme", "url", &url));
    let socket = guarded.socket();
    let ask = || post(&socket, "/doctor", "{}");
    // One of them waits for NinjaOne; the other one need not.
    let refused = tokio::select! {
        one = ask() => one,
        other = ask() => other,
    };
    assert_eq!(refused.status, 503);
    has(&refused.text(), &["busy with other runs of doctor"]);
    let told = guarded.command(&["status", "--json"]);
    assert!(told.out.contains("status/1"), "{}", told.err);
}

#[tokio::test]
async fn four_explanations_are_made_at_a_time() {
    let guarded = Guarded::start("[]");
    // Of a request that came just now the line is waited for.
    let now = Timestamp::now().unix_millis();
    let ask = |number: u128| {
        let (socket, id) = (guarded.socket(), RequestId::new(now, number));
        async move {
            let body = format!("{{\"request\":\"{id}\"}}");
            post(&socket, "/explain", &body).await
        }
    };
    let (one, two, three, four, five) = tokio::join!(ask(1), ask(2), ask(3), ask(4), ask(5));
    let answers = [one, two, three, four, five];
    let mut busy = answers.iter().filter(|it| it.status == 503);
    has(
        &busy.next().unwrap().text(),
        &["busy with other explanations"],
    );
    assert!(busy.next().is_none());
    let others = answers.iter().filter(|it| it.status == 200);
    for answer in others {
        assert_eq!(answer.json()["exit"], 75);
    }
    guarded.proxy.stop().await;
}

/// The line of a request that came just now is waited for, for two seconds.
/// Asks after requests that are in no log, as often as is answered at a time.
async fn as_many_as_wait(socket: &Path) -> Vec<Wire> {
    let now = Timestamp::now().unix_millis();
    let mut waiting = Vec::new();
    for number in 1..=EXPLANATIONS_MAX {
        let body = format!(
            "{{\"request\":\"{}\"}}",
            RequestId::new(now, number as u128)
        );
        let mut wire = Wire::over(tokio::net::UnixStream::connect(socket).await.unwrap());
        wire.send(post_head("/explain", &body)).await;
        waiting.push(wire);
    }
    waiting
}

#[tokio::test]
async fn whoever_hangs_up_leaves_the_place_to_the_next() {
    let guarded = Guarded::start("[]");
    let socket = guarded.socket();
    let began = Instant::now();
    let waiting = as_many_as_wait(&socket).await;
    let imagined = r#"{"caller":"reports","method":"GET","target":"/v2/devices"}"#;
    assert_eq!(post(&socket, "/explain", imagined).await.status, 503);

    drop(waiting);
    while post(&socket, "/explain", imagined).await.status == 503 {}

    assert!(began.elapsed() < Duration::from_millis(1_500));
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn whoever_comes_while_others_are_answered_is_to_try_again_later() {
    let guarded = Guarded::start_with(AUDITOR, |_| {});
    let socket = guarded.socket();
    let _waiting = as_many_as_wait(&socket).await;
    let told = guarded.command_of_nobody(&["explain", "reports", "GET", "/v2/devices"]);
    assert_eq!(told.code, 75, "{}{}", told.out, told.err);
    has(&told.err, &["busy with other explanations"]);
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn one_verification_is_made_at_a_time() {
    let guarded = Guarded::start("[]");
    // A line without an end is given time to get one, in each of these files.
    for number in 1_000..1_020 {
        let name = format!("audit-{number:012}.jsonl");
        std::fs::write(guarded.proxy.directory.audit().join(name), "torn").unwrap();
    }
    let socket = guarded.socket();
    let ask = || post(&socket, "/audit/verify", "{}");
    let (one, two) = tokio::join!(ask(), ask());
    let (busy, done) = if one.status == 503 {
        (one, two)
    } else {
        (two, one)
    };
    assert_eq!((busy.status, done.status), (503, 200));
    has(&busy.text(), &["busy with other verifications"]);
    assert_eq!(done.json()["exit"], 7);
}

async fn post(socket: &Path, path: &str, body: &str) -> Answer {
    let stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    let mut wire = Wire::over(stream);
    wire.send(post_head(path, body)).await;
    wire.answer().await.unwrap()
}

fn post_head(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn questions_are_posted_with_a_proof_and_understood_or_refused() {
    let guarded = Guarded::start("[]");
    for path in ["/explain", "/audit/verify", "/doctor", "/logout"] {
        let answer = guarded.proxy.admin(path).await;
        assert!(
            matches!(answer.status, 401 | 405),
            "{path}: {}",
            answer.status
        );
        let mut wire = Wire::to(guarded.proxy.admin).await;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}");
        wire.send(head).await;
        assert_eq!(wire.answer().await.unwrap().status, 401, "{path}");
    }
    for (path, body, words) in [
        (
            "/explain",
            "{}",
            "give caller, method and target, or request, or line",
        ),
        ("/explain", "{\"quest\":1}", "the body is a JSON object"),
        ("/explain", "{\"line\":\"no line\"}", "no line of a request"),
        (
            "/audit/verify",
            "{\"anchors\":[\"x\"]}",
            "expected a line's number and its hash",
        ),
        ("/doctor", "[1]", "the body is a JSON object"),
    ] {
        let answer = post(&guarded.socket(), path, body).await;
        assert_eq!(answer.status, 400, "{path} {body}");
        assert_eq!(answer.json()["schema"], "error/1");
        has(&answer.text(), &[words]);
    }
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn what_a_question_says_is_repeated_without_what_controls_a_terminal() {
    let guarded = Guarded::start("[]");
    for question in [
        r#"{"request":"\u001b[2J"}"#,
        r#"{"caller":"reports","method":"\u001b[2J","target":"/v2/devices"}"#,
        r#"{"caller":"reports","method":"GET","target":"/v2/\u001b[2J"}"#,
    ] {
        let answer = post(&guarded.socket(), "/explain", question).await.json();
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains("\u{fffd}[2J"), "{error}");
        assert!(!error.contains('\u{1b}'), "{error}");
    }
    guarded.proxy.stop().await;
}
