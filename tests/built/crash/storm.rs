//! A thousand requests at once: when a token ends, and when NinjaOne rejects it.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::answer::Answer;

use super::{
    running::{Callers, Running},
    world::{World, until},
};

const REQUESTS: usize = 1_000;

async fn all_at_once<F>(callers: Callers, ask: fn(Callers) -> F) -> Vec<Answer>
where
    F: Future<Output = Option<Answer>> + Send + 'static,
{
    let mut asking = JoinSet::new();
    for _ in 0..REQUESTS {
        asking.spawn(ask(callers));
    }
    let answers = asking.join_all().await;
    answers
        .into_iter()
        .map(|it| it.expect("an answer"))
        .collect()
}

#[tokio::test]
async fn a_thousand_requests_at_the_end_of_a_token_make_one_token_call() {
    let world = World::new(Duration::from_secs(3));
    world.log_in(true).await;
    world.trouble(r#"{"token":"slow_start:2000","token_life_seconds":600}"#);
    let proxy = Running::start(&world.house("acme").refresh_at("95%")).await;
    until("a token call", async || world.ninja.token_calls() == 1).await;

    let answers = all_at_once(proxy.callers(), Callers::user_request).await;

    assert!(answers.iter().all(|it| it.status == 204));
    assert_eq!(world.ninja.token_calls(), 1);
    proxy.stop().await;
}

#[tokio::test]
async fn a_thousand_rejections_make_one_renewal_and_send_no_write_again() {
    let world = World::new(Duration::from_mins(10));
    world.log_in(true).await;
    let proxy = Running::start(&world.house("acme").with_service()).await;
    until("both tokens", async || {
        let read = proxy.callers().read().await;
        read.is_some_and(|it| it.status == 200) && proxy.succeeds_as_user().await
    })
    .await;
    let calls = world.ninja.counts().token_calls;
    world.ninja.clear_requests();
    world.trouble(r#"{"expire_tokens":true}"#);

    let writes = all_at_once(proxy.callers(), Callers::user_request).await;
    let sent = world.api_requests();
    assert_eq!(sent.len(), REQUESTS, "none twice");
    let refused = writes.iter().filter(|it| it.status != 204);
    for one in refused.clone() {
        one.refuses(502, "upstream-bad-answer");
    }
    let rejected = sent.iter().filter(|it| **it == Some(401)).count();
    assert_eq!(refused.count(), rejected);
    assert!(rejected > 0);

    world.ninja.clear_requests();
    let reads = all_at_once(proxy.callers(), Callers::read).await;
    assert!(reads.iter().all(|it| it.status == 200));
    let sent = world.api_requests();
    let rejected = sent.iter().filter(|it| **it == Some(401)).count();
    assert_eq!(sent.len(), REQUESTS + rejected, "each twice at most");
    assert!((1..=REQUESTS).contains(&rejected), "{rejected}");

    until("another token", async || proxy.succeeds_as_user().await).await;
    let now = world.ninja.counts().token_calls;
    assert_eq!(now.refresh_token, calls.refresh_token + 1);
    assert_eq!(now.client_credentials, calls.client_credentials + 1);
    assert_eq!(world.kept().generation, world.newest());
    proxy.stop().await;
}
