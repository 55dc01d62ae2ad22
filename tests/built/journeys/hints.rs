//! What callers and operators are told to do about a refusal can be done, and mends it.

use std::{process::Command, time::Duration};

use crate::{answer::Answer, program::PROGRAM, wait::until};

use super::{
    proxy_client::Ask,
    user_login::UserLogin,
    world::{Plan, World},
};

fn plan() -> Plan {
    // In the log of each world are the lines of what was refused.
    World::plan().set("telemetry.log", "level", "\"info\"")
}

/// The line for operators about the request.
async fn log_line(world: &World, answer: &Answer) -> String {
    let mut found = None;
    until("the line for operators", async || {
        let lines = world.log().with(&["\"request refused", answer.id()]);
        found = lines.into_iter().next();
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// The commands that a line names: in quotes, or from `Run:` to the end of the message.
fn commands(line: &str) -> Vec<Vec<String>> {
    line.match_indices("ninjaone-proxy ")
        .map(|(at, name)| {
            let rest = &line[at + name.len()..];
            let end = rest.find(['\'', '"']).unwrap();
            rest[..end].split(' ').map(str::to_owned).collect()
        })
        .collect()
}

/// Types it as it is; gives the exit code.
async fn typed(words: &[String]) -> i32 {
    let mut command = Command::new(PROGRAM);
    command.args(words);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = tokio::time::timeout(Duration::from_secs(20), output);
    let output = output.await.expect("an end").unwrap();
    output.status.code().unwrap()
}

/// Runs what operators are told to run.
async fn commands_work(world: &World, line: &str) {
    let named = commands(line);
    assert!(!named.is_empty(), "no command in {line}");
    let config = world.directory().config().display().to_string();
    for mut words in named {
        assert_eq!(words[..2], ["--config", &config], "{line}");
        let expected: &[i32] = match words[2].as_str() {
            "explain" => &[4, 5, 75],
            "status" => &[0, 4, 6],
            "ops" | "caller" | "config" => &[0],
            // Its own tests log in; here it is only asked whether it would understand.
            "login" => {
                words.push("--help".to_owned());
                &[0]
            }
            other => panic!("{other} is not known to this test: {line}"),
        };
        let code = typed(&words).await;
        assert!(expected.contains(&code), "{words:?}: {code}");
    }
}

fn is_for_callers(answer: &Answer) {
    let body = answer.json();
    for member in ["title", "detail", "hint"] {
        let text = body[member].as_str().unwrap_or_default();
        assert!(!text.contains("ninjaone-proxy "), "{member}: {text}");
        assert!(!text.contains(".."), "{member}: {text}");
        assert!(
            text.chars().next().is_none_or(|it| !it.is_lowercase()),
            "{member}: {text}"
        );
    }
    let hint = body["hint"].as_str().unwrap_or_default();
    if hint.to_lowercase().contains("ask the operator") {
        assert!(hint.ends_with(answer.id()), "{hint}");
    }
}

#[tokio::test]
async fn callers_are_told_no_command_and_operators_one_that_runs() {
    let world = plan()
        .user(UserLogin::LoggedOut)
        .set("listen", "max_body", "\"1KiB\"")
        .caller(
            "hasty",
            "allow = [\"read\"]\nlimit = { rate = \"1/h\", burst = 1 }",
        )
        .caller("reasons", "allow = [\"read\"]\nrequire_reason = true")
        .build();
    until("a token", async || {
        world.get("hasty", "/v2/users").await.status == 429
    })
    .await;
    let get = |caller: &str| world.ask(caller, "GET", "/v2/users");
    let post = |target: &str, body: &str| world.ask("operator", "POST", target).body(body);
    for (ask, status, code) in [
        (
            world.unauthenticated("GET", "/v2/users"),
            401,
            "unauthenticated",
        ),
        (
            get("reports").host("elsewhere.example"),
            421,
            "host-refused",
        ),
        (
            post("/v2/organizations", &"x".repeat(1025)),
            413,
            "too-large",
        ),
        (
            world.ask("reports", "POST", "/v2/organizations"),
            403,
            "policy-denied",
        ),
        (
            world.ask("operator", "GET", "/v2/device"),
            403,
            "unknown-operation",
        ),
        (
            get("operator").header("NJP-Tenant", "globex"),
            404,
            "tenant-unknown",
        ),
        (get("hasty"), 429, "caller-limit"),
        (get("reasons"), 428, "reason-required"),
        (post("/v2/device/101/script/run", "{}"), 503, "login-needed"),
    ] {
        let answer = ask.send().await;
        answer.refuses(status, code);
        is_for_callers(&answer);
        assert!(answer.json()["hint"].is_string(), "{code} has no hint");
        commands_work(&world, &log_line(&world, &answer).await).await;
    }
    world.end().await;
}

/// A request that is refused, its status, what its caller is told, and the request that does what was told.
type Mend = (Ask, u16, &'static str, Ask);

async fn mends(mends: Vec<Mend>) {
    for (ask, status, told, mended) in mends {
        let answer = ask.send().await;
        assert_eq!(answer.status, status, "{}", answer.text());
        is_for_callers(&answer);
        let hint = answer.json()["hint"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(hint.contains(told), "{told}: {}", answer.text());
        let through = mended.send().await;
        assert!(through.status < 300, "{told}: {}", through.text());
    }
}

fn mends_of_headers(world: &World) -> Vec<Mend> {
    let get = |caller: &str| world.ask(caller, "GET", "/v2/users");
    let with = |name: &str, value: &str| get("reports").header(name, value);
    vec![
        (
            get("reasons"),
            428,
            "'NJP-Reason: <text>'",
            get("reasons").header("NJP-Reason", "T-1"),
        ),
        (
            get("people"),
            428,
            "'NJP-On-Behalf-Of: <name>'",
            get("people").header("NJP-On-Behalf-Of", "a@b"),
        ),
        (
            with("NJP-Tenant", "acne"),
            404,
            "tenant's name",
            with("NJP-Tenant", "acme"),
        ),
        (
            with("Origin", "https://a.example"),
            403,
            "a program or a script",
            get("reports"),
        ),
        (
            with("X-HTTP-Method-Override", "PUT"),
            405,
            "do not override",
            get("reports"),
        ),
        (
            get("reports").host("elsewhere.example"),
            421,
            "by a host that it serves",
            get("reports"),
        ),
    ]
}

fn mends_of_bodies_and_targets(world: &World) -> Vec<Mend> {
    let at = |target: &str| world.ask("reports", "GET", target);
    let post = |body: &str| {
        let ask = world.ask("operator", "POST", "/v2/organizations");
        ask.header("Content-Type", "application/json").body(body)
    };
    let named = || post("{\"name\":\"Mended\"}");
    let long = format!("/v2/users?x={}", "y".repeat(9000));
    vec![
        (
            named().header("Content-Encoding", "gzip"),
            415,
            "without 'Content-Encoding'",
            named(),
        ),
        (
            named().header("Expect", "a-miracle"),
            417,
            "Send no 'Expect'",
            named(),
        ),
        (post(&"x".repeat(1025)), 413, "Send less", named()),
        (
            at("/v2/users").body("{}"),
            400,
            "without a body",
            at("/v2/users"),
        ),
        (at("//v2/users"), 400, "take it off", at("/v2/users")),
        (
            at("/organizations"),
            403,
            "/v2/organizations",
            at("/v2/organizations"),
        ),
        (at(&long), 414, "Ask for less", at("/v2/users?x=y")),
    ]
}

#[tokio::test]
async fn what_callers_are_told_to_do_gets_them_through() {
    let world = plan()
        .set("listen", "max_body", "\"1KiB\"")
        .caller("reasons", "allow = [\"read\"]\nrequire_reason = true")
        .caller("people", "allow = [\"read\"]\non_behalf_of = \"required\"")
        .start()
        .await;
    mends(mends_of_headers(&world)).await;
    mends(mends_of_bodies_and_targets(&world)).await;
    world.end().await;
}

#[tokio::test]
async fn the_settings_that_operators_are_told_to_change_mend_it() {
    let world = plan()
        .set("listen", "max_body", "\"1KiB\"")
        .set("listen", "hosts", "[\"localhost\", \"127.0.0.1\"]")
        .set("limits.caller", "rate", "\"1/h\"")
        .set("limits.caller", "burst", "8")
        .start()
        .await;
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(2000));
    let write = world
        .ask("operator", "POST", "/v2/organizations")
        .header("Content-Type", "application/json")
        .body(&long);
    let elsewhere = world
        .ask("operator", "GET", "/v2/users")
        .host("proxy.example:8080");
    let new = world.ask("operator", "GET", "/v2/brand/new");
    while world.get("reports", "/v2/users").await.status != 429 {}
    let often = world.ask("reports", "GET", "/v2/users");
    for (ask, told) in [
        (&write, "raise listen.max_body"),
        (
            &elsewhere,
            "the host proxy.example; its operator can add it to listen.hosts",
        ),
        (&new, "add an [[operation]] section"),
        (&often, "or limits.caller.rate"),
    ] {
        let answer = ask.send().await;
        assert!(answer.status >= 400, "{}", answer.text());
        let line = log_line(&world, &answer).await;
        assert!(line.contains(told), "{told}: {line}");
    }

    world.rewrite(|toml| {
        let toml = toml
            .replace("max_body = \"1KiB\"", "max_body = \"64KiB\"")
            .replace("\"127.0.0.1\"]", "\"127.0.0.1\", \"proxy.example\"]")
            .replace("rate = \"1/h\"", "rate = \"1000/s\"");
        let operation = "[[operation]]\nmethod = \"GET\"\npath = \"/v2/brand/new\"\nid = \"getBrandNew\"\nclass = \"read\"\nscope = \"monitoring\"\n";
        format!("{toml}\n{operation}")
    });
    world.reload().await;

    for ask in [&write, &elsewhere, &often] {
        let through = ask.send().await;
        assert!(through.status < 300, "{}", through.text());
    }
    // The sandbox does not know it, but it was asked.
    new.send().await.is(404);
    world.end().await;
}
