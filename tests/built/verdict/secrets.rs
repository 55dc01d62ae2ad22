//! A client secret is replaced while a token is good: the token serves until the new secret has brought another.

use crate::{journeys::world::World, wait::until};

use super::agreement::{Expected, all_agree, is_healthy, plan, trouble};

const REFUSED: &str = "new_secret_refused{tenant=\"acme\",identity=\"service\"}";

async fn serves(world: &World) {
    for _ in 0..5 {
        world.get("reports", "/v2/users").await.is(200);
    }
}

#[tokio::test]
async fn a_wrong_secret_on_disk_ends_no_token_and_the_right_one_takes_over_by_itself() {
    let world = plan().start().await;
    assert_eq!(world.metric(REFUSED).await, Some(0.0));
    let before = world.ninja().token_calls();

    world
        .directory()
        .write("acme.secret", "a-typo-and-not-the-secret-of-anything");
    let text = trouble(&world, "new-secret-refused").await;

    serves(&world).await;
    let status = world.status().await;
    let identity = &status["tenants"][0]["identities"][0];
    assert_eq!(identity["state"], "valid");
    let end = identity["expires_at"]
        .as_str()
        .unwrap()
        .get(11..16)
        .unwrap();
    let words = format!("new secret refused; the old token is used until {end}");
    assert!(text.contains(&words), "{words} in {text}");
    until("the log to say so", async || {
        !world.log().with(&[&words]).is_empty()
    })
    .await;
    assert_eq!(world.metric(REFUSED).await, Some(1.0));
    all_agree(
        &world,
        &Expected {
            kind: "new-secret-refused",
            about: "acme/service",
            health: "degraded",
            exit: 6,
            ready: 200,
            doctor: 6,
        },
    )
    .await;
    // A refused secret is not tried again and again.
    assert!(world.ninja().token_calls() <= before + 4);

    world.directory().write("acme.secret", &world.secret);
    is_healthy(&world).await;
    assert_eq!(world.metric(REFUSED).await, Some(0.0));
    serves(&world).await;
    world.end().await;
}

#[tokio::test]
async fn a_new_secret_that_is_good_takes_over_at_once_and_nothing_is_said() {
    let world = plan().start().await;
    // The same secret in other words: a line break at the end is not part of it, a setting beside it is new.
    world.rewrite(|toml| {
        toml.replace(
            "client_secret = { file = \"acme.secret\" }",
            "client_secret = { file = \"acme.secret\" }, scopes = [\"monitoring\", \"management\"]",
        )
    });
    until("another token", async || {
        let status = world.status().await;
        status["tenants"][0]["identities"][0]["generation"] == 2
    })
    .await;
    serves(&world).await;
    assert_eq!(world.status().await["health"], "healthy");
    world.end().await;
}
