//! The token endpoint, and what a token gives access to.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use ninjaone_proxy::{
    ninjaone::operation::Scope,
    sandbox::{Client, DEFAULT_CLIENT_SECRET, SandboxOptions},
    secret::Secret,
};
use serde_json::json;

use super::wire::{FORM, TestSandbox, send};

#[tokio::test]
async fn a_token_is_given_for_the_secret_in_the_form_or_as_basic_and_at_both_paths() {
    let sandbox = TestSandbox::new();
    let reply = sandbox.form(FORM).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("server"), Some("nginx"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["scope"], "monitoring management control");
    assert!(body.get("refresh_token").is_none());

    let basic = BASE64_STANDARD.encode(format!("sandbox-client:{DEFAULT_CLIENT_SECRET}"));
    let headers = format!(
        "Authorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    );
    let form = "grant_type=client_credentials&scope=monitoring";
    let reply = send(sandbox.at, "POST", "/oauth/token", &headers, form)
        .await
        .unwrap();
    assert_eq!(
        (reply.status, reply.json()["scope"].as_str()),
        (200, Some("monitoring"))
    );
    assert_eq!(sandbox.ninja.token_calls(), 2);
}

#[tokio::test]
async fn the_token_endpoint_refuses_as_ninjaone_does() {
    let sandbox = TestSandbox::new();
    let unknown = sandbox
        .form("grant_type=client_credentials&client_id=other&client_secret=x")
        .await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["resultCode"], "Client app not exist");
    let wrong = sandbox
        .form("grant_type=client_credentials&client_id=sandbox-client&client_secret=x")
        .await;
    assert_eq!(
        (wrong.status, wrong.json()),
        (401, json!({"error": "invalid_client"}))
    );
    let scope = sandbox
        .form(&format!("{FORM}&scope=monitoring%20offline_access"))
        .await;
    assert_eq!(
        (scope.status, scope.json()),
        (400, json!({"error": "invalid_scope"}))
    );
    let grant = sandbox
        .form(&FORM.replace("client_credentials", "password"))
        .await;
    assert_eq!(grant.json(), json!({"error": "unsupported_grant_type"}));
    let json = send(sandbox.at, "POST", "/ws/oauth/token", "", "{}")
        .await
        .unwrap();
    assert_eq!(json.json(), json!({"error": "invalid_request"}));
}

#[tokio::test]
async fn discovery_names_the_endpoints_of_the_host_that_was_asked() {
    let sandbox = TestSandbox::new();
    let reply = send(
        sandbox.at,
        "GET",
        "/.well-known/oauth-authorization-server",
        "",
        "",
    )
    .await
    .unwrap();
    let expected = format!("http://{}/ws/oauth/token", sandbox.at);
    assert_eq!(reply.json()["token_endpoint"], expected);
    let none = send(
        sandbox.at,
        "GET",
        "/.well-known/openid-configuration",
        "",
        "",
    )
    .await
    .unwrap();
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn a_missing_a_malformed_and_a_wrong_proof_have_the_known_bodies() {
    let sandbox = TestSandbox::new();
    let ask = async |headers: &str| {
        send(sandbox.at, "GET", "/v2/devices", headers, "")
            .await
            .unwrap()
    };
    let missing = ask("").await;
    assert_eq!(
        (missing.status, &missing.json()["error_code"]),
        (400, &json!(2))
    );
    let malformed = ask("Authorization: Basic eDp5\r\n").await;
    assert_eq!(
        (malformed.status, &malformed.json()["error_code"]),
        (400, &json!(1))
    );
    let wrong = ask("Authorization: Bearer nothing\r\n").await;
    assert_eq!(
        (wrong.status, &wrong.json()["error"]),
        (401, &json!("not_authenticated"))
    );
    assert_eq!(wrong.json()["error_code"], 10);
}

#[tokio::test]
async fn a_token_expires_and_is_then_not_authenticated() {
    let sandbox = TestSandbox::with(SandboxOptions {
        token_life: Duration::ZERO,
        ..SandboxOptions::default()
    });
    let token = sandbox.token().await;
    assert_eq!(sandbox.get(&token, "/v2/devices").await.status, 401);
}

#[tokio::test]
async fn a_token_without_the_scope_is_told_so_with_401() {
    let sandbox = TestSandbox::with(SandboxOptions {
        clients: vec![Client {
            scopes: vec![Scope::Monitoring],
            ..Client::default()
        }],
        ..SandboxOptions::default()
    });
    let token = sandbox.token().await;
    let reply = sandbox
        .call(&token, "POST", "/v2/organizations", "{}")
        .await;
    assert_eq!(
        (reply.status, &reply.json()["error"]),
        (401, &json!("insufficient_privileges"))
    );
}

#[tokio::test]
async fn an_operation_that_needs_a_person_is_refused_to_a_machine_and_done_for_a_person() {
    let person = Client {
        id: "person".to_owned(),
        secret: Secret::new("person-secret".to_owned()),
        user_context: true,
        ..Client::default()
    };
    let sandbox = TestSandbox::with(SandboxOptions {
        clients: vec![Client::default(), person],
        ..SandboxOptions::default()
    });
    let token = sandbox.token().await;
    let refused = sandbox
        .call(&token, "POST", "/v2/device/123/script/run", "{}")
        .await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.json(),
        json!({
            "error": "user_context_required",
            "error_description": "Access key does not have user context which is required for this request",
            "error_code": 5,
        })
    );
    let reply = sandbox
        .form("grant_type=client_credentials&client_id=person&client_secret=person-secret")
        .await;
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    let before = sandbox
        .get(&token, "/v2/device/123/activities?pageSize=1")
        .await
        .json();
    let done = sandbox
        .call(&token, "POST", "/v2/device/123/script/run", "{}")
        .await;
    assert_eq!(done.status, 204);
    let newer = format!(
        "/v2/device/123/activities?newerThan={}",
        before["lastActivityId"]
    );
    let after = sandbox.get(&token, &newer).await.json();
    assert_eq!(after["activities"][0]["activityType"], "SCRIPTING");
}
