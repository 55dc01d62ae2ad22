//! A newcomer's first minutes: types what the sandbox and the commands print, and nothing else.

use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, net::UnixListener},
    process::Command,
};

use rustix::process::geteuid;

use crate::{
    program::PROGRAM,
    sandbox_window::{ANYWHERE, LAST_OF_GREETING, Window},
};

/// A second window, in which the greeting's variables are set.
struct SecondWindow {
    exports: String,
}

impl SecondWindow {
    fn open(greeting: &str) -> Self {
        let exports: Vec<_> = greeting
            .lines()
            .filter(|it| it.starts_with("export "))
            .collect();
        Self {
            exports: exports.join("\n"),
        }
    }

    /// What a typed line prints, and its exit code.
    fn type_in(&self, line: &str) -> (String, i32) {
        let line = match line.strip_prefix("curl ") {
            Some(rest) => format!("curl -s -w ' %{{http_code}}' {rest}"),
            None => line.to_owned(),
        };
        let script = format!("{}\n{line} 2>&1", self.exports);
        let ended = Command::new("sh").args(["-c", &script]).output().unwrap();
        let told = String::from_utf8_lossy(&ended.stdout).into_owned();
        (told, ended.status.code().unwrap())
    }

    /// What a line prints that works.
    fn works(&self, line: &str) -> String {
        let (told, code) = self.type_in(line);
        assert_eq!(code, 0, "{line}: {told}");
        told
    }
}

/// The command after these words, in one of the lines.
fn command_after(words: &str, text: &str) -> String {
    let line = text.lines().find_map(|it| it.split_once(words));
    line.unwrap_or_else(|| panic!("no {words:?} in {text}"))
        .1
        .trim()
        .to_owned()
}

#[test]
fn a_newcomer_is_refused_learns_why_allows_it_tries_again_runs_a_script_and_proves_the_log() {
    let mut window = Window::open(&ANYWHERE);
    window.until(LAST_OF_GREETING);
    let greeting = window.told.clone();
    let second = SecondWindow::open(&greeting);
    let printed = |words: &str| {
        let found = greeting.lines().find(|it| it.contains(words));
        found.unwrap_or_else(|| panic!("no {words} in {greeting}"))
    };

    let refused = second.works(printed("/devices/approval/APPROVE"));
    assert!(refused.ends_with(" 403"), "{refused}");

    let why = window.until("Why: ");
    let (explained, code) = second.type_in(&command_after("Why: ", &why));
    assert_eq!(code, 5, "{explained}");
    let allow = window.until("To allow it: ");
    let allow = command_after("To allow it: ", &allow);
    assert!(explained.contains(&allow), "{explained}");

    let allowed = second.works(&allow);
    assert!(allowed.contains("(generation 2)"), "{allowed}");
    let retried = second.works(printed("/devices/approval/APPROVE"));
    assert!(retried.ends_with(" 204"), "{retried}");

    let script = second.works(printed("/script/run"));
    assert!(script.ends_with(" 204"), "{script}");
    window.until("runScriptOnDevice");

    let proved = second.works(printed("audit verify"));
    assert!(proved.contains("The audit log is whole"), "{proved}");
    window.close();
}

#[test]
fn every_command_works_on_the_sandbox_that_the_variable_names() {
    let mut window = Window::open(&ANYWHERE);
    window.until(LAST_OF_GREETING);
    let second = SecondWindow::open(&window.told);
    for (line, words) in [
        ("ninjaone-proxy status", "Tenant sandbox"),
        ("ninjaone-proxy doctor", "Nothing needs attention"),
        (
            "ninjaone-proxy config check",
            "is valid: 1 tenant, 3 callers",
        ),
        ("ninjaone-proxy config show", "njp-sandbox-"),
        (
            "ninjaone-proxy caller add auditor --allow read",
            "njp_auditor_",
        ),
        ("ninjaone-proxy caller list", "auditor"),
        (
            "ninjaone-proxy caller revoke auditor",
            "Revoked caller auditor",
        ),
        (
            "ninjaone-proxy explain helpdesk POST /v2/device/1/script/run",
            "Allowed",
        ),
        (
            "ninjaone-proxy ops show runScriptOnDevice",
            "runScriptOnDevice",
        ),
        ("ninjaone-proxy reload", "loaded"),
        ("ninjaone-proxy logout sandbox", "sandbox"),
    ] {
        let told = second.works(line);
        assert!(told.contains(words), "{line}: {told}");
    }
    window.close();
}

#[test]
fn a_command_meant_for_a_sandbox_that_has_gone_reaches_no_other_proxy() {
    let mut window = Window::open(&ANYWHERE);
    window.until(LAST_OF_GREETING);
    let second = SecondWindow::open(&window.told);
    window.close();

    let (told, code) = second.type_in("ninjaone-proxy caller list");

    assert_eq!(code, 1, "{told}");
    assert!(
        told.contains("$NJP_ADMIN: no proxy can be asked at"),
        "{told}"
    );
    assert!(told.contains("unset NJP_ADMIN"), "{told}");
}

#[test]
fn a_variable_that_leads_to_no_files_of_ours_reaches_no_other_configuration() {
    let mut window = Window::open(&ANYWHERE);
    window.until(LAST_OF_GREETING);
    let greeting = window.told.lines().next().unwrap();
    let listener = greeting.split("admin: ").nth(1).unwrap().to_owned();
    let home = tempfile::tempdir().unwrap();
    let configuration = home.path().join("ninjaone-proxy/config.toml");
    std::fs::create_dir(configuration.parent().unwrap()).unwrap();
    std::fs::write(&configuration, "[tenant.real]\nregion = \"eu\"\n").unwrap();
    let add = |admin: &OsStr| {
        let ended = Command::new(PROGRAM)
            .args(["caller", "add", "stray", "--allow", "all"])
            .env("NJP_ADMIN", admin)
            .env("XDG_CONFIG_HOME", home.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        (ended.status.code().unwrap(), told)
    };

    let (code, told) = add(listener.as_ref());
    assert_eq!(code, 78, "{told}");
    assert!(told.contains("$NJP_ADMIN is an address"), "{told}");

    let (code, told) = add(OsStr::from_bytes(b"/tmp/\xff/admin.sock"));
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("no proxy can be asked at"), "{told}");

    let left = std::fs::read_dir(configuration.parent().unwrap()).unwrap();
    assert_eq!(left.count(), 1, "nothing was written there");
    window.close();
}

#[test]
fn a_socket_that_somebody_else_put_below_a_directory_for_everybody_is_not_asked() {
    if !geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    for path in [directory.path(), &socket] {
        std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).unwrap();
    }
    for command in ["status", "doctor", "explain", "reload", "drain"] {
        let mut typed = Command::new(PROGRAM);
        typed.arg(command).env("NJP_ADMIN", &socket);
        if command == "explain" {
            typed.args(["reporting", "GET", "/v2/devices"]);
        }
        let ended = typed.output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{command}: {told}");
        assert!(
            told.contains("it may not be our proxy"),
            "{command}: {told}"
        );
    }
}

#[test]
fn a_reader_that_leaves_early_does_not_turn_a_refusal_into_a_success() {
    let mut window = Window::open(&ANYWHERE);
    window.until(LAST_OF_GREETING);
    let second = SecondWindow::open(&window.told);
    // The reader has gone before anything is written.
    let explain = "ninjaone-proxy explain reporting POST /v2/devices/approval/APPROVE";
    let line = format!("{{ {{ sleep 0.2; {explain}; echo ended $? >&3; }} | true; }} 3>&1");
    let (told, _) = second.type_in(&line);
    assert!(
        told.contains("ended ") && !told.contains("ended 0"),
        "{told}"
    );
    window.close();
}

#[test]
fn the_variable_of_completions_alone_changes_no_command() {
    let ended = Command::new(PROGRAM)
        .args([
            "explain",
            "--config",
            "/none.toml",
            "x",
            "GET",
            "/v2/devices",
        ])
        .env("NJP_COMPLETE", "bash")
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(78));
}

#[test]
fn two_listeners_at_one_address_are_told_by_their_flags() {
    let same = ["--listen", "127.0.0.1:1", "--admin", "127.0.0.1:1"];
    let ended = Command::new(PROGRAM).arg("sandbox").args(same).output();
    let told = String::from_utf8_lossy(&ended.unwrap().stderr).into_owned();
    assert_eq!(
        told.trim_end(),
        "error: --listen and --admin are the same address, 127.0.0.1:1"
    );
}

#[test]
fn a_sandbox_leaves_no_files_even_when_it_was_killed_once() {
    let directory = tempfile::tempdir().unwrap();
    let count = || std::fs::read_dir(directory.path()).unwrap().count();
    let mut killed = Window::open_with("TMPDIR", directory.path().as_os_str(), &ANYWHERE);
    killed.until(LAST_OF_GREETING);
    drop(killed);
    assert_eq!(count(), 1, "nothing could be removed");

    let mut next = Window::open_with("TMPDIR", directory.path().as_os_str(), &ANYWHERE);
    next.until(LAST_OF_GREETING);
    assert_eq!(count(), 1, "the killed one's files are gone");
    next.close();

    assert_eq!(count(), 0);
}
