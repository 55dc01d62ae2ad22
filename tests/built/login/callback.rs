//! Requests that the callback server turns away (security: login callback).

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::{answer::Answer, directory::write_private};

use super::{
    browser::{decide, get, parts, send},
    world::{NATIVE, WEB, World, text},
};

/// What was tried, what came back, and what may.
type Tried = (&'static str, Answer, [u16; 2]);

fn none_got_further(tried: Vec<Tried>) {
    for (what, reply, statuses) in tried {
        assert!(statuses.contains(&reply.status), "{what}: {}", reply.head);
        assert!(!reply.head.to_lowercase().contains("location:"), "{what}");
    }
}

#[test]
fn who_does_not_come_as_a_persons_browser_is_refused_and_the_wait_goes_on() {
    let world = World::new(WEB);
    let (login, first) = world.login(&[]);
    let back = decide(text(&first, "authorize_url"), "allow");
    let (host, target) = parts(&back);
    let say = |method, target: &str, head: &str| send(host, method, target, head, "");
    let two_hosts = format!("Host: {host}\r\nHost: {host}\r\n");
    let image = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
    let foreign = "Origin: https://evil.example\r\n";

    none_got_further(vec![
        (
            "host",
            say("GET", target, "Host: evil.example\r\n"),
            [421; 2],
        ),
        ("two hosts", say("GET", target, &two_hosts), [421, 400]),
        (
            "localhost",
            say("GET", target, "Host: localhost\r\n"),
            [421; 2],
        ),
        ("POST", say("POST", target, ""), [405; 2]),
        ("HEAD", say("HEAD", target, ""), [405; 2]),
        ("another path", say("GET", "/callback/", ""), [404; 2]),
        ("a page's fetch", say("GET", target, image), [403; 2]),
        ("a page's origin", say("GET", target, foreign), [403; 2]),
    ]);

    assert_eq!(get(&back).status, 200);
    assert_eq!(login.end().0, 0);
}

#[test]
fn what_does_not_belong_to_the_login_is_refused_and_the_wait_goes_on() {
    let world = World::new(WEB);
    let (login, first) = world.login(&[]);
    let back = decide(text(&first, "authorize_url"), "allow");
    let (host, target) = parts(&back);
    let bring = |target: &str| send(host, "GET", target, "", "");
    let long = format!("/callback?state={}", "a".repeat(33 * 1024));
    let endless = format!("/callback?state={}", "a".repeat(1 << 20));
    let other_issuer = format!("{target}&iss=https://evil.example");

    none_got_further(vec![
        ("no state", bring("/callback?code=x"), [400; 2]),
        ("another state", bring("/callback?code=x&state=y"), [400; 2]),
        ("two states", bring(&format!("{target}&state=y")), [400; 2]),
        ("another issuer", bring(&other_issuer), [400; 2]),
        ("33 KiB", bring(&long), [414, 431]),
        ("1 MiB", bring(&endless), [431, 0]),
    ]);

    assert_eq!(get(&back).status, 200);
    assert_eq!(login.end().0, 0);
}

#[test]
fn a_code_is_used_once_and_the_listener_is_gone_soon() {
    let world = World::new(NATIVE);
    let (login, first) = world.login(&[]);
    let back = decide(text(&first, "authorize_url"), "allow");
    let reply = get(&back);
    let answered = Instant::now();
    assert_eq!(reply.status, 200);
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(reply.header(name), Some(value));
    }
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("script-src 'sha256-"));
    assert!(!policy.contains("unsafe") && !policy.contains("connect-src"));
    let (host, _) = parts(&back);
    while TcpStream::connect(host).is_ok() {
        assert!(answered.elapsed() < Duration::from_secs(1));
    }
    assert_eq!(login.end().0, 0);
    assert_eq!(world.ninja.token_calls(), 1);
}

#[test]
fn a_person_who_says_no_ends_it() {
    let world = World::new(WEB);
    let (login, first) = world.login(&[]);
    get(&decide(text(&first, "authorize_url"), "deny"));
    let (code, told) = login.end();
    assert_eq!((code, text(&told, "error")), (1, "denied"));
    let detail = text(&told, "detail");
    assert!(
        detail.contains("the user declined (access_denied); run login again"),
        "{detail}"
    );
}

#[test]
fn what_a_server_says_does_not_reach_the_terminal_as_it_is() {
    let world = World::new(WEB);
    let (login, first) = world.login(&[]);
    let back = decide(text(&first, "authorize_url"), "deny");
    // Of a refusal that is not the user's the server's own words are told.
    let back = back.replace("access_denied", "server_error");
    let said = "error_description=%1b%5b31m%0d%0aSet-Cookie:x%c2%9b";
    let reply = get(&format!("{back}&{said}"));
    assert!(!reply.text().contains("Set-Cookie") && reply.header("set-cookie").is_none());
    let (_, told) = login.end();
    let detail = text(&told, "detail");
    assert!(
        detail.contains("Set-Cookie:x") && detail.bytes().all(|it| (b' '..=b'~').contains(&it))
    );
}

#[test]
fn a_port_that_somebody_has_is_not_shared_and_not_evaded() {
    let world = World::new(NATIVE);
    let (host, _) = parts(&world.redirect);
    let squatter = TcpListener::bind(host).unwrap();
    let (login, told) = world.login(&[]);
    assert_eq!(
        (text(&told, "next_step"), text(&told, "error")),
        ("failed", "port-taken")
    );
    assert_eq!(login.end().0, 1);
    drop(squatter);
    assert_eq!(world.ninja.token_calls(), 0);
}

#[test]
fn nobody_is_waited_for_longer_than_said() {
    let world = World::new(NATIVE);
    let began = Instant::now();
    let (mut login, _) = world.login(&["--wait", "1s"]);
    assert_eq!(text(&login.next(), "error"), "timed-out");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(login.end().0, 1);
    assert_eq!(world.run(&["login", "--wait", "6m"]).0, 2);
}

#[test]
fn slow_and_many_connections_hold_nobody_up() {
    let world = World::new(NATIVE);
    let (login, first) = world.login(&[]);
    let (host, _) = parts(&world.redirect);
    let mut slow: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(host).unwrap()).collect();
    assert_eq!(
        get(&decide(text(&first, "authorize_url"), "allow")).status,
        200
    );
    assert_eq!(login.end().0, 0);
    // The oldest was cut.
    assert!(matches!(slow[0].read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn an_interrupt_ends_it_at_once_and_frees_the_port() {
    let world = World::new(NATIVE);
    let (login, _) = world.login(&[]);
    kill_process(Pid::from_raw(login.id()).unwrap(), Signal::INT).unwrap();
    let (code, told) = login.end();
    assert_eq!((code, text(&told, "error")), (1, "interrupted"));
    let (host, _) = parts(&world.redirect);
    TcpListener::bind(host).unwrap();
}

#[test]
fn a_login_that_cannot_be_kept_is_not_begun() {
    let world = World::new(NATIVE);
    std::fs::create_dir(world.path("store")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(world.path("store"), mode).unwrap();
    let (login, told) = world.login(&[]);
    assert_eq!(text(&told, "error"), "store");
    assert_eq!(login.end().0, 1);
}

#[test]
fn a_login_that_cannot_be_stored_in_the_end_is_given_back() {
    let world = World::new(NATIVE);
    let (login, first) = world.login(&[]);
    let back = decide(text(&first, "authorize_url"), "allow");
    std::fs::remove_dir_all(world.path("store")).unwrap();
    private_file_in_its_place(&world);
    get(&back);
    let (code, told) = login.end();
    assert_eq!((code, text(&told, "error")), (1, "store"), "{told}");
    assert!(
        text(&told, "detail").contains("revoked at NinjaOne"),
        "{told}"
    );
}

fn private_file_in_its_place(world: &World) {
    write_private(&world.path("store"), b"not a directory");
}
