//! The disk fails while the program renews the login: every failure is reported, and no login is lost while it runs.

use std::time::Duration;

use super::{
    fate::{Fate, find_out},
    running::Running,
    trace::{Trace, let_go},
    world::{World, abreast, until},
};

/// Each with the ways in which it can fail. `?` because not every architecture has both names.
const FAILURES: [(&str, &str); 12] = [
    ("write", "EIO"),
    ("write", "ENOSPC"),
    ("fsync", "EIO"),
    ("fsync", "ENOSPC"),
    ("fsync", "EROFS"),
    ("?rename,?renameat,renameat2", "EIO"),
    ("?rename,?renameat,renameat2", "ENOSPC"),
    ("?rename,?renameat,renameat2", "EROFS"),
    ("?unlink,unlinkat", "EIO"),
    ("?unlink,unlinkat", "EROFS"),
    ("openat", "ENOSPC"),
    ("openat", "EROFS"),
];

const LIFE: Duration = Duration::from_secs(3);

const RENEWALS: u64 = 3;

async fn fails((calls, error): (&str, &str)) {
    let world = World::new(LIFE);
    world.log_in(true).await;
    // In the last moment: until then a login is better not renewed, if that cannot be stored.
    let house = world.house("acme").refresh_at("95%");
    let trace = Trace::failing(&world, calls, error);
    let proxy = Running::start_by(trace.starting(), &house).await.unwrap();

    while world.ninja.counts().rotations < RENEWALS {
        let answer = proxy.callers().user_request().await.expect("an answer");
        assert_eq!(answer.status, 204, "{calls} {error}: {}", answer.text());
    }
    proxy.has_on_record("persist-failed").await;
    until("a degraded status", async || {
        proxy.exit_code_of_status().await == Some(6)
    })
    .await;
    let identity = proxy.status().await["tenants"][0]["identities"][0].clone();
    assert!(identity["login"]["unsaved_since"].is_string(), "{identity}");
    assert!(identity["login"]["store_fault"].is_string(), "{identity}");
    assert_eq!(proxy.metric("login_unsaved").await, Some(1.0));

    let_go(proxy.program.id());
    proxy.has_on_record("persisted").await;
    until("a healthy status", async || {
        proxy.metric("login_unsaved").await == Some(0.0)
            && proxy.exit_code_of_status().await == Some(0)
    })
    .await;
    until("the newest on disk", async || {
        let kept = world.kept();
        kept.generation == world.newest() && kept.renewal_marker.is_none()
    })
    .await;
    proxy.kill().await;
    assert_eq!(
        find_out(&world, &house).await,
        Fate::GoesOn,
        "{calls} {error}"
    );
}

#[test]
fn a_failing_disk_costs_no_request_and_no_login_and_is_told() {
    for some in FAILURES.chunks(FAILURES.len() / 2) {
        abreast(some.iter().copied(), fails);
    }
}
