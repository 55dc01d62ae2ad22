//! As a service of systemd: priorities in the journal, the line that says that it is ready, and its reload.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    program::{PROGRAM, Program, Stderr},
    proxy::Proxy,
    wait::until,
};

use super::without_ninjaone;

#[tokio::test]
async fn the_line_that_says_ready_names_version_configuration_and_listeners() {
    let (directory, mut settings) = without_ninjaone();
    settings.set("admin", "probes", "\"127.0.0.1:0\"");
    let proxy = Proxy::start(directory, settings);
    let is_it = |it: &Value| it["message"] == "ready";
    until("the line", async || {
        proxy.program.log.lines().iter().any(is_it)
    })
    .await;

    let line = proxy.program.log.lines().into_iter().find(is_it).unwrap();

    assert_eq!(line["level"], "INFO");
    assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(line["config"], proxy.directory.config().to_str().unwrap());
    let listeners = line["listeners"].as_str().unwrap();
    for (role, address) in &proxy.listeners {
        assert!(
            listeners.contains(&format!("{role} {address}")),
            "{listeners}"
        );
    }
    assert!(listeners.contains(&format!("callers http://{}", proxy.callers)));
    assert!(!listeners.contains(":0,"), "{listeners}");
    proxy.stop().await;
}

/// What the program writes to a stderr that `JOURNAL_STREAM` names, or does not.
async fn journal(toml: &str, is_named: bool) -> String {
    let directory = crate::directory::Directory::new();
    directory.write("acme.secret", "a client secret of the tests");
    directory.configure(toml);
    let path = directory.join("journal");
    let stderr = File::create(&path).unwrap();
    let about = stderr.metadata().unwrap();
    let inode = about.ino() + u64::from(!is_named);
    let stream = format!("{}:{inode}", about.dev());
    let environment = [("JOURNAL_STREAM".to_owned(), stream)];
    let stderr = Stderr::Other(Stdio::from(stderr));
    let mut program = Program::start_with(&directory.config(), stderr, &environment);
    let read = || {
        let mut text = String::new();
        File::open(&path)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    };
    until("its log", async || {
        !program.is_running() || read().contains("ready")
    })
    .await;
    if program.is_running() {
        program.signal(Signal::TERM);
        program.ends().await;
    }
    read()
}

fn priority_of<'l>(log: &'l str, words: &str) -> &'l str {
    let line = log.lines().find(|it| it.contains(words));
    line.unwrap_or_else(|| panic!("no {words} in {log}"))
        .get(..3)
        .unwrap()
}

#[tokio::test]
async fn each_line_carries_its_priority_in_the_journal_and_nowhere_else() {
    let (_, mut settings) = without_ninjaone();
    // A warning at the start.
    settings.set("listen", "http", "[\"0.0.0.0:0\"]");
    for format in ["json", "text"] {
        settings.set("telemetry.log", "format", &format!("\"{format}\""));
        let log = journal(&settings.toml(), true).await;
        assert_eq!(priority_of(&log, "ready"), "<6>", "{log}");
        assert_eq!(priority_of(&log, "keys travel unencrypted"), "<4>");
        for line in log.lines() {
            let rest = line
                .strip_prefix('<')
                .and_then(|it| it.get(1..)?.strip_prefix('>'));
            assert!(rest.is_some(), "{line}");
        }
        let log = journal(&settings.toml(), false).await;
        assert!(!log.contains("<6>") && !log.contains("<4>"), "{log}");
    }
}

#[tokio::test]
async fn each_line_of_what_is_wrong_with_the_configuration_is_an_error_in_the_journal() {
    let log = journal("[listen]\nhttp = \"nonsense\"\ncolour = \"red\"\n", true).await;

    assert!(log.lines().count() > 4, "{log}");
    assert!(log.contains("colour"), "{log}");
    for line in log.lines() {
        assert!(line.starts_with("<3>"), "{line}");
    }
}

#[tokio::test]
async fn the_unit_reloads_by_the_programs_own_command_which_waits_for_the_result() {
    let unit = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/systemd/ninjaone-proxy.service"
    );
    let unit = fs::read_to_string(unit).unwrap();
    let reload = unit
        .lines()
        .find_map(|it| it.strip_prefix("ExecReload="))
        .unwrap();
    let arguments = reload.strip_prefix("/usr/bin/ninjaone-proxy ").unwrap();
    let (directory, mut settings) = without_ninjaone();
    // Where the command looks for it.
    settings.set(
        "admin",
        "listen",
        &format!("\"{}\"", crate::program::free_address()),
    );
    let proxy = Proxy::start(directory, settings.clone());
    let run = async || {
        let mut command = Command::new(PROGRAM);
        command.args(arguments.split(' '));
        command.env("CONFIGURATION_DIRECTORY", proxy.directory.path());
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    };

    settings.also("[caller.second]\nkey = \"sha256:0000000000000000000000000000000000000000000000000000000000000001\"\n");
    proxy.directory.configure(&settings.toml());
    let done = run().await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let callers = proxy.status().await["callers"].as_array().unwrap().len();
    assert_eq!(callers, 2);

    settings.also("colour = \"red\"");
    proxy.directory.configure(&settings.toml());
    let refused = run().await;
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    proxy.stop().await;
}

#[tokio::test]
async fn without_an_admin_listener_systemd_names_the_process_to_reload() {
    let (directory, mut settings) = without_ninjaone();
    settings.set(
        "listen",
        "http",
        &format!("[\"{}\"]", crate::program::free_address()),
    );
    settings.set("admin", "listen", "\"\"");
    directory.configure(&settings.toml());
    let mut program = Program::start(&directory.config());
    until("the start", async || program.log.count("ready") > 0).await;

    let mut command = Command::new(PROGRAM);
    command.args(["reload", "--config"]).arg(directory.config());
    let unknown = command.output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    let told = command
        .env("MAINPID", program.id().to_string())
        .output()
        .unwrap();

    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stdout).contains("its log says whether it did"));
    until("the reload", async || {
        program.log.count("configuration loaded") > 0
    })
    .await;
    program.terminate().await;
}
