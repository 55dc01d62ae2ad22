//! Killed at any instant: the store is readable, and holds the last login that was said to be durable, or the next.
//!
//! Thirty kills; a thousand with `NJP_LONG=1`.

use std::{thread, time::Duration};

use ninjaone_proxy::random;

use super::{
    child::{Child, Task, is_long},
    world::{StoreDirectory, generation, locked},
};

/// Longer than a write takes, so that kills come at every step of one.
const INSTANT_MS_MAX: u64 = 40;

fn kills() -> u64 {
    if is_long() { 1000 } else { 30 }
}

/// Starts the task, kills it some time after its first word, and gives all that it said.
fn run_and_kill(task: Task, directory: &StoreDirectory) -> Vec<String> {
    let mut child = Child::new(task, directory.path()).start();
    let mut said = vec![child.hear().expect("the child goes on")];
    // Not to wait for anything: the instant is what is tried.
    thread::sleep(random::jitter(Duration::from_millis(INSTANT_MS_MAX)));
    said.extend(child.kill());
    said
}

fn stored(line: &str) -> Option<u64> {
    line.strip_prefix("stored ")?.parse().ok()
}

#[test]
fn a_killed_writer_loses_nothing_that_was_durable() {
    let directory = StoreDirectory::new();
    let mut last = 0;
    for kill in 0..kills() {
        let said = run_and_kill(Task::WriteForever, &directory);
        let durable = said.iter().filter_map(|line| stored(line)).max().unwrap();
        assert!(durable > last, "goes on where it was: {said:?}");
        last = generation(&directory.store());
        assert!(
            last == durable || last == durable + 1,
            "kill {kill}: {last} is kept, {durable} was durable"
        );
        drop(locked(&directory.store()));
        assert!(
            !directory.file("draft").exists(),
            "the left-over is removed"
        );
    }
}

#[test]
fn a_killed_logout_is_a_login_or_a_logout_and_nothing_else() {
    let directory = StoreDirectory::new();
    for _ in 0..kills() / 2 {
        let said = run_and_kill(Task::ForgetForever, &directory);
        let now = generation(&directory.store());
        match said.last().unwrap().as_str() {
            // The next logout says so before it begins.
            "stored 1" => assert!(now == 1, "{said:?}"),
            // The pipe may have taken less than was said.
            "forgets" | "forgot" => assert!(now <= 1, "{said:?}"),
            other => panic!("{other}"),
        }
        locked(&directory.store()).erase().unwrap();
        assert_eq!(generation(&directory.store()), 0);
    }
}
