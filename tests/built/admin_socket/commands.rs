//! The commands that ask the running proxy: they need neither its configuration nor its secrets.

use std::process::Command;

use serde_json::Value;

use crate::program::PROGRAM;

use super::{Guarded, Told};

#[tokio::test]
async fn status_needs_no_configuration() {
    let guarded = Guarded::start("[]");
    let told = guarded.command(&["status", "--json"]);
    let status: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(status["pid"], guarded.proxy.program.id());
    let file = status["config"]["file"].as_str().unwrap();
    assert!(file.ends_with("config.toml"), "{file}");
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn a_reload_says_what_waits_for_a_restart_and_everything_that_is_wrong() {
    let mut guarded = Guarded::start("[]");
    guarded.rewrite("probes", "\"127.0.0.1:0\"");
    let told = guarded.command(&["reload"]);
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.out.starts_with("loaded: generation "), "{}", told.out);
    let waits = "admin has changed; the change takes effect at the next start";
    assert!(told.err.contains(waits), "{}", told.err);
    let line = guarded.proxy.line(|it| it["by"] == "unix:root").await;
    assert_eq!(line["result"], "loaded");

    guarded.rewrite("redy", "\"listening\"");
    guarded.settings.set("listen", "htpp", "[]");
    guarded.rewrite("watchdog", "\"5x\"");
    let told = guarded.command(&["reload"]);
    assert_eq!(told.code, 78);
    for wrong in ["redy", "htpp", "5x"] {
        assert!(told.err.contains(wrong), "{wrong} in: {}", told.err);
    }
    let told = guarded.command(&["reload", "--json"]);
    let report: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(report["loaded"], false);
    assert_eq!(report["errors"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn config_show_shows_what_is_in_force_and_not_what_was_written_since() {
    let mut guarded = Guarded::start("[]");
    guarded.rewrite("redy", "\"listening\"");
    let told = guarded.command(&["config", "show"]);
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(
        told.out.contains("admin.socket = \"admin.sock\""),
        "{}",
        told.out
    );
    assert!(!told.out.contains("redy"));
    assert!(!told.out.contains("a-client-secret"));
}

#[tokio::test]
async fn what_waits_for_a_restart_is_not_in_force() {
    let mut guarded = Guarded::start("[]");
    guarded.settings.set("listen", "drain", "\"77s\"");
    guarded.rewrite("ready", "\"listening\"");
    let told = guarded.command(&["reload"]);
    assert!(
        told.err.contains("listen.drain has changed"),
        "{}",
        told.err
    );
    let told = guarded.command(&["config", "show"]);
    assert!(told.out.contains("listen.drain = \"20s\""), "{}", told.out);
    assert!(!told.out.contains("77s"), "{}", told.out);
}

#[tokio::test]
async fn the_path_of_a_socket_may_be_relative() {
    let guarded = Guarded::start("[]");
    let mut asked = Command::new(PROGRAM);
    asked.args(["status", "--json", "--admin", "audit/../admin.sock"]);
    let told = Told::of(asked.current_dir(guarded.proxy.directory.path()));
    assert!(told.out.contains("status/1"), "{}", told.err);
}

#[tokio::test]
async fn a_drain_waits_for_the_end_and_says_who_asked() {
    let mut guarded = Guarded::start("[]");
    let told = guarded.command(&["drain", "--wait"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let said = [
        "ended after ",
        " s; no request was in progress when it began\n",
    ];
    assert!(said.iter().all(|it| told.out.contains(it)), "{}", told.out);
    assert!(guarded.proxy.program.ends().await.success());
    let line = guarded.proxy.line(|it| it["type"] == "stop").await;
    assert_eq!(line["why"], "drain by unix:root");
    assert!(!guarded.socket().exists());
}

#[tokio::test]
async fn a_command_that_names_another_configuration_leaves_this_proxy_alone() {
    let guarded = Guarded::start("[]");
    let other = guarded.proxy.directory.join("other.toml");
    std::fs::copy(guarded.proxy.directory.config(), &other).unwrap();
    for command in ["status", "reload", "drain"] {
        let mut asked = Command::new(PROGRAM);
        asked.arg("--config").arg(&other).arg(command);
        let told = Told::of(&mut asked);
        assert_eq!(told.code, 1);
        assert!(told.err.contains("runs with"), "{}", told.err);
    }
    guarded.proxy.stop().await;
}
