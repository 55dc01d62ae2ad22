//! Each trouble in turn, and what is said of it.

use std::fs;

use ninjaone_proxy::sandbox::SandboxOptions;

use crate::journeys::{
    hostile::{Act, Hostile},
    user_login::UserLogin,
    world::{Behind, World},
};

use super::agreement::{Expected, all_agree, is_healthy, plan, trouble};

/// It works, and something needs attention.
const DEGRADED: Expected = Expected {
    kind: "",
    about: "",
    health: "degraded",
    exit: 6,
    ready: 200,
    doctor: 6,
};

#[tokio::test]
async fn ninjaone_asks_to_slow_down() {
    let world = plan().start().await;
    world.trouble(r#"{"throttle":"429","retry_after":60}"#);
    world.get("reports", "/v2/users").await.is(429);
    all_agree(
        &world,
        &Expected {
            kind: "throttled",
            about: "acme",
            ..DEGRADED
        },
    )
    .await;
    world.end().await;
}

#[tokio::test]
async fn ninjaone_cannot_be_reached() {
    let mut world = plan().sandbox(SandboxOptions::default()).start().await;
    // The sandbox ends, and nobody listens there any more.
    world.behind = Behind::Hostile(Hostile::start(|_| Act::Say(Vec::new())).await);
    for _ in 0..3 {
        let answer = world.get("reports", "/v2/users").await;
        answer.refuses(502, "upstream-unreachable");
    }
    all_agree(
        &world,
        &Expected {
            kind: "unreachable",
            about: "acme",
            health: "down",
            exit: 1,
            ready: 200,
            doctor: 1,
        },
    )
    .await;
    world.program().terminate().await;
    world.gone();
}

#[tokio::test]
async fn the_configuration_on_disk_is_wrong() {
    let world = plan().start().await;
    let good = fs::read_to_string(world.directory().config()).unwrap();
    world.rewrite(|toml| format!("{toml}\nnonsense = 1\n"));
    // `doctor` looks at what is on disk, which no proxy would start with.
    all_agree(
        &world,
        &Expected {
            kind: "reload-refused",
            doctor: 78,
            ..DEGRADED
        },
    )
    .await;
    assert_eq!(world.metric("config_refused").await, Some(1.0));
    world.rewrite(|_| good);
    is_healthy(&world).await;
    assert_eq!(world.metric("config_refused").await, Some(0.0));
    world.end().await;
}

#[tokio::test]
async fn a_file_of_the_audit_log_was_deleted() {
    let world = plan().start().await;
    for entry in fs::read_dir(world.audit_path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "jsonl") {
            fs::remove_file(path).unwrap();
        }
    }
    let text = trouble(&world, "audit-gap").await;
    assert!(text.contains("was deleted or moved away"), "{text}");
    let expected = Expected {
        kind: "audit-gap",
        about: "audit",
        ..DEGRADED
    };
    all_agree(&world, &expected).await;
    // It stays, whatever is written meanwhile.
    let made = world.post("operator", "/v2/organizations", "{\"name\":\"Later\"}");
    assert_eq!(made.await.status, 200);
    all_agree(&world, &expected).await;
    assert_eq!(world.status().await["audit"]["state"], "writing");
    let mut world = world;
    world.program().terminate().await;
    world.gone();
}

/// The directory makes way for a file.
fn replace_by_a_file(path: &std::path::Path) {
    fs::rename(path, path.with_extension("away")).unwrap();
    fs::write(path, "not a directory").unwrap();
}

#[tokio::test]
async fn the_audit_directory_cannot_be_written() {
    let mut world = plan().start().await;
    replace_by_a_file(&world.audit_path());
    all_agree(
        &world,
        &Expected {
            kind: "audit-failing",
            about: "audit",
            ..DEGRADED
        },
    )
    .await;
    let answer = world.post("operator", "/v2/organizations", "{}").await;
    answer.refuses(503, "audit-unavailable");
    world.program().signal(rustix::process::Signal::TERM);
    world.program().ends().await;
    world.gone();
}

#[tokio::test]
async fn the_audit_directory_cannot_be_written_and_nothing_goes_unrecorded() {
    let plan = plan().set("audit.on_failure", "read", "\"refuse\"");
    let mut world = plan.start().await;
    replace_by_a_file(&world.audit_path());
    all_agree(
        &world,
        &Expected {
            kind: "audit-failing",
            about: "audit",
            health: "down",
            exit: 1,
            ready: 503,
            doctor: 1,
        },
    )
    .await;
    world.program().signal(rustix::process::Signal::TERM);
    world.program().ends().await;
    world.gone();
}

#[tokio::test]
async fn the_store_cannot_be_written() {
    let mut world = plan().user(UserLogin::LoggedIn).start().await;
    replace_by_a_file(&world.directory().join("store"));
    all_agree(
        &world,
        &Expected {
            kind: "store-failing",
            about: "acme/user",
            ..DEGRADED
        },
    )
    .await;
    world.program().terminate().await;
    world.gone();
}

#[tokio::test]
async fn a_thread_has_stalled() {
    let home = tempfile::tempdir().unwrap();
    let switch = home.path().join("stalled");
    let plan = plan()
        .set("admin", "watchdog", "\"1s\"")
        .environment("NJP_STALL", switch.to_str().unwrap());
    let world: World = plan.start().await;
    fs::write(&switch, "thread worker-1").unwrap();
    all_agree(
        &world,
        &Expected {
            kind: "stalled",
            about: "worker-1",
            ready: 503,
            ..DEGRADED
        },
    )
    .await;
    fs::write(&switch, "nothing").unwrap();
    is_healthy(&world).await;
    world.end().await;
}
