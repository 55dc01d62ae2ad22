//! Killed at every step of a renewal, one after the other.

use std::time::Duration;

use super::{
    fate::{Fate, find_out},
    running::Running,
    trace::{Trace, calls},
    world::{House, World, abreast, is_long, until},
};

/// What a renewal does twice, before its call and after it: how often it writes, syncs, renames and removes files of the
/// store, all in a row on one thread. `?` because not every architecture has both names.
const CHANGES: [(&str, usize); 4] = [
    ("write", 3),
    ("fsync", 5),
    ("?rename,?renameat,renameat2", 3),
    (REMOVES, 3),
];

/// Whoever takes the lock removes what was left, too: on the same thread or on another.
const REMOVES: &str = "?unlink,unlinkat";

/// What else it does with them, on any thread.
const OTHERS: [&str; 5] = [
    "openat",
    "?chmod,fchmod,?fchmodat",
    "read",
    "?fstat,?newfstatat,statx",
    "flock",
];

/// More than one thread makes of one kind.
const CALLS_MAX: usize = 60;

const LIFE: Duration = Duration::from_mins(1);

/// Kills at a time.
const ABREAST: usize = 6;

#[derive(Debug, Clone, Copy)]
enum Part {
    /// From the start to the token call.
    Before,
    /// From the token call to the answer of the request that waits for it.
    After,
    Whole,
}

/// Kills a program at its `at`-th call. None if it makes fewer in this part of a renewal.
async fn killed_at((part, of, at): (Part, &str, usize)) -> Option<Fate> {
    let world = World::new(LIFE);
    world.log_in(false).await;
    let house = world.house("acme");
    let trace = Trace::killing(&world, of, at);
    let log = trace.log.clone();
    let is_over = match part {
        Part::Before => {
            world.trouble(r#"{"token":"hang"}"#);
            let called = async || world.ninja.token_calls() > 0;
            is_over_before(trace, &house, async |_| called().await).await
        }
        Part::Whole => {
            let renewed = async |proxy: &Running| proxy.succeeds_as_user().await;
            is_over_before(trace, &house, renewed).await
        }
        Part::After => is_over_after_the_call(&world, trace, &house).await,
    };
    if !is_over {
        return None;
    }
    world.no_trouble();
    assert!(
        !calls(&log).is_empty(),
        "{part:?} {of} {at}: no call was seen"
    );
    let fate = find_out(&world, &house).await;
    if fate == Fate::Lost {
        assert!(!matches!(part, Part::Before), "{of} {at}: nothing was sent");
    }
    Some(fate)
}

async fn is_over_before(trace: Trace, house: &House, done: impl AsyncFn(&Running) -> bool) -> bool {
    let Ok(mut proxy) = Running::start_by(trace.starting(), house).await else {
        return true;
    };
    let mut is_done = false;
    until("a kill or the end of this part", async || {
        is_done = done(&proxy).await;
        is_done || !proxy.program.is_running()
    })
    .await;
    proxy.kill().await;
    !is_done
}

async fn is_over_after_the_call(world: &World, trace: Trace, house: &House) -> bool {
    world.trouble(r#"{"token":"slow_start:1500"}"#);
    let mut proxy = Running::start(house).await;
    until("a token call", async || world.ninja.token_calls() > 0).await;
    let attached = trace.joining(proxy.program.id()).await;
    assert_eq!(world.ninja.counts().rotations, 0, "in time");
    let mut is_done = false;
    until("a kill or a renewal", async || {
        is_done = proxy.succeeds_as_user().await;
        is_done || !proxy.program.is_running()
    })
    .await;
    drop(attached);
    proxy.kill().await;
    !is_done
}

#[test]
fn killed_at_every_change_of_a_renewal_the_login_goes_on_or_its_loss_is_named() {
    let mut kills = Vec::new();
    for (of, count) in CHANGES {
        // Also further than there are, to see that these are all.
        kills.extend((1..=count + 2).map(|at| (Part::Before, of, at, count)));
        kills.extend((1..=count + 1).map(|at| (Part::After, of, at, count)));
    }
    for some in kills.chunks(ABREAST) {
        let fates = abreast(some.iter().map(|it| (it.0, it.1, it.2)), killed_at);
        for ((part, of, at, count), fate) in some.iter().zip(fates) {
            let expected = match part {
                Part::Before if *of == REMOVES && *at == count + 1 => continue,
                _ if at > count => None,
                // The first of each kind makes the draft of the answer, and puts it in place.
                Part::After if *at == 1 => Some(Fate::Lost),
                _ => Some(Fate::GoesOn),
            };
            assert_eq!(fate, expected, "{part:?} {of} {at}");
        }
    }
}

#[test]
fn killed_at_any_other_call_the_login_goes_on_or_its_loss_is_named() {
    if !is_long() {
        return;
    }
    for of in OTHERS {
        for first in (1..CALLS_MAX).step_by(ABREAST) {
            let wave = (first..first + ABREAST).map(|at| (Part::Whole, of, at));
            if abreast(wave, killed_at).contains(&None) {
                break;
            }
        }
    }
}
