//! What everything that judges the proxy has to say in one trouble, and that it does.

use std::process::{Command, Output};

use serde_json::Value;

use crate::{
    journeys::world::{Plan, World},
    program::{PROGRAM, free_address},
    wait::until,
};

/// The verdict on one trouble.
pub(super) struct Expected {
    /// The name in `status` and in the metrics.
    pub(super) kind: &'static str,
    /// What it is about: `acme/service`.
    pub(super) about: &'static str,
    pub(super) health: &'static str,
    /// Of `status`.
    pub(super) exit: i32,
    /// The status of `/readyz`.
    pub(super) ready: u16,
    /// The exit code of `doctor`.
    pub(super) doctor: i32,
}

/// A plan whose listeners are where the configuration says, so that commands find them. It is ready with all tokens.
pub(super) fn plan() -> Plan {
    at_fixed_addresses(World::plan())
}

pub(super) fn at_fixed_addresses(plan: Plan) -> Plan {
    plan.set("admin", "ready", "\"all-tokens\"")
        .set("admin", "listen", &format!("\"{}\"", free_address()))
        .set("listen", "http", &format!("[\"{}\"]", free_address()))
}

/// The program as somebody types it, with the world's configuration.
pub(super) async fn typed(world: &World, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments);
    command.arg("--config").arg(world.directory().config());
    // Servers of the test go on meanwhile.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    output.await.unwrap()
}

pub(super) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until `status` has a trouble of this kind, and gives its sentence.
pub(crate) async fn trouble(world: &World, kind: &str) -> String {
    let mut text = None;
    until(kind, async || {
        let status = world.status().await;
        let troubles = status["troubles"].as_array().unwrap();
        let own = troubles.iter().find(|it| it["kind"] == kind);
        text = own.map(|it| it["text"].as_str().unwrap().to_owned());
        text.is_some()
    })
    .await;
    text.unwrap()
}

/// Waits until nothing needs attention.
pub(super) async fn is_healthy(world: &World) {
    until("health", async || {
        world.status().await["health"] == "healthy"
    })
    .await;
    assert_eq!(typed(world, &["status"]).await.status.code(), Some(0));
    assert_eq!(world.metric("health{state=\"healthy\"}").await, Some(1.0));
}

/// Waits for the trouble, and compares everything that judges it.
pub(super) async fn all_agree(world: &World, expected: &Expected) {
    let kind = expected.kind;
    let text = trouble(world, kind).await;
    let about = expected.about;
    until("the log to name it", async || {
        let lines = world.log().lines();
        let names = |it: &Value| it["trouble"] == kind && it["about"] == about;
        // The watchdog names what has stalled in words of its own.
        kind == "stalled" || lines.iter().any(names)
    })
    .await;

    let status = world.status().await;
    assert_eq!(status["health"], expected.health, "{status}");
    let degraded = status["degraded"].as_array().unwrap();
    assert_eq!(degraded.len(), status["troubles"].as_array().unwrap().len());
    let shown = typed(world, &["status"]).await;
    assert_eq!(
        shown.status.code(),
        Some(expected.exit),
        "{}",
        stdout(&shown)
    );
    let first_words = text.split(' ').take(6).collect::<Vec<_>>().join(" ");
    assert!(
        stdout(&shown).contains(&first_words),
        "{first_words} in {}",
        stdout(&shown)
    );

    let ready = world.admin("/readyz").await;
    assert_eq!(ready.status, expected.ready, "{}", ready.text());
    let count = world.metric(&format!("troubles{{kind=\"{kind}\"}}")).await;
    assert!(count >= Some(1.0), "{count:?}");
    let health = format!("health{{state=\"{}\"}}", expected.health);
    assert_eq!(world.metric(&health).await, Some(1.0));

    let doctor = typed(world, &["doctor"]).await;
    assert_eq!(
        doctor.status.code(),
        Some(expected.doctor),
        "{}",
        stdout(&doctor)
    );
}
