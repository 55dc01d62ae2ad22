//! A refused request reaches nobody: every refusal code of this version, in full.

use std::time::Duration;

use crate::{answer::Answer, wait::until};

use super::{proxy_client::Ask, world::World};

async fn nothing_arrived(world: &World, answer: &Answer, code: &str) {
    assert_eq!(world.saw(), Vec::<String>::new());
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["decision"], code, "{line}");
    assert_eq!(line["source"], "proxy");
    assert_eq!(line["attempts"], 0);
    assert_eq!(line["status"], answer.status);
}

#[tokio::test]
async fn what_no_rule_allows_is_denied_by_policy() {
    let world = World::plan()
        .caller("nothing", "allow = []")
        .caller("no-devices", "allow = [\"read\"]\ndeny = [\"tag:devices\"]")
        .also("[policy.reporting]\nallow = [\"read\"]\ndeny = [\"secrets\"]")
        .caller("shared", "policy = [\"reporting\"]")
        .start()
        .await;
    for (caller, method, target) in [
        ("reports", "POST", "/v2/organizations"),
        ("reports", "DELETE", "/v2/alert/abc"),
        ("reports", "POST", "/v2/device/101/script/run"),
        ("nothing", "GET", "/v2/organizations"),
        ("no-devices", "GET", "/v2/device/101"),
        (
            "shared",
            "GET",
            "/v2/queries/custom-fields?showSecureValues=true",
        ),
        (
            "shared",
            "GET",
            "/v2/queries/custom-fields?showSecureValues=TRUE",
        ),
        (
            "shared",
            "GET",
            "/v2/queries/custom-fields?show%53ecureValues=true",
        ),
        (
            "shared",
            "HEAD",
            "/v2/queries/custom-fields?showSecureValues=true",
        ),
    ] {
        let answer = world.ask(caller, method, target).send().await;
        if method == "HEAD" {
            assert_eq!(answer.status, 403);
            continue;
        }
        answer.refuses(403, "policy-denied");
        let body = answer.json();
        assert_eq!(body["caller"], caller);
        assert_eq!(body["error"], "policy_denied");
        let hint = format!(
            "Ask the operator of this proxy, and give them this request's ID: {}",
            answer.id()
        );
        assert_eq!(body["hint"], hint);
        assert!(body["operation"].is_string(), "{body}");
        nothing_arrived(&world, &answer, "policy-denied").await;
    }
    world.end().await;
}

#[tokio::test]
async fn an_operation_that_the_catalogue_lacks_is_refused_until_it_is_added() {
    let world = World::plan()
        .also(
            "[[operation]]\nmethod = \"GET\"\npath = \"/v2/brand/new/{thing}\"\nid = \"getNew\"\nclass = \"read\"\nscope = \"monitoring\"",
        )
        .start()
        .await;

    for target in ["/v2/no/such", "/", "/v3/devices", "/v2", "/V2/devices"] {
        let answer = world.get("operator", target).await;
        answer.refuses(403, "unknown-operation");
        nothing_arrived(&world, &answer, "unknown-operation").await;
    }
    // The sandbox does not know it, but it was asked.
    let added = world.get("reports", "/v2/brand/new/7").await;
    added.is(404);
    assert_eq!(world.outcome(added.id()).await["operation"], "getNew");
    assert_eq!(world.saw().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_target_that_two_readers_could_read_differently_is_refused() {
    let world = World::new().await;
    for target in [
        "/v2/../v2/devices",
        "/v2/./devices",
        "/v2//devices",
        "//v2/devices",
        "/v2/%2e%2e/devices",
        "/v2/device%2f101",
        "/v2/device%5c101",
        "/v2\\devices",
        "/v2/devices;x=1",
        "/v2/devices%3b",
        "/v2/devices%00",
        "/v2/devices%zz",
        "/v2/devices%c0%af",
        "/v2/devices%252f",
        "/v2/devices#top",
        "/v2/devices?x=#top",
        "/v2/devices?x=%0d%0aX:1",
        "/v2/devices?access_token=abc",
        "/v2/.../devices",
        "http://127.0.0.1/v2/devices",
        "*",
    ] {
        let answer = world.get("operator", target).await;
        assert_eq!(answer.status, 400, "{target}: {}", answer.text());
        answer.refuses(400, "bad-request");
        nothing_arrived(&world, &answer, "bad-request").await;
    }
    world.end().await;
}

#[tokio::test]
async fn browsers_foreign_hosts_and_odd_methods_are_refused() {
    let world = World::new().await;
    for (ask, status, code) in odd_requests(&world) {
        let answer = ask.send().await;
        let shown = String::from_utf8_lossy(&ask.bytes()).into_owned();
        assert_eq!(answer.status, status, "{shown}{}", answer.text());
        answer.refuses(status, code);
        nothing_arrived(&world, &answer, code).await;
    }
    let get = || world.ask("operator", "GET", "/v2/devices");
    get().header("Sec-Fetch-Site", "none").send().await.is(200);
    get().host("LOCALHOST:1").send().await.is(200);
    get().host("[::1]:6465").send().await.is(200);
    world.end().await;
}

fn odd_requests(world: &World) -> Vec<(Ask, u16, &'static str)> {
    let get = || world.ask("operator", "GET", "/v2/devices");
    let method = |it: &str| world.ask("operator", it, "/v2/devices");
    vec![
        (
            get().header("Origin", "https://evil.example"),
            403,
            "browser-refused",
        ),
        (get().header("Origin", "null"), 403, "browser-refused"),
        (
            get().header("Sec-Fetch-Site", "cross-site"),
            403,
            "browser-refused",
        ),
        (
            get().header("Sec-Fetch-Site", "same-origin"),
            403,
            "browser-refused",
        ),
        (get().host("evil.example"), 421, "host-refused"),
        (get().host("127.0.0.1.evil.example:80"), 421, "host-refused"),
        (get().host("a b"), 400, "bad-request"),
        (get().host("localhost@evil.example"), 400, "bad-request"),
        (get().header("Host", "localhost"), 400, "bad-request"),
        (
            get().header("X-HTTP-Method-Override", "DELETE"),
            405,
            "method-refused",
        ),
        (
            get().header("X-Method-Override", "DELETE"),
            405,
            "method-refused",
        ),
        (
            world.ask("operator", "GET", "/v2/devices?_method=DELETE"),
            405,
            "method-refused",
        ),
        (method("TRACE"), 405, "method-refused"),
        (method("OPTIONS"), 405, "method-refused"),
        (method("get"), 405, "method-refused"),
        (method("PROPFIND"), 405, "method-refused"),
        (
            world.ask("operator", "CONNECT", "127.0.0.1:80"),
            405,
            "method-refused",
        ),
        (
            get().header("User-Agent", "a").header("User-Agent", "b"),
            400,
            "bad-request",
        ),
        (get().header("NJP-Reason", ""), 400, "bad-request"),
        (
            get().header("NJP-Reason", &"x".repeat(257)),
            400,
            "bad-request",
        ),
        (get().body("{}"), 400, "bad-request"),
    ]
}

#[tokio::test]
async fn a_refused_method_is_named_beside_those_that_are_not() {
    let world = World::new().await;
    let refused = world.ask("operator", "PROPFIND", "/v2/users").send().await;
    refused.refuses(405, "method-refused");
    let told = refused.json();
    let detail = "The method PROPFIND is not one of GET, HEAD, POST, PUT, PATCH and DELETE.";
    assert_eq!(told["detail"], detail);
    assert_eq!(told["hint"], "Use GET, HEAD, POST, PUT, PATCH or DELETE.");

    let small = world.ask("operator", "patch", "/v2/users").send().await;
    small.refuses(405, "method-refused");
    assert_eq!(small.json()["hint"], "Write the method in capitals.");

    let long = "X".repeat(40);
    let long = world.ask("operator", &long, "/v2/users").send().await;
    let detail = long.json()["detail"].as_str().unwrap().to_owned();
    let shown = format!("The method {} is not", "X".repeat(32));
    assert!(detail.starts_with(&shown), "{detail}");
    world.end().await;
}

#[tokio::test]
async fn an_upgrade_is_not_done_and_an_unknown_expectation_is_refused() {
    let world = World::new().await;

    let ask = world.ask("operator", "GET", "/v2/users");
    let upgrade = ask
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket");
    let upgraded = upgrade.send().await;
    let ask = world
        .ask("operator", "POST", "/v2/organizations")
        .body("{}");
    let expectation = ask.header("Expect", "a-miracle").send().await;

    upgraded.is(200);
    expectation.refuses(417, "bad-request");
    assert_eq!(world.saw(), ["GET /v2/users 200"]);
    world.end().await;
}

#[tokio::test]
async fn a_policy_that_asks_for_a_reason_gets_one_or_refuses() {
    let world = World::plan()
        .caller("why", "allow = [\"all\"]\nrequire_reason = true")
        .caller("whom", "allow = [\"all\"]\non_behalf_of = \"required\"")
        .start()
        .await;

    let why = world.ask("why", "GET", "/v2/users");
    let refused = why.send().await;
    refused.refuses(428, "reason-required");
    nothing_arrived(&world, &refused, "reason-required").await;
    let refused = world.get("whom", "/v2/users").await;
    refused.refuses(428, "reason-required");
    nothing_arrived(&world, &refused, "reason-required").await;

    why.header("NJP-Reason", "TICKET-5512").send().await.is(200);
    let whom = world.ask("whom", "GET", "/v2/users");
    let whom = whom.header("NJP-On-Behalf-Of", "j.doe@msp.example");
    whom.send().await.is(200);
    world.end().await;
}

#[tokio::test]
async fn an_operation_that_needs_a_person_says_what_is_missing() {
    let world = World::new().await;

    let answer = world
        .post("operator", "/v2/device/101/script/run", "{}")
        .await;

    // NinjaOne refuses the machine identity, or we know before it does; either way nothing is done.
    assert!(matches!(answer.status, 403 | 503), "{}", answer.text());
    assert!(answer.json()["error"].is_string());
    world.end().await;
}

#[tokio::test]
async fn without_a_token_requests_are_told_when_to_come_back() {
    let world = World::plan().faults(r#"{"token":"503"}"#).build();

    let answer = world.get("reports", "/v2/devices").await;

    answer.refuses(503, "token-unavailable").retry_after();
    nothing_arrived(&world, &answer, "token-unavailable").await;
    world.end().await;
}

#[tokio::test]
async fn bytes_that_are_no_request_are_answered_and_on_record() {
    let world = World::new().await;
    let before = world.lines().await.len();
    for garbage in [
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "GET /v2/devices\r\n\r\n",
        "GET /v2/devices HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /v2/devices HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "GET /v2/devices HTTP/3.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n",
    ] {
        let mut wire = world.wire().await;
        wire.send(garbage).await;
        let answer = wire.answer().await;
        let status = answer.map_or(0, |it| it.status);
        assert!(matches!(status, 0 | 400 | 505), "{garbage:?}: {status}");
    }

    until("seven lines", async || {
        world.lines().await.len() >= before + 7
    })
    .await;
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn a_message_with_two_lengths_is_never_read_as_two_requests() {
    let world = World::new().await;
    let key = world.key("operator").to_owned();
    let smuggled = format!(
        "POST /v2/organizations HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v2/users HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\r\n"
    );
    let mut wire = world.wire().await;

    wire.send(smuggled).await;
    let first = wire.answer().await;
    let second = tokio::time::timeout(Duration::from_secs(2), wire.answer()).await;

    let status = first.map_or(0, |it| it.status);
    let served = second.ok().flatten().map_or(0, |it| it.status);
    assert!(served != 200, "{status} {served}");
    assert!(!world.saw().iter().any(|it| it.contains("users")));
    world.end().await;
}
