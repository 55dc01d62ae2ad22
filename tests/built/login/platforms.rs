//! Every platform and grant can log in and out.

use crate::directory::write_private;

use super::{
    browser::{decide, get, parts, send},
    world::{Login, NATIVE, SINGLE_PAGE, WEB, World, text},
};

#[test]
fn each_platform_logs_in_by_code() {
    for (user, renewable) in [(NATIVE, true), (WEB, true), (SINGLE_PAGE, false)] {
        let world = World::new(user);
        let (login, first) = world.login(&[]);
        assert_eq!(first["schema"], "login/1");
        assert_eq!(first["next_step"], "open");
        assert_eq!(text(&first, "redirect_uri"), world.redirect);
        let back = get(&decide(text(&first, "authorize_url"), "allow"));
        assert_eq!(back.status, 200);
        let (code, done) = login.end();
        assert_eq!(code, 0, "{done}");
        assert_eq!(done["next_step"], "done");
        assert_eq!(done["tenant"], "acme");
        assert_eq!(done["identity"], "user");
        assert_eq!(done["renewable"], renewable);
        assert!(done["scopes"].as_array().unwrap().len() >= 2);
        assert!(text(&done, "expires_at").ends_with('Z'));
    }
}

#[test]
fn the_implicit_grant_comes_back_by_a_script_of_our_own_page() {
    let world = World::new(&format!("{NATIVE}\ngrant = \"implicit\""));
    let (login, first) = world.login(&[]);
    let back = decide(text(&first, "authorize_url"), "allow");
    let (host, _) = parts(&back);
    let page = get(&back);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("history.replaceState"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"));
    let fragment = back.split_once('#').unwrap().1;
    let path = "/.ninjaone-proxy/fragment";
    let foreign = "Origin: https://evil.example\r\n";
    assert_eq!(send(host, "POST", path, foreign, fragment).status, 403);
    assert_eq!(send(host, "POST", path, "", fragment).status, 403);
    assert_eq!(send(host, "GET", path, "", "").status, 405);
    let ours = format!("Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n");
    assert_eq!(
        send(host, "POST", path, &ours, "access_token=x&state=y").status,
        400
    );
    assert_eq!(send(host, "POST", path, &ours, fragment).status, 200);
    let (code, done) = login.end();
    assert_eq!((code, &done["renewable"]), (0, &false.into()), "{done}");
}

#[test]
fn a_native_application_may_have_any_port() {
    let world = World::new(NATIVE);
    world.configure(NATIVE, "redirect = \"http://127.0.0.1:0/back\"");
    let (login, first) = world.login(&[]);
    let redirect = text(&first, "redirect_uri");
    assert!(redirect.ends_with("/back") && !redirect.contains(":0/"));
    get(&decide(text(&first, "authorize_url"), "allow"));
    assert_eq!(login.end().0, 0);
}

#[test]
fn what_the_browser_ended_at_can_be_pasted() {
    for user in [WEB.to_owned(), format!("{NATIVE}\ngrant = \"implicit\"")] {
        let world = World::new(&user);
        for cut in [false, true] {
            let (mut login, first) = world.login(&["--paste"]);
            assert_eq!(first["next_step"], "paste");
            let back = decide(text(&first, "authorize_url"), "allow");
            login.paste("https://example.org/?code=1&state=2");
            let at = back.find(['?', '#']).unwrap() + 1;
            login.paste(if cut { &back[at..] } else { &back });
            let (code, done) = login.end();
            assert_eq!(code, 0, "{done}");
        }
    }
}

#[test]
fn logging_out_gives_the_login_back_and_says_if_that_failed() {
    let world = World::new(NATIVE);
    let (code, told) = world.run(&["logout"]);
    assert_eq!((code, &told["revoked"]), (0, &false.into()), "{told}");

    let log_in = || {
        let (login, first) = world.login(&[]);
        get(&decide(text(&first, "authorize_url"), "allow"));
        assert_eq!(login.end().0, 0);
    };
    log_in();
    let (code, told) = world.run(&["logout", "acme"]);
    assert_eq!((code, &told["revoked"]), (0, &true.into()), "{told}");

    log_in();
    // Another host is asked: nobody is there.
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let gone = config.replace(&world.ninja.address().to_string(), "127.0.0.1:9");
    std::fs::write(world.path("config.toml"), gone).unwrap();
    let (code, told) = world.run(&["logout"]);
    assert_eq!(code, 1, "{told}");
    assert_eq!(told["forgotten"], true);
    assert_eq!(told["revoked"], false);
    assert_eq!(told["error"], "unreachable");
}

#[test]
fn the_browser_of_the_environment_is_opened_with_the_address_as_one_argument() {
    let world = World::new(NATIVE);
    let (script, seen) = (world.path("browser"), world.path("seen"));
    let shell = format!(
        "#!/bin/sh\nprintf '%s|%s' \"$#\" \"$1\" > {0}.new && mv {0}.new {0}\n",
        seen.display()
    );
    write_private(&script, shell.as_bytes());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&script, mode).unwrap();
    let mut command = world.command(&["--json", "login"]);
    command.env("BROWSER", &script);
    let mut login = Login::start(command);
    let first = login.next();
    get(&decide(text(&first, "authorize_url"), "allow"));
    assert_eq!(login.end().0, 0);
    while !seen.exists() {
        std::thread::yield_now();
    }
    let url = text(&first, "authorize_url");
    assert_eq!(std::fs::read_to_string(seen).unwrap(), format!("1|{url}"));
}
