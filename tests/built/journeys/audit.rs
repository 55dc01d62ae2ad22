//! The audit log: a request that cannot be recorded is not sent, and one that was begun is recorded to its end.

use std::fs;

use crate::{audit_log, program::Program, wait::until};

use super::world::World;

const MADE: &str = "{\"name\":\"On record\"}";

#[tokio::test]
async fn while_the_log_cannot_be_written_nothing_is_changed_and_reads_go_on() {
    let world = World::new().await;
    world
        .post("operator", "/v2/organizations", MADE)
        .await
        .is(200);
    let (here, away) = (world.audit_path(), world.directory().join("away"));

    fs::rename(&here, &away).unwrap();
    let before = world.saw().len();
    for target in ["/v2/organizations", "/v2/organization/generate-installer"] {
        let answer = world.post("operator", target, MADE).await;
        answer.refuses(503, "audit-unavailable").retry_after();
    }
    let secret = "/v2/queries/custom-fields?showSecureValues=true";
    let answer = world.get("operator", secret).await;
    answer.refuses(503, "audit-unavailable");
    assert_eq!(world.saw().len(), before);
    world.get("reports", "/v2/users").await.is(200);
    let status = world.admin("/status").await.json();
    assert_eq!(status["audit"]["state"], "failing");
    assert_eq!(status["health"], "degraded");
    let path = status["audit"]["path"].as_str().unwrap();
    assert!(path.starts_with(here.to_str().unwrap()), "{path}");

    fs::rename(&away, &here).unwrap();
    until("the log", async || {
        world
            .post("operator", "/v2/organizations", MADE)
            .await
            .status
            == 200
    })
    .await;
    let lines = world.lines().await;
    assert!(lines.iter().any(|it| it["type"] == "gap"));
    world.end().await;
}

#[tokio::test]
async fn reads_are_refused_too_where_the_operator_wants_it_so() {
    let refuse = "{ read = \"refuse\" }";
    let world = World::plan()
        .set("audit", "on_failure", refuse)
        .start()
        .await;
    let (here, away) = (world.audit_path(), world.directory().join("away"));

    fs::rename(&here, &away).unwrap();
    let write = world.post("operator", "/v2/organizations", MADE).await;
    write.refuses(503, "audit-unavailable");
    let read = world.get("reports", "/v2/users").await;
    read.refuses(503, "audit-unavailable").retry_after();
    assert_eq!(world.saw(), Vec::<String>::new());

    fs::rename(&away, &here).unwrap();
    until("the log", async || {
        world.get("reports", "/v2/users").await.status == 200
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_log_that_was_deleted_goes_on_in_another_file_and_says_so() {
    let world = World::new().await;
    world.get("reports", "/v2/users").await.is(200);
    world.lines().await;
    let first = fs::read_dir(world.audit_path()).unwrap();
    let first = first
        .map(|it| it.unwrap().path())
        .find(|it| it.extension().is_some_and(|it| it == "jsonl"));
    let first = first.unwrap();
    let kept = world.directory().join("kept");
    fs::hard_link(&first, &kept).unwrap();

    fs::remove_file(&first).unwrap();
    until("another file", async || {
        world
            .post("operator", "/v2/organizations", MADE)
            .await
            .status
            == 200
    })
    .await;

    // Put back, the chain is whole again.
    fs::rename(kept, first).unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_write_whose_caller_hangs_up_is_finished_and_recorded() {
    let world = World::new().await;
    world.trouble(r#"{"slow_ms":300}"#);
    let mut wire = world.wire().await;
    let ask = world.ask("operator", "PATCH", "/v2/device/101");
    wire.send(ask.body("{}").bytes()).await;
    world.ninja().wait_for_requests(2).await;

    drop(wire);

    let line = only_outcome(&world).await;
    assert_eq!(line["status"], 204);
    assert_eq!(line["attempts"], 1);
    assert_eq!(world.saw(), ["PATCH /v2/device/101 204"]);
    world.end().await;
}

#[tokio::test]
async fn a_drain_waits_for_a_write_whose_caller_hung_up() {
    let world = World::new().await;
    world.trouble(r#"{"slow_ms":1800}"#);
    let mut wire = world.wire().await;
    let ask = world.ask("operator", "PATCH", "/v2/device/101");
    wire.send(ask.body("{}").bytes()).await;
    world.ninja().wait_for_requests(2).await;
    drop(wire);
    let path = world.audit_path();

    world
        .end_then(move || {
            let lines = audit_log::lines(&path);
            let line = lines.iter().find(|it| it["type"] == "outcome").unwrap();
            assert_eq!(line["status"], 204, "{line}");
            assert_eq!(line["error"].as_str(), None, "{line}");
        })
        .await;
}

#[tokio::test]
async fn a_read_of_secrets_is_announced_like_a_write() {
    let world = World::new().await;

    let target = "/v2/queries/custom-fields?showSecureValues=true";
    let answer = world.get("operator", target).await;

    answer.is(200);
    let lines = world.lines().await;
    let kinds: Vec<_> = lines
        .iter()
        .filter(|it| it["request"] == answer.id())
        .map(|it| (it["type"].as_str().unwrap(), it["class"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds[0], ("intent", "secrets"));
    world.end().await;
}

#[tokio::test]
async fn two_programs_never_write_one_log() {
    let world = World::new().await;

    let toml = fs::read_to_string(world.directory().config()).unwrap();
    let toml = toml.replace(&world.callers.to_string(), "127.0.0.1:0");
    let toml = toml.replace(&world.admin.to_string(), "127.0.0.1:0");
    let other = world.directory().join("second.toml");
    fs::write(&other, toml).unwrap();
    let mut second = Program::start(&other);
    let status = second.ends().await;

    assert_eq!(status.code(), Some(1));
    let told = second.log.text();
    assert!(told.contains("audit"), "{told}");
    world.get("reports", "/v2/users").await.is(200);
    world.end().await;
}

#[tokio::test]
async fn the_files_of_the_log_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new().await;
    world.get("reports", "/v2/users").await.is(200);

    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.audit_path()), 0o700);
    for file in fs::read_dir(world.audit_path()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
    world.end().await;
}

#[tokio::test]
async fn a_read_whose_caller_hangs_up_before_the_answer_is_on_record() {
    let world = World::new().await;
    world.trouble(r#"{"slow_ms":2000}"#);
    let mut wire = world.wire().await;
    let ask = world.ask("reports", "GET", "/v2/users");
    wire.send(ask.bytes()).await;
    world.ninja().wait_for_requests(2).await;

    drop(wire);

    let line = only_outcome(&world).await;
    assert_eq!(line["status"], 499);
    assert_eq!(line["error"], "abandoned");
    assert_eq!(line["attempts"], 1, "NinjaOne has received it");
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_in_the_middle_of_its_body_is_on_record_and_nothing_was_done() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    let ask = world.ask("operator", "POST", "/v2/organizations");
    wire.send(ask.header("Content-Length", "1000").bytes())
        .await;
    wire.send("{\"name\":").await;

    drop(wire);

    let line = only_outcome(&world).await;
    assert_eq!(line["status"], 499, "{line}");
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

/// The first outcome, once there is one.
async fn only_outcome(world: &World) -> serde_json::Value {
    let mut found = None;
    until("the outcome", async || {
        let lines = world.lines().await;
        found = lines.into_iter().find(|it| it["type"] == "outcome");
        found.is_some()
    })
    .await;
    found.unwrap()
}
