//! A login that NinjaOne has ended: everybody is told so at once, until somebody logs in.

use crate::{
    journeys::{
        user_login::{self, UserLogin},
        world::World,
    },
    program::Program,
    wait::until,
};

use super::agreement::{Expected, all_agree, at_fixed_addresses, is_healthy, plan, stdout, typed};

const RUN_SCRIPT: &str = "/v2/device/101/script/run";
const ENDED: &str =
    r#"{"token":"invalid_grant","token_grant":"refresh_token","expire_tokens":true}"#;

const LOGIN_NEEDED: Expected = Expected {
    kind: "login-needed",
    about: "acme/user",
    health: "needs-login",
    exit: 4,
    ready: 503,
    doctor: 4,
};

async fn is_refused_for_want_of_a_login(world: &World) {
    for _ in 0..3 {
        let answer = world.post("operator", RUN_SCRIPT, r#"{"id":1}"#).await;
        answer.refuses(503, "login-needed");
        assert_eq!(answer.header("retry-after"), None);
    }
}

#[tokio::test]
async fn an_ended_login_is_login_needed_from_the_first_request_on_and_over_a_restart() {
    let mut world = plan().user(UserLogin::LoggedIn).start().await;
    world.trouble(ENDED);

    is_refused_for_want_of_a_login(&world).await;

    until("the service's next token", async || {
        world.get("reports", "/v2/users").await.status == 200
    })
    .await;
    all_agree(&world, &LOGIN_NEEDED).await;
    let refused = world.post("operator", RUN_SCRIPT, r#"{"id":1}"#).await;
    let explained = stdout(&typed(&world, &["explain", refused.id()]).await);
    let ended = "and the login has ended: NinjaOne refuses its refresh token.";
    assert!(explained.contains(ended), "{explained}");
    assert!(!explained.contains("nobody"), "{explained}");
    let asked = ["explain", "operator", "POST", "/v2/device/101/script/run"];
    let output = typed(&world, &asked).await;
    assert_eq!(output.status.code(), Some(4));
    let imagined = stdout(&output);
    assert!(imagined.contains("but the login has ended"), "{imagined}");
    let first = "but a user must log in first: ninjaone-proxy --config ";
    assert!(imagined.contains(first), "{imagined}");
    assert!(imagined.contains(" login acme\n"), "{imagined}");
    let needed = "login_needed{tenant=\"acme\",identity=\"user\"}";
    assert_eq!(world.metric(needed).await, Some(1.0));

    world.program().terminate().await;
    let config = world.directory().config();
    let admin = world.admin;
    *world.program() = Program::start(&config);
    world.program().answers_at(admin);
    until("the service's token", async || {
        world.get("reports", "/v2/users").await.status == 200
    })
    .await;
    is_refused_for_want_of_a_login(&world).await;
    all_agree(&world, &LOGIN_NEEDED).await;

    world.no_trouble();
    user_login::log_in(UserLogin::LoggedIn, &world.behind, &world.config());
    is_healthy(&world).await;
    assert!(
        world
            .post("operator", RUN_SCRIPT, r#"{"id":1}"#)
            .await
            .status
            < 300
    );
    world.end().await;
}

#[tokio::test]
async fn a_login_whose_refresh_token_was_refused_first_serves_until_its_token_is_rejected() {
    let plan = plan()
        .user(UserLogin::WithoutToken)
        .set("tenant.acme.user", "refresh_at", "\"5%\"");
    let world = plan
        .token_life(std::time::Duration::from_mins(1))
        .start()
        .await;
    world.trouble(r#"{"token":"invalid_grant","token_grant":"refresh_token"}"#);
    all_agree(
        &world,
        &Expected {
            kind: "login-ended",
            ready: 200,
            ..LOGIN_NEEDED
        },
    )
    .await;
    assert!(
        world
            .post("operator", RUN_SCRIPT, r#"{"id":1}"#)
            .await
            .status
            < 300
    );

    world.trouble(ENDED);
    is_refused_for_want_of_a_login(&world).await;
    world.end().await;
}

#[tokio::test]
async fn while_nobody_has_logged_in_all_say_so() {
    let plan = at_fixed_addresses(World::plan());
    let world = plan.user(UserLogin::LoggedOut).build();
    until("the service's token", async || {
        world.get("reports", "/v2/users").await.status == 200
    })
    .await;
    all_agree(&world, &LOGIN_NEEDED).await;
    world.end().await;
}
