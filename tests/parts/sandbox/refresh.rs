//! Refresh tokens: rotation, reuse, revocation, and logins that are there without a page.

use std::time::Duration;

use ninjaone_proxy::sandbox::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID, OAuthCounts, SINGLE_PAGE_CLIENT_ID,
    SandboxLoginError, TokenCalls, WEB_CLIENT_ID, WEB_CLIENT_SECRET, faults::Faults,
};
use serde_json::{Value, json};

use super::{
    person::{native_refresh, with},
    wire::{FORM, Place, send},
};

fn refresh_of(tokens: &Value) -> &str {
    tokens["refresh_token"].as_str().unwrap()
}

#[tokio::test]
async fn a_refresh_token_rotates_on_every_use_and_the_old_one_is_dead_at_once() {
    let place = Place::new();
    let first = place.native_login().await;
    let second = place.refresh(refresh_of(&first)).await.json();
    assert_ne!(refresh_of(&first), refresh_of(&second));
    assert_eq!(second["scope"], "monitoring management offline_access");
    assert!(place.opens(&first["access_token"]).await);
    assert!(place.opens(&second["access_token"]).await);

    let reused = place.refresh(refresh_of(&first)).await;
    assert_eq!(
        (reused.status, reused.body.as_slice()),
        (400, &br#"{"error":"invalid_token"}"#[..])
    );
    let third = place.refresh(refresh_of(&second)).await;
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
    assert_eq!(place.ninja.counts(), expected);
    assert_eq!(place.ninja.token_calls(), 4);
}

#[tokio::test]
async fn reuse_ends_the_login_when_that_is_switched_on() {
    let place = Place::new();
    place.ninja.faults().set(Faults {
        reuse_ends_login: true,
        ..Faults::default()
    });
    let first = place.native_login().await;
    let second = place.refresh(refresh_of(&first)).await.json();
    assert_eq!(place.refresh("never-issued").await.status, 400);
    assert!(place.opens(&second["access_token"]).await);
    assert_eq!(place.refresh(refresh_of(&first)).await.status, 400);
    assert!(!place.opens(&second["access_token"]).await);
    assert_eq!(place.refresh(refresh_of(&second)).await.status, 400);
    assert_eq!(place.ninja.counts().reuses, 1);
}

#[tokio::test]
async fn of_two_requests_with_one_refresh_token_one_is_served() {
    let place = Place::new();
    let tokens = place.native_login().await;
    let refresh = refresh_of(&tokens);
    let (one, other) = tokio::join!(place.refresh(refresh), place.refresh(refresh));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn a_scope_may_be_narrowed_and_never_widened() {
    let place = Place::new();
    let tokens = place.native_login().await;
    let asking = |scope| with(native_refresh(refresh_of(&tokens)), &[("scope", scope)]);
    for wide in ["monitoring control", "root"] {
        let refused = place.redeem(&asking(wide)).await;
        assert_eq!(
            (refused.status, refused.json()),
            (400, json!({"error": "invalid_scope"}))
        );
    }
    let narrow = place.redeem(&asking("monitoring")).await.json();
    assert_eq!(narrow["scope"], "monitoring");
    let access = narrow["access_token"].as_str().unwrap();
    let write = place.call(access, "POST", "/v2/organizations", "{}").await;
    assert_eq!(write.json()["error"], "insufficient_privileges");
    let whole = place.refresh(refresh_of(&narrow)).await.json();
    assert_eq!(whole["scope"], "monitoring management offline_access");
}

#[tokio::test]
async fn a_refresh_token_is_good_for_its_own_app_only() {
    let place = Place::new();
    let tokens = place.native_login().await;
    let other = [
        ("client_id", WEB_CLIENT_ID),
        ("client_secret", WEB_CLIENT_SECRET),
    ];
    let stolen = place
        .redeem(&with(native_refresh(refresh_of(&tokens)), &other))
        .await;
    assert_eq!(stolen.json(), json!({"error": "invalid_token"}));
    assert_eq!(place.refresh(refresh_of(&tokens)).await.status, 200);
}

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_access_tokens_with_it() {
    let place = Place::new();
    let first = place.native_login().await;
    let second = place.refresh(refresh_of(&first)).await.json();
    let other = place.native_login().await;
    let revoked = place
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
    assert_eq!(place.refresh(refresh_of(&second)).await.status, 400);
    assert!(!place.opens(&first["access_token"]).await);
    assert!(!place.opens(&second["access_token"]).await);
    assert!(place.opens(&other["access_token"]).await);
    assert_eq!(place.ninja.counts().revocations, 1);
}

#[tokio::test]
async fn a_revoked_access_token_goes_alone() {
    let place = Place::new();
    let tokens = place.native_login().await;
    let access = tokens["access_token"].as_str().unwrap();
    let revoked = place
        .post(
            "/ws/oauth/revoke",
            &[("client_id", NATIVE_CLIENT_ID), ("token", access)],
        )
        .await;
    assert_eq!(revoked.status, 200);
    assert!(!place.opens(&tokens["access_token"]).await);
    assert_eq!(place.refresh(refresh_of(&tokens)).await.status, 200);

    let machine = place.token().await;
    let service = [
        ("client_id", DEFAULT_CLIENT_ID),
        ("client_secret", DEFAULT_CLIENT_SECRET),
        ("token", machine.as_str()),
    ];
    assert_eq!(place.post("/ws/oauth/revoke", &service).await.status, 200);
    assert!(!place.opens(&json!(machine)).await);
}

#[tokio::test]
async fn revocation_asks_who_is_there_and_forgives_what_is_unknown() {
    let place = Place::new();
    let tokens = place.native_login().await;
    let revoke = async |pairs: &[(&str, &str)]| {
        let reply = place.post("/ws/oauth/revoke", pairs).await;
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
    assert!(place.opens(&tokens["access_token"]).await);
    let get = send(place.at, "GET", "/ws/oauth/revoke", "", "").await;
    assert_eq!(get.unwrap().status, 405);
    assert_eq!(place.ninja.counts().revocations, 0);
}

#[tokio::test]
async fn a_login_can_be_there_from_the_start() {
    let place = Place::new();
    let login = place.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    assert_eq!(login.life, Duration::from_hours(1));
    assert_eq!(login.scopes.len(), 3);
    assert!(place.opens(&json!(login.access_token.expose())).await);
    let tokens = place.refresh(login.refresh_token.expose()).await.json();
    assert_eq!(
        tokens["scope"],
        "monitoring management control offline_access"
    );
    let error = |id: &str| place.ninja.log_in(id).err();
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
    let place = Place::new();
    let log_in = async |body: &str| {
        send(place.at, "POST", "/sandbox/logins", "", body)
            .await
            .unwrap()
    };
    let tokens = log_in(r#"{"client_id":"sandbox-web"}"#).await;
    assert_eq!(tokens.status, 201);
    let tokens = tokens.json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert!(place.opens(&tokens["access_token"]).await);
    let pairs = with(
        native_refresh(refresh_of(&tokens)),
        &[
            ("client_id", WEB_CLIENT_ID),
            ("client_secret", WEB_CLIENT_SECRET),
        ],
    );
    assert_eq!(place.redeem(&pairs).await.status, 200);
    place.form(FORM).await;
    place.form("").await;

    for wrong in [
        "",
        "{}",
        r#"{"client_id":"sandbox-client"}"#,
        r#"{"client_id":"sandbox-web","x":1}"#,
    ] {
        assert_eq!(log_in(wrong).await.status, 400, "{wrong}");
    }
    let counts = send(place.at, "GET", "/sandbox/counts", "", "").await;
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
    let place = Place::new();
    let oldest = place.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    let second = place.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    for _ in 1..1_000 {
        place.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    }
    assert_eq!(
        place.refresh(oldest.refresh_token.expose()).await.status,
        400
    );
    assert!(!place.opens(&json!(oldest.access_token.expose())).await);
    assert_eq!(
        place.refresh(second.refresh_token.expose()).await.status,
        200
    );
}

#[tokio::test]
async fn a_machine_is_refused_what_needs_a_person_and_nothing_is_done() {
    let place = Place::new();
    let machine = place.token().await;
    let person = place.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    let activities = async || {
        let target = "/v2/device/123/activities?pageSize=1";
        let reply = place.get(person.access_token.expose(), target).await;
        reply.json()["lastActivityId"].clone()
    };
    let before = activities().await;
    let run = "/v2/device/123/script/run";
    let refused = place.call(&machine, "POST", run, "{}").await;
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (403, Some("user_context_required"))
    );
    assert_eq!(activities().await, before);
    let done = place
        .call(person.access_token.expose(), "POST", run, "{}")
        .await;
    assert_eq!(done.status, 204);
    assert_ne!(activities().await, before);
}
