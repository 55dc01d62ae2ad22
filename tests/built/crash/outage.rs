//! NinjaOne's token endpoint is down for longer than a token lives.

use std::time::{Duration, Instant};

use super::{
    running::Running,
    world::{World, until},
};

const LIFE: Duration = Duration::from_secs(8);

/// A token is not sent in the last second of its life.
const USABLE: Duration = Duration::from_secs(7);

const BACK_MAX: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_token_endpoint_that_is_down_costs_nothing_before_the_token_ends_and_little_after() {
    let world = World::new(LIFE);
    let logged_in = Instant::now();
    world.log_in(true).await;
    world.trouble(r#"{"token":"503"}"#);
    let proxy = Running::start(&world.house("acme").refresh_at("5%")).await;

    let first_refused = loop {
        let answer = proxy.callers().user_request().await.expect("an answer");
        if answer.status != 204 {
            break answer;
        }
    };
    assert!(logged_in.elapsed() >= USABLE, "{:?}", logged_in.elapsed());
    assert!(world.ninja.token_calls() >= 2, "it was down");
    first_refused.refuses(503, "token-unavailable");

    let seen = world.api_requests();
    for _ in 0..20 {
        let answer = proxy.callers().user_request().await.expect("an answer");
        answer.refuses(503, "token-unavailable");
        answer.retry_after();
    }
    assert_eq!(
        world.api_requests(),
        seen,
        "nothing is sent without a token"
    );
    assert!(seen.iter().all(|status| *status == Some(204)), "{seen:?}");

    world.no_trouble();
    let began = Instant::now();
    until("service", async || proxy.succeeds_as_user().await).await;
    assert!(began.elapsed() < BACK_MAX, "{:?}", began.elapsed());
    assert_eq!(world.kept().generation, world.newest());
    assert_eq!(world.ninja.counts().reuses, 0);
    proxy.stop().await;
}
