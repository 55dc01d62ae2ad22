//! Refresh tokens: rotation, reuse, revocation, and logins made without a page.

use std::time::Duration;

use ninjaone_proxy::sandbox::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID, OAuthCounts, SINGLE_PAGE_CLIENT_ID,
    SandboxLoginError, TokenCalls, WEB_CLIENT_ID, WEB_CLIENT_SECRET, faults::Faults,
};
use serde_json::{Value, json};

use super::{
    user_login::{native_refresh, with},
    wire::{FORM, TestSandbox, send},
};

fn refresh_of(tokens: &Value) -> &str {
    tokens["refresh_token"].as_str().unwrap()
}

#[tokio::test]
async fn a_refresh_token_rotates_on_every_use_and_the_old_one_is_dead_at_once() {
    let sandbox = TestSandbox::new();
    let first = sandbox.native_login().await;
    let second = sandbox.refresh(refresh_of(&first)).await.json();
    assert_ne!(refresh_of(&first), refresh_of(&second));
    assert_eq!(second["scope"], "monitoring management offline_access");
    assert!(sandbox.opens(&first["access_token"]).await);
    assert!(sandbox.opens(&second["access_token"]).await);

    let reused = sandbox.refresh(refresh_of(&first)).await;
    assert_eq!(
        (reused.status, reused.body.as_slice()),
        (400, &br#"{"error":"invalid_token"}"#[..])
    );
    let third = sandbox.refresh(refresh_of(&second)).await;
    assert_eq!(third.status, 200, "reuse alone does no harm");
    let expected = OAuthCounts {
        token_calls: TokenCalls {
            authorization_code: 1,
            refresh_token: 3,
            ..TokenCalls::default()
        },
        logins: 1,
        rotations: 2,
        reuses: 1,
        ..OAuthCounts::default()
    };
    assert_eq!(sandbox.ninja.counts(), expected);
    assert_eq!(sandbox.ninja.token_calls(), 4);
}

#[tokio::test]
async fn reuse_ends_the_login_when_that_is_switched_on() {
    let sandbox = TestSandbox::new();
    sandbox.ninja.faults().set(Faults {
        reuse_ends_login: true,
        ..Faults::default()
    });
    let first = sandbox.native_login().await;
    let second = sandbox.refresh(refresh_of(&first)).await.json();
    assert_eq!(sandbox.refresh("never-issued").await.status, 400);
    assert!(sandbox.opens(&second["access_token"]).await);
    assert_eq!(sandbox.refresh(refresh_of(&first)).await.status, 400);
    assert!(!sandbox.opens(&second["access_token"]).await);
    assert_eq!(sandbox.refresh(refresh_of(&second)).await.status, 400);
    assert_eq!(sandbox.ninja.counts().reuses, 1);
}

#[tokio::test]
async fn of_two_requests_with_one_refresh_token_one_is_served() {
    let sandbox = TestSandbox::new();
    let tokens = sandbox.native_login().await;
    let refresh = refresh_of(&tokens);
    let (one, other) = tokio::join!(sandbox.refresh(refresh), sandbox.refresh(refresh));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn a_scope_may_be_narrowed_and_never_widened() {
    let sandbox = TestSandbox::new();
    let tokens = sandbox.native_login().await;
    let asking = |scope| with(native_refresh(refresh_of(&tokens)), &[("scope", scope)]);
    for wide in ["monitoring control", "root"] {
        let refused = sandbox.redeem(&asking(wide)).await;
        assert_eq!(
            (refused.status, refused.json()),
            (400, json!({"error": "invalid_scope"}))
        );
    }
    let narrow = sandbox.redeem(&asking("monitoring")).await.json();
    assert_eq!(narrow["scope"], "monitoring");
    let access = narrow["access_token"].as_str().unwrap();
    let write = sandbox
        .call(access, "POST", "/v2/organizations", "{}")
        .await;
    assert_eq!(write.json()["error"], "insufficient_privileges");
    let whole = sandbox.refresh(refresh_of(&narrow)).await.json();
    assert_eq!(whole["scope"], "monitoring management offline_access");
}

#[tokio::test]
async fn a_refresh_token_is_good_for_its_own_app_only() {
    let sandbox = TestSandbox::new();
    let tokens = sandbox.native_login().await;
    let other = [
        ("client_id", WEB_CLIENT_ID),
        ("client_secret", WEB_CLIENT_SECRET),
    ];
    let stolen = sandbox
        .redeem(&with(native_refresh(refresh_of(&tokens)), &other))
        .await;
    assert_eq!(stolen.json(), json!({"error": "invalid_token"}));
    assert_eq!(sandbox.refresh(refresh_of(&tokens)).await.status, 200);
}

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_access_tokens_with_it() {
    let sandbox = TestSandbox::new();
    let first = sandbox.native_login().await;
    let second = sandbox.refresh(refresh_of(&first)).await.json();
    let other = sandbox.native_login().await;
    let revoked = sandbox
        .post(
            "/ws/oauth/revoke",
            &[
                ("client_id", NATIVE_CLIENT_ID),
                ("token", refresh_of(&second)),
                ("token_type_hint", "refresh_token"),
            ],
        )
        .await;
    assert_eq!((revoked.status, revoked.body.len()), (200, 0));
    assert_eq!(sandbox.refresh(refresh_of(&second)).await.status, 400);
    assert!(!sandbox.opens(&first["access_token"]).await);
    assert!(!sandbox.opens(&second["access_token"]).await);
    assert!(sandbox.opens(&other["access_token"]).await);
    assert_eq!(sandbox.ninja.counts().revocations, 1);
}

#[tokio::test]
async fn a_revoked_access_token_goes_alone() {
    let sandbox = TestSandbox::new();
    let tokens = sandbox.native_login().await;
    let access = tokens["access_token"].as_str().unwrap();
    let revoked = sandbox
        .post(
            "/ws/oauth/revoke",
            &[("client_id", NATIVE_CLIENT_ID), ("token", access)],
        )
        .await;
    assert_eq!(revoked.status, 200);
    assert!(!sandbox.opens(&tokens["access_token"]).await);
    assert_eq!(sandbox.refresh(refresh_of(&tokens)).await.status, 200);

    let machine = sandbox.token().await;
    let service = [
        ("client_id", DEFAULT_CLIENT_ID),
        ("client_secret", DEFAULT_CLIENT_SECRET),
        ("token", machine.as_str()),
    ];
    assert_eq!(sandbox.post("/ws/oauth/revoke", &service).await.status, 200);
    assert!(!sandbox.opens(&json!(machine)).await);
}

#[tokio::test]
async fn revocation_asks_who_is_there_and_forgives_what_is_unknown() {
    let sandbox = TestSandbox::new();
    let tokens = sandbox.native_login().await;
    let revoke = async |pairs: &[(&str, &str)]| {
        let reply = sandbox.post("/ws/oauth/revoke", pairs).await;
        (reply.status, reply.body)
    };
    let native = ("client_id", NATIVE_CLIENT_ID);
    assert_eq!(revoke(&[native, ("token", "unknown")]).await.0, 200);
    assert_eq!(revoke(&[native]).await.0, 400);
    assert_eq!(
        revoke(&[("client_id", "other"), ("token", "x")]).await.0,
        404
    );
    let service = ("client_id", DEFAULT_CLIENT_ID);
    let secret = ("client_secret", DEFAULT_CLIENT_SECRET);
    for token in ["access_token", "refresh_token"] {
        let token = ("token", tokens[token].as_str().unwrap());
        assert_eq!(revoke(&[service, token]).await.0, 401);
        let (status, body) = revoke(&[service, secret, token]).await;
        assert_eq!(
            (status, body.as_slice()),
            (401, &br#"{"error":"unauthorized_client"}"#[..])
        );
    }
    assert!(sandbox.opens(&tokens["access_token"]).await);
    let get = send(sandbox.at, "GET", "/ws/oauth/revoke", "", "").await;
    assert_eq!(get.unwrap().status, 405);
    assert_eq!(sandbox.ninja.counts().revocations, 0);
}

#[tokio::test]
async fn a_login_can_be_there_from_the_start() {
    let sandbox = TestSandbox::new();
    let login = sandbox.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    assert_eq!(login.life, Duration::from_hours(1));
    assert_eq!(login.scopes.len(), 3);
    assert!(sandbox.opens(&json!(login.access_token.expose())).await);
    let tokens = sandbox.refresh(login.refresh_token.expose()).await.json();
    assert_eq!(
        tokens["scope"],
        "monitoring management control offline_access"
    );
    let error = |id: &str| sandbox.ninja.log_in(id).err();
    assert_eq!(error("other"), Some(SandboxLoginError::UnknownClient));
    assert_eq!(
        error(DEFAULT_CLIENT_ID),
        Some(SandboxLoginError::NoRefreshTokens)
    );
    assert_eq!(
        error(SINGLE_PAGE_CLIENT_ID),
        Some(SandboxLoginError::NoRefreshTokens)
    );
}

#[tokio::test]
async fn another_process_can_log_in_and_read_the_counts() {
    let sandbox = TestSandbox::new();
    let log_in = async |body: &str| {
        send(sandbox.at, "POST", "/sandbox/logins", "", body)
            .await
            .unwrap()
    };
    let tokens = log_in(r#"{"client_id":"sandbox-web"}"#).await;
    assert_eq!(tokens.status, 201);
    let tokens = tokens.json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert!(sandbox.opens(&tokens["access_token"]).await);
    let pairs = with(
        native_refresh(refresh_of(&tokens)),
        &[
            ("client_id", WEB_CLIENT_ID),
            ("client_secret", WEB_CLIENT_SECRET),
        ],
    );
    assert_eq!(sandbox.redeem(&pairs).await.status, 200);
    sandbox.form(FORM).await;
    sandbox.form("").await;

    for wrong in [
        "",
        "{}",
        r#"{"client_id":"sandbox-client"}"#,
        r#"{"client_id":"sandbox-web","x":1}"#,
    ] {
        assert_eq!(log_in(wrong).await.status, 400, "{wrong}");
    }
    let counts = send(sandbox.at, "GET", "/sandbox/counts", "", "").await;
    assert_eq!(
        counts.unwrap().json(),
        json!({
            "token_calls": {
                "authorization_code": 0,
                "refresh_token": 1,
                "client_credentials": 1,
                "other": 1,
            },
            "logins": 1,
            "rotations": 1,
            "reuses": 0,
            "code_reuses": 0,
            "revocations": 0,
        })
    );
}

#[tokio::test]
async fn logins_are_bounded_and_the_oldest_is_logged_out() {
    let sandbox = TestSandbox::new();
    let oldest = sandbox.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    let second = sandbox.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    for _ in 1..1_000 {
        sandbox.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    }
    assert_eq!(
        sandbox.refresh(oldest.refresh_token.expose()).await.status,
        400
    );
    assert!(!sandbox.opens(&json!(oldest.access_token.expose())).await);
    assert_eq!(
        sandbox.refresh(second.refresh_token.expose()).await.status,
        200
    );
}

#[tokio::test]
async fn a_machine_is_refused_what_needs_a_person_and_nothing_is_done() {
    let sandbox = TestSandbox::new();
    let machine = sandbox.token().await;
    let user = sandbox.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    let activities = async || {
        let target = "/v2/device/123/activities?pageSize=1";
        let reply = sandbox.get(user.access_token.expose(), target).await;
        reply.json()["lastActivityId"].clone()
    };
    let before = activities().await;
    let run = "/v2/device/123/script/run";
    let refused = sandbox.call(&machine, "POST", run, "{}").await;
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (403, Some("user_context_required"))
    );
    assert_eq!(activities().await, before);
    let done = sandbox
        .call(user.access_token.expose(), "POST", run, "{}")
        .await;
    assert_eq!(done.status, 204);
    assert_ne!(activities().await, before);
}
