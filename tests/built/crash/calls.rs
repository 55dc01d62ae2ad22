//! Kills, stops and reloads while a token call is under way.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{
    fate::{Fate, find_out},
    running::Running,
    world::{World, until},
};

const LIFE: Duration = Duration::from_mins(1);

/// A call takes ten seconds at most, and its writes a few more.
const END_MAX: Duration = Duration::from_secs(16);

/// A program whose first renewal has reached NinjaOne, and is not answered.
async fn in_a_call(trouble: &str) -> (World, Running) {
    let world = World::new(LIFE);
    world.log_in(false).await;
    world.trouble(trouble);
    let proxy = Running::start(&world.house("acme")).await;
    until("a token call", async || world.ninja.token_calls() == 1).await;
    (world, proxy)
}

#[tokio::test]
async fn killed_before_ninjaone_exchanged_the_token_nothing_is_lost() {
    let (world, proxy) = in_a_call(r#"{"token":"slow_start:3000"}"#).await;

    proxy.kill().await;

    world.no_trouble();
    let fate = find_out(&world, &world.house("acme")).await;
    assert_eq!(fate, Fate::GoesOn);
}

#[tokio::test]
async fn killed_after_ninjaone_exchanged_the_token_the_loss_is_named() {
    let (world, proxy) = in_a_call(r#"{"token":"slow:3000"}"#).await;
    until("the exchange", async || world.ninja.counts().rotations == 1).await;

    proxy.kill().await;

    world.no_trouble();
    let fate = find_out(&world, &world.house("acme")).await;
    assert_eq!(fate, Fate::Lost);
}

#[tokio::test]
async fn told_to_end_it_waits_for_the_answer_and_stores_it() {
    let (world, proxy) = in_a_call(r#"{"token":"slow:2000"}"#).await;

    proxy.stop().await;

    let kept = world.kept();
    assert_eq!(world.ninja.counts().rotations, 1);
    assert_eq!(kept.generation, world.newest());
    assert!(kept.renewal_marker.is_none());
    world.no_trouble();
    let fate = find_out(&world, &world.house("acme")).await;
    assert_eq!(fate, Fate::GoesOn);
}

#[tokio::test]
async fn told_to_end_it_does_not_wait_for_ever_and_the_login_goes_on() {
    let (world, proxy) = in_a_call(r#"{"token":"hang"}"#).await;

    let began = Instant::now();
    proxy.stop().await;

    assert!(began.elapsed() < END_MAX, "{:?}", began.elapsed());
    world.no_trouble();
    let fate = find_out(&world, &world.house("acme")).await;
    assert_eq!(fate, Fate::GoesOn);
}

/// Loads the configuration again in the middle of a call, and sees that there was no other call.
async fn load_again(keepalive: &str) {
    let (world, proxy) = in_a_call(r#"{"token":"slow:2000"}"#).await;
    world.house("acme").keepalive(keepalive).write();

    proxy.program.signal(Signal::HUP);

    until("another configuration", async || {
        proxy.status().await["config"]["generation"] == 2
    })
    .await;
    assert_eq!(world.kept().generation, 1, "still in the call");
    until("a token", async || proxy.succeeds_as_user().await).await;
    assert_eq!(world.kept().generation, world.newest());
    assert_eq!(world.ninja.counts().reuses, 0);
    assert_eq!(world.ninja.token_calls(), 1);
    proxy.stop().await;
    world.no_trouble();
    let fate = find_out(&world, &world.house("acme")).await;
    assert_eq!(fate, Fate::GoesOn);
}

#[tokio::test]
async fn loaded_again_in_the_middle_of_a_call_the_answer_is_stored() {
    load_again("12h").await;
}

#[tokio::test]
async fn with_other_settings_in_the_middle_of_a_call_the_answer_is_stored_and_taken_over() {
    load_again("6h").await;
}
