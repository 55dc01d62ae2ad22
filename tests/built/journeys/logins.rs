//! A user's login from start to end. Callers notice nothing, or are told what to do.

use std::time::Duration;

use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};

use crate::wait::until;

use super::{
    user_login::{self, UserLogin},
    world::{Plan, World},
};

const RUN_SCRIPT: &str = "/v2/device/101/script/run";

fn with_user(user: UserLogin) -> Plan {
    World::plan().user(user)
}

async fn run_script(world: &World) -> u16 {
    world
        .post("operator", RUN_SCRIPT, r#"{"id":1}"#)
        .await
        .status
}

async fn identity(world: &World) -> Value {
    let status = world.admin("/status").await.json();
    let identities = status["tenants"][0]["identities"].as_array().unwrap();
    let user = identities.iter().find(|it| it["identity"] == "user");
    user.expect("a user identity").clone()
}

async fn state(world: &World) -> String {
    identity(world).await["state"].as_str().unwrap().to_owned()
}

fn results(lines: &[Value], kind: &str) -> Vec<String> {
    let user = |it: &&Value| it["type"] == kind && it["identity"] == "user";
    let said = lines.iter().filter(user);
    said.map(|it| it["result"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn over_several_lives_of_a_login_no_request_fails_and_no_refresh_token_is_used_twice() {
    let plan = with_user(UserLogin::WithoutToken).token_life(Duration::from_secs(2));
    let world = plan.start().await;

    while world.ninja().counts().rotations < 4 {
        assert!(run_script(&world).await < 300);
    }

    assert_eq!(world.ninja().counts().reuses, 0);
    world.end().await;
}

#[tokio::test]
async fn a_start_with_a_good_token_in_the_store_asks_for_none() {
    let world = with_user(UserLogin::LoggedIn).start().await;

    assert!(run_script(&world).await < 300);

    assert_eq!(world.ninja().counts().rotations, 0);
    let lines = world.lines().await;
    assert_eq!(results(&lines, "token"), ["adopted"]);
    world.end().await;
}

#[tokio::test]
async fn while_nobody_is_logged_in_a_caller_is_told_what_to_do_and_reads_go_on() {
    let world = with_user(UserLogin::LoggedOut).build();
    until("both states", async || {
        state(&world).await == "login-needed"
            && world.get("reports", "/v2/users").await.status == 200
    })
    .await;

    let answer = world.post("operator", RUN_SCRIPT, "{}").await;

    answer.refuses(503, "login-needed");
    assert_eq!(answer.header("retry-after"), None);
    let hint = format!(
        "Ask the operator of this proxy, and give them this request's ID: {}",
        answer.id()
    );
    assert_eq!(answer.json()["hint"], hint);
    assert!(!answer.text().contains("ninjaone-proxy login"));
    // Whoever can log in reads the log.
    until("the line for operators", async || {
        let lines = world.log().with(&["request refused", answer.id()]);
        lines.iter().any(|it| it.contains(" login acme'."))
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn whoever_logs_in_while_the_proxy_runs_is_noticed_and_so_is_a_logout() {
    let world = with_user(UserLogin::LoggedOut).build();
    until("the first look", async || {
        state(&world).await == "login-needed"
    })
    .await;
    let config = world.config();

    user_login::log_in(UserLogin::LoggedIn, &world.behind, &config);
    until("the login", async || state(&world).await == "valid").await;
    assert!(run_script(&world).await < 300);
    let slot = user_login::slot(&config);
    let locked = user_login::store(&config).try_lock(&slot).unwrap();
    locked.expect("nobody holds it").erase().unwrap();
    until("the logout", async || state(&world).await == "login-needed").await;
    assert_eq!(run_script(&world).await, 503);

    let lines = world.lines().await;
    assert_eq!(results(&lines, "login"), ["logged-in", "logged-out"]);
    assert_eq!(results(&lines, "token"), ["refused", "revoked"]);
    world.end().await;
}

#[tokio::test]
async fn a_lost_answer_costs_the_login_and_is_named() {
    let world = with_user(UserLogin::WithoutToken)
        .faults(r#"{"token":"lose_response","token_grant":"refresh_token","count":1}"#)
        .build();

    until("the verdict", async || {
        state(&world).await == "login-needed"
    })
    .await;

    let told = identity(&world).await["last_error"].to_string();
    assert!(
        told.contains("answer to the last renewal did not arrive"),
        "{told}"
    );
    let lines = world.lines().await;
    assert_eq!(results(&lines, "token"), ["adopted", "refused", "dead"]);
    let dead = lines.iter().find(|it| it["result"] == "dead").unwrap();
    assert_eq!(dead["error"], "login-lost-answer");
    world.end().await;
}

#[tokio::test]
async fn a_login_whose_token_ended_is_back_soon_after_the_token_endpoint() {
    let plan = with_user(UserLogin::WithoutToken).token_life(Duration::from_secs(2));
    let world = plan.start().await;
    world.trouble(r#"{"token":"503","token_grant":"refresh_token"}"#);
    until("the end of the token", async || {
        run_script(&world).await == 503
    })
    .await;

    world.no_trouble();
    let began = Instant::now();
    until("the next token", async || run_script(&world).await < 300).await;

    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let rejected = world.saw().into_iter().filter(|it| it.ends_with("401"));
    assert_eq!(rejected.collect::<Vec<_>>(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn a_storm_of_rejected_writes_makes_one_renewal_and_repeats_none() {
    let world = with_user(UserLogin::LoggedIn).start().await;
    let mut storm = JoinSet::new();
    world.trouble(r#"{"expire_tokens":true}"#);

    for _ in 0..200 {
        let ask = world.ask("operator", "POST", RUN_SCRIPT).body("{}");
        storm.spawn(async move { ask.send().await.status });
    }
    let answers = storm.join_all().await;

    // Those that met the old token are not repeated: whether NinjaOne did something, nobody knows.
    let rejected = answers.iter().filter(|it| **it == 502).count();
    let done = answers.iter().filter(|it| **it < 300).count();
    assert_eq!(rejected + done, 200, "{answers:?}");
    assert!(rejected > 0);
    let sent = world
        .saw()
        .into_iter()
        .filter(|it| it.contains("script/run"));
    assert_eq!(sent.count(), 200);
    // NinjaOne has rotated before the new token is in use.
    until("the new token", async || run_script(&world).await < 300).await;
    assert_eq!(world.ninja().counts().rotations, 1);
    let lines = world.lines().await;
    assert_eq!(results(&lines, "token"), ["adopted", "forced"]);
    world.end().await;
}
