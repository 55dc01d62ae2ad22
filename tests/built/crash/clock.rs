//! The wall clock jumps: tokens are dated with a clock that does not.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use crate::program::PROGRAM;

use super::{
    running::Running,
    world::{World, until},
};

const LIFE: Duration = Duration::from_mins(1);

/// By which the wall clock is off, one after the other.
const JUMPS: [&str; 5] = ["+1h", "-2h", "+3650d", "-3650d", "+0"];

/// A program whose wall clock is off by what the file says.
fn with_clock(file: &std::path::Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env("LD_PRELOAD", library())
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1");
    command
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap();
    let places = folders.map(|it| it.unwrap().path().join("faketime/libfaketimeMT.so.1"));
    let mut found = places.filter(|it| it.exists());
    found.next().expect("libfaketime is installed")
}

async fn year(proxy: &Running) -> i32 {
    proxy.callers().user_request().await.expect("an answer");
    let lines = proxy.lines();
    let last = lines.last().expect("a line");
    let time = last["at"].as_str().expect("a time");
    time[..4].parse().unwrap()
}

#[tokio::test]
async fn a_wall_clock_that_jumps_changes_nothing_for_a_token() {
    let world = World::new(LIFE);
    world.log_in(true).await;
    let file = world.store_path().with_extension("clock");
    fs::write(&file, "+0").unwrap();
    let proxy = Running::start_by(with_clock(&file), &world.house("one"))
        .await
        .unwrap();
    until("a token", async || proxy.succeeds_as_user().await).await;
    let now = year(&proxy).await;

    for jump in JUMPS {
        fs::write(&file, jump).unwrap();
        until("the jump", async || {
            let off = year(&proxy).await - now;
            match jump {
                "+3650d" => off >= 9,
                "-3650d" => off <= -9,
                _ => off.abs() <= 1,
            }
        })
        .await;
        for _ in 0..20 {
            assert!(proxy.succeeds_as_user().await, "{jump}");
        }
        // Whoever starts with such a clock takes over the token that is on record.
        let other = world.house("other");
        let other = Running::start_by(with_clock(&file), &other).await.unwrap();
        until("the same token", async || other.succeeds_as_user().await).await;
        other.stop().await;
    }

    assert_eq!(world.ninja.token_calls(), 0);
    proxy.stop().await;
}
