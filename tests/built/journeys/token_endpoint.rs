//! Our own token endpoint: an unmodified NinjaOne client gets a token of ours, worth as much as its key.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{answer::Answer, key::new_key};

use super::{
    proxy_client::{Ask, ProxyClient},
    world::World,
};

const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) fn form(client: &ProxyClient, body: &str) -> Ask {
    form_at(client, "/ws/oauth/token", body)
}

pub(crate) fn form_at(client: &ProxyClient, path: &str, body: &str) -> Ask {
    let ask = client.unauthenticated("POST", path);
    ask.header("Content-Type", FORM).body(body)
}

pub(crate) fn credentials(client: &ProxyClient, caller: &str) -> String {
    let key = client.key(caller);
    format!("grant_type=client_credentials&client_id={caller}&client_secret={key}")
}

pub(crate) fn bearer(client: &ProxyClient, answer: &Answer, target: &str) -> Ask {
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let ask = client.unauthenticated("GET", target);
    ask.header("Authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn a_form_with_name_and_key_brings_a_token_that_works() {
    let world = World::new().await;

    for path in [
        "/ws/oauth/token",
        "/oauth/token",
        "/ws/oauth/token/",
        "/oauth/token/",
        "/tenant/acme/ws/oauth/token",
    ] {
        let answer = form_at(&world, path, &credentials(&world, "reports"))
            .send()
            .await;

        answer.is(200);
        let body = answer.json();
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!(body["expires_in"], 3600);
        assert_eq!(body["scope"], "monitoring management control");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let read = bearer(&world, &answer, "/v2/organizations").send().await;
        read.is(200);
        let line = world.outcome(read.id()).await;
        assert_eq!(line["caller"], "reports");
        assert_eq!(line["auth"], "token");
        let line = world.outcome(answer.id()).await;
        assert_eq!(line["caller"], "reports");
        assert_eq!(line["decision"], "allowed");
    }

    assert_eq!(world.saw().len(), 5);
    world.end().await;
}

#[tokio::test]
async fn basic_credentials_work_as_the_form_does() {
    let world = World::new().await;
    let pair = format!("reports:{}", world.key("reports"));
    let basic = format!("Basic {}", BASE64_STANDARD.encode(pair));

    let ask = form(&world, "grant_type=client_credentials");
    let answer = ask.header("Authorization", &basic).send().await;

    answer.is(200);
    bearer(&world, &answer, "/v2/users").send().await.is(200);
    world.end().await;
}

/// OAuth libraries refuse an answer with less: `requests_oauthlib` raises "Scope has changed".
#[tokio::test]
async fn the_scope_is_what_was_asked_for_whatever_the_caller_may_do() {
    let world = World::plan()
        .caller("monitor", "allow = [\"scope:monitoring\"]")
        .start()
        .await;
    let answer = async |caller: &str, asked: &str| {
        let body = format!("{}&scope={asked}", credentials(&world, caller));
        form(&world, &body).send().await
    };

    let all = "monitoring management control";
    for (caller, asked, scope) in [
        ("operator", "", all),
        ("monitor", "+", all),
        ("operator", "monitoring", "monitoring"),
        ("monitor", "monitoring+management+control", all),
        (
            "monitor",
            "control+offline_access+monitoring",
            "control offline_access monitoring",
        ),
    ] {
        let answer = answer(caller, asked).await;
        answer.is(200);
        assert_eq!(answer.json()["scope"], scope, "{asked}");
    }
    for (asked, named) in [
        ("monitoring+admin", "admin"),
        ("openid", "openid"),
        ("Monitoring", "Monitoring"),
        ("monitoring,control", "monitoring,control"),
        ("%22%5C%0A%01", ""),
    ] {
        let answer = answer("operator", asked).await;
        answer.is(400);
        let body = answer.json();
        assert_eq!(body["error"], "invalid_scope", "{asked}");
        let said = body["error_description"].as_str().unwrap();
        assert!(said.contains(&format!("'{named}'")), "{said}");
        assert!(said.contains("monitoring, management, control"), "{said}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_token_may_do_no_more_than_its_caller() {
    let world = World::new().await;
    let answer = form(&world, &credentials(&world, "reports")).send().await;

    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let ask = world
        .unauthenticated("POST", "/v2/organizations")
        .body("{}");
    let ask = ask.header("Authorization", &format!("Bearer {token}"));

    ask.send().await.refuses(403, "policy-denied");
    let as_key = world
        .unauthenticated("GET", "/v2/users")
        .header("X-Api-Key", &token);
    as_key.send().await.refuses(401, "unauthenticated");
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "mostly a table")]
async fn what_is_wrong_with_a_token_request_is_said_in_the_words_of_rfc_6749() {
    let world = World::new().await;
    let good = credentials(&world, "reports");
    let key = world.key("reports").to_owned();
    let unknown = new_key("reports");
    let cases = [
        (
            401,
            "invalid_client",
            "client_secret a valid key",
            format!("grant_type=client_credentials&client_id=reports&client_secret={unknown}"),
        ),
        (
            401,
            "invalid_client",
            "client_secret a valid key",
            format!("grant_type=client_credentials&client_id=operator&client_secret={key}"),
        ),
        (
            401,
            "invalid_client",
            "send client_id",
            "grant_type=client_credentials".to_owned(),
        ),
        (
            400,
            "unsupported_grant_type",
            "grant_type=client_credentials",
            good.replace("client_credentials", "password"),
        ),
        (
            400,
            "unsupported_grant_type",
            "grant_type=client_credentials",
            good.replace("client_credentials", "refresh_token"),
        ),
        (
            400,
            "invalid_request",
            "grant_type is missing",
            good.replace("grant_type", "type"),
        ),
        (401, "invalid_client", "send client_id", String::new()),
        (
            401,
            "invalid_client",
            "in the form",
            format!("{{\"client_id\":\"reports\",\"client_secret\":\"{key}\"}}"),
        ),
        (
            400,
            "invalid_request",
            "twice",
            format!("{good}&client_id=reports"),
        ),
        (
            400,
            "invalid_request",
            "8 KiB",
            format!("{good}&pad={}", "x".repeat(9000)),
        ),
    ];

    for (status, error, wanted, body) in cases {
        let answer = form(&world, &body).send().await;
        answer.is(status);
        let json = answer.json();
        assert_eq!(json["error"], error, "{body}");
        let said = json["error_description"].as_str().unwrap();
        assert!(said.contains(wanted), "{said}");
        assert!(!said.contains(['"', '\\']), "RFC 6749 section 5.2: {said}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let challenge = (status == 401).then_some("Basic realm=\"ninjaone-proxy\"");
        assert_eq!(answer.header("www-authenticate"), challenge);
        assert!(answer.header("proxy-status").is_some());
        assert!(world.outcome(answer.id()).await["decision"] != "allowed");
    }

    assert_eq!(world.ninja().token_calls(), 1);
    world.end().await;
}

#[tokio::test]
async fn nothing_below_ws_or_oauth_is_ever_forwarded() {
    let world = World::new().await;
    for (method, target) in [
        ("GET", "/ws/oauth/token"),
        ("PUT", "/ws/oauth/token"),
        ("GET", "/ws/oauth/authorize?response_type=code"),
        ("GET", "/ws/anything"),
        ("POST", "/ws/oauth/tokens"),
        ("GET", "/ws/oauth/revoke"),
        ("DELETE", "/oauth/revoke"),
        ("POST", "/oauth/authorize"),
        ("POST", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/.well-known/oauth-authorization-server/tenant/-"),
    ] {
        let answer = world.ask("operator", method, target).send().await;
        answer.refuses(403, "unknown-operation");
    }

    let seen = world.ninja().requests();
    assert_eq!(seen.len(), 1, "the proxy's own token call alone: {seen:?}");
    world.end().await;
}

#[tokio::test]
async fn a_token_dies_with_the_key_that_it_was_issued_for() {
    let world = World::new().await;
    let answer = form(&world, &credentials(&world, "reports")).send().await;
    bearer(&world, &answer, "/v2/users").send().await.is(200);

    world.rewrite(|toml| {
        let from = toml.find("[caller.reports]").unwrap();
        let to = toml.find("[caller.operator]").unwrap();
        format!("{}{}", &toml[..from], &toml[to..])
    });
    world.reload().await;

    let dead = bearer(&world, &answer, "/v2/users").send().await;
    dead.refuses(401, "unauthenticated");
    assert_eq!(world.saw().len(), 1);
    world.end().await;
}
