//! `doctor` promises what `run` keeps, leaves nothing behind, and takes nobody else's proxy for its own.

use std::{fs, path::Path};

use crate::{journeys::world::World, program::free_address};

use super::agreement::{plan, stdout, typed};

/// Every path below `directory`.
fn paths(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        all.push(path.display().to_string());
        if path.is_dir() {
            all.extend(paths(&path));
        }
    }
    all.sort();
    all
}

fn line<'a>(text: &'a str, check: &str) -> &'a str {
    let mut lines = text.lines();
    lines
        .find(|it| it.starts_with(check))
        .unwrap_or_else(|| panic!("no {check} in:\n{text}"))
}

#[tokio::test]
async fn the_proxy_of_another_configuration_is_not_taken_for_ones_own() {
    let world = plan().start().await;
    let other = tempfile::tempdir_in(world.directory().path()).unwrap();
    let toml = fs::read_to_string(world.directory().config()).unwrap();
    let beside = other.path().join("config.toml");
    let secret = other.path().join("acme.secret");
    crate::directory::write_private(&beside, toml);
    crate::directory::write_private(&secret, &world.secret);
    let config = beside.to_str().unwrap().to_owned();

    let mut command = std::process::Command::new(crate::program::PROGRAM);
    command.args(["doctor", "--config", &config]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();

    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let proxy = line(&text, "proxy ");
    let theirs = world.directory().config();
    for word in [
        "another",
        &format!("pid {}", world.program_id()),
        theirs.to_str().unwrap(),
    ] {
        assert!(proxy.contains(word), "{word:?} in {proxy}");
    }
    let ports = line(&text, "ports ");
    assert!(
        ports.contains("FAILED") && ports.contains("in use"),
        "{ports}"
    );

    let own = stdout(&typed(&world, &["doctor"]).await);
    assert!(line(&own, "proxy ").contains("running, pid"), "{own}");
    assert!(
        line(&own, "ports ").contains("held by the running proxy"),
        "{own}"
    );
    world.end().await;
}

#[tokio::test]
async fn what_it_tries_it_takes_away_again() {
    let mut world = plan().start().await;
    world.program().terminate().await;
    fs::remove_dir_all(world.audit_path()).unwrap();
    let socket = world.directory().join("api.sock");
    world.rewrite(|toml| {
        toml.replace("path = \"audit\"", "path = \"state/of/mine/audit\"")
            .replace(
                "[listen]\n",
                &format!("[listen]\nunix = [{{ path = \"{}\" }}]\n", socket.display()),
            )
    });
    let before = paths(world.directory().path());

    let output = typed(&world, &["doctor"]).await;

    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let audit = line(&text, "audit-directory");
    assert!(
        audit.contains("does not exist yet, and can be created") && audit.contains("`audit.path`"),
        "{audit}"
    );
    assert_eq!(paths(world.directory().path()), before);

    // What cannot be made is named with its setting.
    fs::write(world.directory().join("state"), "in the way").unwrap();
    let text = stdout(&typed(&world, &["doctor"]).await);
    let audit = line(&text, "audit-directory");
    assert!(
        audit.contains("FAILED") && audit.contains("set by `audit.path`"),
        "{audit}"
    );
    world.gone();
}

#[tokio::test]
async fn a_configuration_that_is_not_there_has_no_empty_place() {
    let output = tokio::task::spawn_blocking(|| {
        let mut command = std::process::Command::new(crate::program::PROGRAM);
        command.args(["doctor", "--config", "/nonexistent/config.toml"]);
        command.output().unwrap()
    });
    let text = stdout(&output.await.unwrap());
    assert!(!text.contains("at :"), "{text}");
    assert!(text.contains("there is no configuration file"), "{text}");
}

#[tokio::test]
async fn a_store_path_without_a_seal_is_told_as_that() {
    let world: World = plan()
        .set("store", "path", "\"store\"")
        .set("admin", "probes", &format!("\"{}\"", free_address()))
        .start()
        .await;
    let text = stdout(&typed(&world, &["doctor"]).await);
    let store = line(&text, "store-directory");
    assert!(store.contains("`store.seal` is not set"), "{store}");
    assert!(text.contains("1 check needs attention."), "{text}");
    world.end().await;
}
