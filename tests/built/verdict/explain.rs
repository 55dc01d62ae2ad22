//! `explain ID` says what happened to that request, and never that it was allowed when it was not.

use std::fs;

use crate::{
    answer::Answer,
    journeys::{user_login::UserLogin, world::World},
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
    let text = explained(world, answer, 5).await;
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

    world.get("hasty", "/v2/users").await.is(200);
    let limited = world.get("hasty", "/v2/users").await;
    limited.refuses(429, "caller-limit");
    was_refused(
        &world,
        &limited,
        &["It was limited", "hasty", "caller-rate", "[caller.hasty]"],
    )
    .await;

    let write = world
        .post("operator", "/v2/device/101/script/run", "{}")
        .await;
    write.refuses(503, "login-needed");
    was_refused(
        &world,
        &write,
        &["there was no login", "ninjaone-proxy login acme"],
    )
    .await;

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
        &["named a host that is not answered here", "listen.hosts"],
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
