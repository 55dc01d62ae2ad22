//! Killed at any instant under load, again and again, while tokens live for seconds.

use std::{env, io::Write, time::Duration};

use ninjaone_proxy::random;

use super::{
    fate::{Fate, find_out},
    running::{Callers, Running},
    world::{World, abreast, until},
};

const LIFE: Duration = Duration::from_secs(3);

const WORLDS: usize = 6;

/// Longer than a program takes from its start to its second renewal.
const INSTANT_MAX: Duration = Duration::from_millis(2_500);

/// Longer than a renewal takes.
const RENEWAL_MAX: Duration = Duration::from_millis(30);

/// What NinjaOne's token endpoint does meanwhile, by turns.
const PACES: [&str; 3] = [
    "{}",
    r#"{"token":"slow_start:10"}"#,
    r#"{"token":"slow:10"}"#,
];

/// How often a program is killed; `tests/built/crash/run` says how often.
fn kills() -> usize {
    let asked = env::var("NJP_KILLS").map(|it| it.parse().expect("a number of kills"));
    asked.unwrap_or(30)
}

async fn kill_again_and_again(kills: usize) -> Vec<Fate> {
    let world = World::new(LIFE);
    world.log_in(true).await;
    let house = world.house("acme").refresh_at("50%");
    let mut fates = Vec::new();
    for number in 0..kills {
        world.trouble(PACES[number % PACES.len()]);
        let proxy = Running::start(&house).await;
        let load = Load::start(proxy.callers());
        wait_for_an_instant(&world, number).await;
        proxy.kill().await;
        drop(load);
        world.no_trouble();
        let fate = find_out(&world, &house).await;
        if fate == Fate::Lost {
            world.log_in(true).await;
        }
        fates.push(fate);
    }
    fates
}

/// Every other time an instant in a renewal, because most others are in none.
async fn wait_for_an_instant(world: &World, number: usize) {
    if number.is_multiple_of(2) {
        // Not to wait for anything: the instant is what is tried.
        tokio::time::sleep(random::jitter(INSTANT_MAX)).await;
        return;
    }
    let before = world.ninja.token_calls();
    until("a renewal", async || world.ninja.token_calls() > before).await;
    tokio::time::sleep(random::jitter(RENEWAL_MAX)).await;
}

/// A caller that never pauses until it is dropped.
struct Load(tokio::task::JoinHandle<()>);

impl Load {
    fn start(callers: Callers) -> Self {
        Self(tokio::spawn(async move {
            while callers.user_request().await.is_some() {}
        }))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[test]
fn killed_at_any_instant_the_login_goes_on_or_its_loss_is_named() {
    let each = kills().div_ceil(WORLDS);
    let fates = abreast(0..WORLDS, |_| kill_again_and_again(each)).concat();
    let lost = fates.iter().filter(|it| **it == Fate::Lost).count();
    let told = format!("{} kills, {lost} logins lost and named\n", fates.len());
    std::io::stdout().write_all(told.as_bytes()).unwrap();
    assert!(fates.contains(&Fate::GoesOn));
}
