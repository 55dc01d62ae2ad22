//! Logins from another machine, through the admin listener of a running proxy.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    answer::Answer,
    audit_log,
    program::{PROGRAM, Program},
};

use super::{
    browser::{decide, get, send},
    world::{NATIVE, OPERATOR_KEY, WEB, World, text},
};

/// The store is looked at every second.
const LINE_TURN: Duration = Duration::from_millis(50);
const LINE_TURNS_MAX: u32 = 200;

fn start(world: &World) -> Program {
    let mut proxy = Program::start(&world.directory.config());
    proxy.answers_at(world.admin);
    proxy
}

fn ask(world: &World, path: &str, body: &Value, headers: &str) -> Answer {
    let host = world.admin.to_string();
    send(&host, "POST", path, headers, &body.to_string())
}

fn operator() -> String {
    format!("Authorization: Bearer {OPERATOR_KEY}\r\n")
}

#[test]
fn the_command_logs_in_at_a_proxy_elsewhere() {
    for (user, redirect) in [
        (WEB, None),
        (NATIVE, Some("redirect = \"http://127.0.0.1:0/b\"")),
    ] {
        let world = World::new(user);
        if let Some(redirect) = redirect {
            world.configure(user, redirect);
        }
        let _proxy = start(&world);
        let admin = format!("http://{}", world.admin);
        let key = world.path("operator.key");
        let arguments = [
            "--admin",
            &admin,
            "--admin-key-file",
            key.to_str().unwrap(),
            "acme",
        ];
        let (login, first) = world.login(&arguments);
        get(&decide(text(&first, "authorize_url"), "allow"));
        let (code, done) = login.end();
        assert_eq!(code, 0, "{done}");
        assert_eq!(
            (&done["tenant"], &done["renewable"]),
            (&json!("acme"), &json!(true))
        );
    }
}

#[test]
fn over_the_admin_socket_neither_a_key_nor_the_configuration_is_needed() {
    let world = World::new(WEB);
    let _proxy = start(&world);
    let socket = world.path("store/admin.sock");
    std::fs::rename(world.path("config.toml"), world.path("away.toml")).unwrap();
    let (login, first) = world.login(&["--admin", socket.to_str().unwrap(), "acme"]);
    get(&decide(text(&first, "authorize_url"), "allow"));
    let (code, done) = login.end();
    assert_eq!((code, &done["tenant"]), (0, &json!("acme")), "{done}");
}

/// Secrets are often the service's alone: nobody else could log out at all.
#[test]
fn a_logout_over_the_admin_socket_needs_no_configuration_and_is_on_record_with_who_asked() {
    let world = World::new(WEB);
    let _proxy = start(&world);
    let socket = world.path("store/admin.sock");
    let socket = socket.to_str().unwrap();
    std::fs::rename(world.path("config.toml"), world.path("away.toml")).unwrap();
    let (login, first) = world.login(&["--admin", socket, "acme"]);
    get(&decide(text(&first, "authorize_url"), "allow"));
    assert_eq!(login.end().0, 0);
    assert!(recorded(&world, "logged-in").ends_with("unix:root"));

    let (code, wrong) = world.run(&["logout", "--admin", socket, "globex"]);
    assert_eq!((code, text(&wrong, "error")), (2, "tenant-unknown"));
    let (code, done) = world.run(&["logout", "--admin", socket]);
    assert_eq!(code, 0, "{done}");
    assert_eq!(done["schema"], "logout/1");
    assert_eq!(
        (&done["tenant"], &done["forgotten"], &done["revoked"]),
        (&json!("acme"), &json!(true), &json!(true))
    );
    // At once, and not at the next look at the store.
    let (_, status) = world.run(&["status", "--admin", socket]);
    let identity = &status["tenants"][0]["identities"][1];
    assert_eq!(identity["state"], "login-needed", "{status}");
    assert!(recorded(&world, "logged-out").ends_with("unix:root"));
    let (code, again) = world.run(&["logout", "--admin", socket]);
    assert_eq!((code, &again["revoked"]), (0, &json!(false)), "{again}");
    assert!(text(&again, "detail").contains("nobody was logged in"));
}

#[test]
fn a_key_logs_out_from_elsewhere_and_is_named_in_the_record() {
    let world = World::new(WEB);
    let _proxy = start(&world);
    let admin = format!("http://{}", world.admin);
    let key = world.path("operator.key");
    let at = ["--admin", &admin, "--admin-key-file", key.to_str().unwrap()];
    let (login, first) = world.login(&at);
    get(&decide(text(&first, "authorize_url"), "allow"));
    assert_eq!(login.end().0, 0);
    assert!(recorded(&world, "logged-in").starts_with("key:"));
    let (code, done) = world.run(&[&["logout"][..], &at].concat());
    assert_eq!((code, &done["revoked"]), (0, &json!(true)), "{done}");
    assert!(recorded(&world, "logged-out").starts_with("key:"));
}

/// Who is on record for the login line with this result, once it is there.
fn recorded(world: &World, result: &str) -> String {
    for _ in 0..LINE_TURNS_MAX {
        let lines = audit_log::lines(&world.directory.audit());
        let line = lines
            .iter()
            .find(|it| it["type"] == "login" && it["result"] == result);
        if let Some(line) = line {
            return line["by"].as_str().unwrap_or_default().to_owned();
        }
        std::thread::sleep(LINE_TURN);
    }
    panic!("no line says {result}");
}

#[test]
fn root_logs_in_at_a_proxy_of_another_user_who_stores_the_login_as_its_own() {
    let world = World::new(WEB);
    let nobody = 65_534;
    let owned = |path: &Path| chown(path, Some(nobody), Some(nobody)).unwrap();
    let directory = world.directory.path();
    // Below a directory for everybody root trusts only what root has put there.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    for made in ["store", "audit"] {
        fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(world.path(made))
            .unwrap();
    }
    for file in fs::read_dir(directory).unwrap() {
        owned(&file.unwrap().path());
    }
    let mut command = Command::new("setpriv");
    let nobody_text = nobody.to_string();
    command.args([
        "--reuid",
        &nobody_text,
        "--regid",
        &nobody_text,
        "--clear-groups",
        PROGRAM,
    ]);
    let mut proxy = Program::start_by(command, &world.directory.config());
    proxy.answers_at(world.admin);

    let (login, first) = world.login(&["acme"]);
    get(&decide(text(&first, "authorize_url"), "allow"));
    let (code, done) = login.end();
    assert_eq!((code, &done["tenant"]), (0, &json!("acme")), "{done}");
    let stored = fs::read_dir(world.path("store")).unwrap();
    let owners: Vec<u32> = stored
        .map(|it| it.unwrap().metadata().unwrap().uid())
        .collect();
    assert!(
        owners.len() > 1 && owners.iter().all(|it| *it == nobody),
        "{owners:?}"
    );
}

#[test]
fn only_an_operator_who_is_no_page_may_log_anybody_in() {
    let world = World::new(WEB);
    let _proxy = start(&world);
    let wanted = json!({"tenant": "acme"});
    let wrong = format!("Authorization: Bearer {}\r\n", "x".repeat(40));
    let page = format!("{}Origin: http://127.0.0.1\r\n", operator());
    let host = format!("{}Host: evil.example\r\n", operator());
    for (headers, status) in [("", 401), (&*wrong, 403), (&*page, 403), (&*host, 421)] {
        assert_eq!(
            ask(&world, "/login", &wanted, headers).status,
            status,
            "{headers}"
        );
    }
    let unknown = ask(&world, "/login", &json!({"tenant": "other"}), &operator());
    assert_eq!(
        (unknown.status, text(&unknown.json(), "error")),
        (404, "tenant-unknown")
    );
    let long = json!({"tenant": "a".repeat(9000)});
    assert_eq!(ask(&world, "/login", &long, &operator()).status, 413);
    assert_eq!(
        send(&world.admin.to_string(), "GET", "/login", &operator(), "").status,
        405
    );
}

#[test]
fn without_an_operators_key_in_the_configuration_nobody_may() {
    let world = World::new(WEB);
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let auditor = config.replace("role = \"operator\"", "role = \"auditor\"");
    std::fs::write(world.path("config.toml"), auditor).unwrap();
    let _proxy = start(&world);
    let reply = ask(&world, "/login", &json!({}), &operator());
    assert_eq!(reply.status, 403);
    assert!(text(&reply.json(), "detail").contains("admin.access"));
}

#[test]
fn a_login_is_finished_once_and_there_are_few_at_a_time() {
    let world = World::new(WEB);
    let _proxy = start(&world);
    let mut begun: Vec<Value> = (0..8)
        .map(|_| ask(&world, "/login", &json!({}), &operator()).json())
        .collect();
    let full = ask(&world, "/login", &json!({}), &operator());
    assert_eq!((full.status, text(&full.json(), "error")), (429, "busy"));

    let (one, other) = (begun.remove(0), begun.remove(0));
    let path = |login: &Value| format!("/login/{}", text(login, "id"));
    let back = decide(text(&one, "authorize_url"), "allow");
    let callback = json!({"callback": back});
    // Swapped: it belongs to another login, and neither ends.
    assert_eq!(
        ask(&world, &path(&other), &callback, &operator()).status,
        409
    );
    assert_eq!(ask(&world, &path(&one), &callback, "").status, 401);
    let done = ask(&world, &path(&one), &callback, &operator());
    assert_eq!(
        (done.status, text(&done.json(), "next_step")),
        (200, "done")
    );
    assert_eq!(ask(&world, &path(&one), &callback, &operator()).status, 404);

    let denied = json!({"callback": decide(text(&other, "authorize_url"), "deny")});
    let refused = ask(&world, &path(&other), &denied, &operator());
    assert_eq!(
        (refused.status, text(&refused.json(), "error")),
        (409, "denied")
    );
    assert_eq!(ask(&world, &path(&other), &denied, &operator()).status, 404);
}
