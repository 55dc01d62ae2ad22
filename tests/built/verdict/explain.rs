//! `explain ID` says what happened to that request, and never that it was allowed when it was not.

use std::fs;

use crate::{
    answer::Answer,
    journeys::{
        token_endpoint::{bearer, credentials, form_at},
        user_login::UserLogin,
        world::World,
    },
    wait::until,
};

use super::agreement::{plan, stdout, trouble, typed};

/// What `explain` prints of the request, typed as soon as its answer was there.
async fn explained(world: &World, answer: &Answer, code: i32) -> String {
    let output = typed(world, &["explain", answer.id()]).await;
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(code), "{text}{output:?}");
    text
}

/// It was refused, for the reason that these words give.
async fn was_refused(world: &World, answer: &Answer, words: &[&str]) {
    ended_with(world, answer, 5, words).await;
}

async fn ended_with(world: &World, answer: &Answer, code: i32, words: &[&str]) {
    let text = explained(world, answer, code).await;
    for word in words {
        assert!(text.contains(word), "{word:?} in:\n{text}");
    }
    assert!(!text.to_lowercase().contains("allowed"), "{text}");
    let output = typed(world, &["--json", "explain", answer.id()]).await;
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["decision"], answer.json()["code"], "{object}");
}

#[tokio::test]
async fn what_a_caller_ran_into_is_told() {
    let plan = plan().user(UserLogin::LoggedOut).caller(
        "hasty",
        "allow = [\"read\"]\nlimit = { rate = \"1/h\", burst = 1 }",
    );
    let world = plan.build();
    until("a token", async || {
        world.get("reports", "/v2/users").await.status == 200
    })
    .await;

    let fine = world.get("reports", "/v2/users").await;
    let text = explained(&world, &fine, 0).await;
    assert!(
        text.contains("It went to NinjaOne and was answered with status 200."),
        "{text}"
    );
    assert!(text.contains("acme: the one on record"), "{text}");

    world.get("hasty", "/v2/users").await.is(200);
    let limited = world.get("hasty", "/v2/users").await;
    limited.refuses(429, "caller-limit");
    // 75: it works later.
    let words = [
        "It was limited: hasty sent requests faster than its limit",
        "caller-rate; the limit is 1/h, 1 at once",
        "limit.rate and limit.burst of [caller.hasty]",
    ];
    ended_with(&world, &limited, 75, &words).await;

    let write = world
        .post("operator", "/v2/device/101/script/run", "{}")
        .await;
    write.refuses(503, "login-needed");
    let words = ["there was no login", "nobody is logged in", " login acme"];
    ended_with(&world, &write, 4, &words).await;

    let denied = world.post("reports", "/v2/organizations", "{}").await;
    denied.refuses(403, "policy-denied");
    was_refused(
        &world,
        &denied,
        &["the policy of reports", "[caller.reports]"],
    )
    .await;

    world.end().await;
}

#[tokio::test]
async fn what_a_stranger_did_wrong_is_told() {
    let world = plan().start().await;
    let unknown = world
        .unauthenticated("GET", "/v2/users")
        .header(
            "X-Api-Key",
            "njp_nobody_0123456789012345678901234567890123456789012",
        )
        .send()
        .await;
    unknown.refuses(401, "unauthenticated");
    was_refused(
        &world,
        &unknown,
        &["its key, or its token, is unknown here"],
    )
    .await;

    let keyless = world.unauthenticated("GET", "/v2/users").send().await;
    was_refused(&world, &keyless, &["it carried no key and no token"]).await;

    let host = world
        .ask("reports", "GET", "/v2/users")
        .host("elsewhere.example");
    let host = host.send().await;
    host.refuses(421, "host-refused");
    was_refused(
        &world,
        &host,
        &[
            "named a host that this proxy does not serve",
            "listen.hosts",
        ],
    )
    .await;

    let mut wire = world.wire().await;
    wire.try_send(b"this is no HTTP at all\r\n\r\n".to_vec())
        .await;
    let nonsense = wire.answer_to("GET").await.expect("an answer");
    was_refused(&world, &nonsense, &["the bytes are not an HTTP request"]).await;
    world.end().await;
}

#[tokio::test]
async fn during_an_outage_of_the_log_it_says_what_can_be_said() {
    let mut world = plan().start().await;
    let away = world.directory().join("away");
    fs::rename(world.audit_path(), away).unwrap();
    fs::write(world.audit_path(), "not a directory").unwrap();
    trouble(&world, "audit-failing").await;
    let refused = world.post("operator", "/v2/organizations", "{}").await;
    refused.refuses(503, "audit-unavailable");

    let text = explained(&world, &refused, 75).await;

    for word in [
        refused.id(),
        "its line is not on disk",
        "503 audit-unavailable",
    ] {
        assert!(text.contains(word), "{word:?} in:\n{text}");
    }
    world.program().signal(rustix::process::Signal::TERM);
    world.program().ends().await;
    world.gone();
}

/// What `explain` says of a request that no policy was asked of, with the decision that is in its line.
async fn explained_by_the_line(world: &World, answer: &Answer, code: i32) -> String {
    let text = explained(world, answer, code).await;
    assert!(!text.contains("By the rules now in force"), "{text}");
    assert!(!text.contains("unknown-operation"), "{text}");
    let output = typed(world, &["--json", "explain", answer.id()]).await;
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let line = world.outcome(answer.id()).await;
    assert_eq!(object["decision"], line["decision"], "{object}");
    text
}

#[tokio::test]
async fn what_the_proxy_itself_answered_is_told_as_such() {
    let world = plan().start().await;
    for base in ["", "/tenant/acme"] {
        let token_path = format!("{base}/ws/oauth/token");
        let token = form_at(&world, &token_path, &credentials(&world, "reports"));
        let token = token.send().await;
        token.is(200);
        let text = explained_by_the_line(&world, &token, 0).await;
        let words = "The proxy itself answered with status 200: a token was issued.";
        assert!(text.contains(words), "{text}");

        let issued = token.json()["access_token"].as_str().unwrap().to_owned();
        let body = format!("{}&token={issued}", credentials(&world, "reports"));
        let revoke_path = format!("{base}/ws/oauth/revoke");
        let revoked = form_at(&world, &revoke_path, &body).send().await;
        revoked.is(200);
        let text = explained_by_the_line(&world, &revoked, 0).await;
        assert!(text.contains("the token was revoked"), "{text}");

        let late = bearer(&world, &token, "/v2/users").send().await;
        late.refuses(401, "unauthenticated");
        was_refused(&world, &late, &["its token was revoked"]).await;

        let metadata_path = format!("{base}/.well-known/oauth-authorization-server");
        let metadata = world.unauthenticated("GET", &metadata_path).send().await;
        metadata.is(200);
        let text = explained_by_the_line(&world, &metadata, 0).await;
        assert!(text.contains("the metadata"), "{text}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_refused_request_for_a_token_is_explained_by_what_was_wrong() {
    let world = plan().start().await;
    let client = credentials(&world, "reports");
    let password = client.replace("client_credentials", "password");
    let stranger = "grant_type=client_credentials&client_id=reports&client_secret=wrong";
    for (body, status, words) in [
        (format!("{client}&scope=admin"), 400, "invalid_scope"),
        (password, 400, "unsupported_grant_type"),
        (
            "grant_type=client_credentials".to_owned(),
            401,
            "it named no client",
        ),
        (stranger.to_owned(), 401, "its client is not known here"),
    ] {
        let answer = form_at(&world, "/ws/oauth/token", &body).send().await;
        answer.is(status);
        let text = explained_by_the_line(&world, &answer, 5).await;
        assert!(text.contains("No token was issued: "), "{text}");
        assert!(text.contains(words), "{words:?} in:\n{text}");
        assert!(!text.contains("two ways"), "{text}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_body_that_stalled_is_told_with_what_ninjaone_may_have_of_it() {
    let world = plan().set("timeouts", "idle", "\"300ms\"").start().await;
    let key = world.key("operator");
    for (length, sent, words) in [
        ("9", 1, "Nothing was sent."),
        // Longer than what is waited for before any of it is sent on.
        (
            "1000000",
            500_000,
            "A part of it may have reached NinjaOne.",
        ),
    ] {
        let head = format!(
            "POST /v2/organizations HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut wire = world.wire().await;
        wire.send(head).await;
        wire.send(vec![b'x'; sent]).await;
        let answer = wire.answer_to("POST").await.expect("an answer");
        answer.refuses(400, "bad-request");
        let told = ["its caller stopped sending its body", words];
        was_refused_then(&world, &answer, &told).await;
    }
    world.end().await;
}

/// As [`was_refused`], of one that has `decision allowed` in its line if a part of it was sent.
async fn was_refused_then(world: &World, answer: &Answer, words: &[&str]) {
    let text = explained(world, answer, 5).await;
    for word in words {
        assert!(text.contains(word), "{word:?} in:\n{text}");
    }
    let output = typed(world, &["--json", "explain", answer.id()]).await;
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["decision"], "bad-request", "{object}");
}
