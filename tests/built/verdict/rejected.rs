//! A token that NinjaOne does not accept any more, and no other to be had: nobody calls it valid.

use crate::{journeys::world::World, wait::until};

use super::agreement::{Expected, all_agree, is_healthy, plan, trouble};

const DOWN: Expected = Expected {
    kind: "token-unavailable",
    about: "acme/service",
    health: "down",
    exit: 1,
    ready: 503,
    doctor: 1,
};

/// Not 502 for ever: who calls is told when to come back.
async fn is_unavailable(world: &World) {
    until("the token to be given up", async || {
        world.get("reports", "/v2/users").await.status == 503
    })
    .await;
    let answer = world.get("reports", "/v2/users").await;
    answer.refuses(503, "token-unavailable");
    answer.retry_after();
}

#[tokio::test]
async fn a_rejected_token_that_cannot_be_renewed_is_unavailable_for_all() {
    let world = plan().start().await;
    world.get("reports", "/v2/users").await.is(200);
    world.trouble(r#"{"expire_tokens":true,"token":"500"}"#);

    is_unavailable(&world).await;

    all_agree(&world, &DOWN).await;
    world.no_trouble();
    is_healthy(&world).await;
    world.get("reports", "/v2/users").await.is(200);
    world.end().await;
}

#[tokio::test]
async fn an_old_token_that_ended_with_its_secret_does_not_serve_until_its_time() {
    let world = plan().start().await;
    world
        .directory()
        .write("acme.secret", "a-typo-and-not-the-secret-of-anything");
    trouble(&world, "new-secret-refused").await;
    world.trouble(r#"{"expire_tokens":true}"#);

    is_unavailable(&world).await;

    let down = Expected {
        kind: "new-secret-refused",
        ..DOWN
    };
    all_agree(&world, &down).await;
    world.directory().write("acme.secret", &world.secret);
    is_healthy(&world).await;
    world.end().await;
}
