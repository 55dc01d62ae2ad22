//! Who may look and who may change something: the socket's peer, a key, or nobody.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use crate::key::new_key;

use super::Guarded;

#[tokio::test]
async fn without_a_proof_the_admin_listener_shows_health_alone() {
    let guarded = Guarded::start("[]");
    for (target, status) in [
        ("/livez", 200),
        ("/status", 401),
        ("/metrics", 401),
        ("/config", 401),
    ] {
        let answer = guarded.proxy.admin(target).await;
        assert_eq!(answer.status, status, "{target}");
    }
    let answer = guarded.proxy.admin("/status").await;
    assert!(
        answer.text().contains("[[admin.access]]"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn what_is_open_to_anybody_is_the_status_and_the_metrics_alone() {
    let mut guarded = Guarded::start("[]");
    guarded.rewrite("anonymous", "true");
    assert_eq!(guarded.command(&["reload"]).code, 0);
    for (target, status) in [("/status", 200), ("/metrics", 200), ("/config", 401)] {
        let answer = guarded.proxy.admin(target).await;
        assert_eq!(answer.status, status, "{target}");
    }
}

#[tokio::test]
async fn the_socket_is_for_its_owner_until_the_configuration_names_an_account() {
    let mut guarded = Guarded::start("[]");
    let mode = |guarded: &Guarded| fs::metadata(guarded.socket()).unwrap().permissions().mode();
    assert_eq!(mode(&guarded) & 0o777, 0o600);
    let told = guarded.command_of_nobody(&["status"]);
    assert_eq!(told.code, 1, "{}", told.out);

    // Access is reloaded, and the socket opens with it.
    let auditor = "[{ unix = { user = \"nobody\" }, role = \"auditor\" }]";
    guarded.rewrite("access", auditor);
    assert_eq!(guarded.command(&["reload"]).code, 0);
    assert_eq!(mode(&guarded) & 0o777, 0o666);
    let told = guarded.command_of_nobody(&["status", "--json"]);
    assert!(told.out.contains("\"schema\":\"status/1\""), "{}", told.err);
    let told = guarded.command_of_nobody(&["reload"]);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("role = \"operator\""), "{}", told.err);

    let operators = "[{ unix = { group = \"nogroup\" }, role = \"operator\" }]";
    guarded.rewrite("access", operators);
    assert_eq!(guarded.command(&["reload"]).code, 0);
    let told = guarded.command_of_nobody(&["reload"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let line = guarded.proxy.line(|it| it["by"] == "unix:nobody").await;
    assert_eq!(line["type"], "config");

    guarded.rewrite("access", "[]");
    assert_eq!(guarded.command(&["reload"]).code, 0);
    assert_eq!(guarded.command_of_nobody(&["status"]).code, 1);
    guarded.proxy.stop().await;
}

/// As `nobody`, opens connections, says a word on each, and opens another for each that is closed.
const HOLD_CONNECTIONS: &str = r#"
import os, select, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
def connect():
    held = socket.socket(socket.AF_UNIX)
    held.connect(sys.argv[1])
    try:
        held.send(b"GET /status")
    except OSError:
        pass
    return held
held = [connect() for _ in range(300)]
print("holding", flush=True)
while True:
    for closed in select.select(held, [], [])[0]:
        held.remove(closed)
        closed.close()
        held.append(connect())
"#;

#[tokio::test]
async fn operators_are_served_while_somebody_without_a_role_floods_the_socket() {
    const ASKED: usize = 10;
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: a flood by another user, because only root can become one"
        );
        return;
    }
    // For somebody else, so that the socket is open to all.
    let guarded = Guarded::start("[{ unix = { user = \"daemon\" }, role = \"auditor\" }]");
    let mut flood = Command::new("python3")
        .args(["-c", HOLD_CONNECTIONS])
        .arg(guarded.socket())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let said = BufReader::new(flood.stdout.take().unwrap()).read_line(&mut line);
    said.unwrap();
    assert_eq!(line, "holding\n");

    for _ in 0..ASKED {
        let told = guarded.command(&["status", "--json"]);
        assert!(told.out.contains("\"schema\":\"status/1\""), "{}", told.err);
    }
    assert_eq!(guarded.command(&["reload"]).code, 0);

    assert!(flood.try_wait().unwrap().is_none(), "it still floods");
    flood.kill().unwrap();
    flood.wait().unwrap();
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn a_key_opens_the_admin_listener_and_its_role_decides_what() {
    let (operator, auditor) = (new_key("operator"), new_key("auditor"));
    let digest = crate::key::hash;
    let access = format!(
        "[{{ key = \"{}\", role = \"operator\" }}, {{ key = \"{}\", role = \"auditor\" }}]",
        digest(&operator),
        digest(&auditor)
    );
    let guarded = Guarded::start(&access);
    let listener = format!("http://{}", guarded.proxy.addresses.admin);
    guarded.proxy.directory.write("operator.key", &operator);
    guarded.proxy.directory.write("auditor.key", &auditor);
    guarded.proxy.directory.write("wrong.key", new_key("other"));
    let ask = |command: &str, key: &str| {
        let key = guarded.proxy.directory.join(key);
        let key = key.to_str().unwrap();
        guarded.command(&[command, "--admin", &listener, "--admin-key-file", key])
    };
    assert_eq!(ask("reload", "operator.key").code, 0);
    assert!(ask("status", "auditor.key").out.contains("acme"));
    let told = ask("reload", "auditor.key");
    assert!(
        told.code == 1 && told.err.contains("auditor"),
        "{}",
        told.err
    );
    let told = ask("status", "wrong.key");
    assert!(
        told.code == 1 && told.err.contains("not in [[admin.access]]"),
        "{}",
        told.err
    );
    let line = guarded.proxy.line(|it| it["by"].is_string()).await;
    let by = line["by"].as_str().unwrap();
    let named = format!("key:{} from 127.0.0.1:", &digest(&operator)[7..15]);
    assert!(by.starts_with(&named), "{by}");
    guarded.proxy.stop().await;
}

#[tokio::test]
async fn a_socket_of_somebody_else_is_not_asked() {
    let guarded = Guarded::start("[]");
    // Anybody could have made it there.
    let directory = guarded.proxy.directory.path();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
    std::os::unix::fs::chown(guarded.socket(), Some(1), None).unwrap();
    let told = guarded.command(&["status"]);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("it may not be our proxy"), "{}", told.err);
}
