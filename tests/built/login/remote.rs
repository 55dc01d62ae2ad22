//! Logins from another machine, through the admin listener of a running proxy.

use std::{
    net::TcpStream,
    process::{Child, Stdio},
};

use serde_json::{Value, json};

use super::{
    browser::{Reply, decide, get, send},
    world::{NATIVE, OPERATOR_KEY, WEB, World, text},
};

struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(world: &World) -> Proxy {
    let mut command = world.command(&["run"]);
    let mut proxy = Proxy(command.stderr(Stdio::null()).spawn().unwrap());
    while TcpStream::connect(world.admin).is_err() {
        assert!(proxy.0.try_wait().unwrap().is_none(), "the proxy has ended");
        std::thread::yield_now();
    }
    proxy
}

fn ask(world: &World, path: &str, body: &Value, headers: &str) -> Reply {
    let host = world.admin.to_string();
    send(&host, "POST", path, headers, &body.to_string())
}

fn operator() -> String {
    format!("Authorization: Bearer {OPERATOR_KEY}\r\n")
}

fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("{}", reply.body))
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
        (unknown.status, text(&json(&unknown), "error")),
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
    assert!(text(&json(&reply), "detail").contains("admin.access"));
}

#[test]
fn a_login_is_finished_once_and_there_are_few_at_a_time() {
    let world = World::new(WEB);
    let _proxy = start(&world);
    let mut begun: Vec<Value> = (0..8)
        .map(|_| json(&ask(&world, "/login", &json!({}), &operator())))
        .collect();
    let full = ask(&world, "/login", &json!({}), &operator());
    assert_eq!((full.status, text(&json(&full), "error")), (429, "busy"));

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
        (done.status, text(&json(&done), "next_step")),
        (200, "done")
    );
    assert_eq!(ask(&world, &path(&one), &callback, &operator()).status, 404);

    let denied = json!({"callback": decide(text(&other, "authorize_url"), "deny")});
    let refused = ask(&world, &path(&other), &denied, &operator());
    assert_eq!(
        (refused.status, text(&json(&refused), "error")),
        (409, "denied")
    );
    assert_eq!(ask(&world, &path(&other), &denied, &operator()).status, 404);
}
