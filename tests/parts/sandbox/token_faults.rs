//! Faults at the token endpoint and around it, switched on from another process.

use std::time::Duration;

use ninjaone_proxy::sandbox::NATIVE_CLIENT_ID;
use serde_json::{Value, json};

use super::{
    user_login::{encoded, native, native_redemption, native_refresh, sent},
    wire::{FORM, TestSandbox, send},
};

impl TestSandbox {
    async fn switch(&self, faults: Value) {
        let body = faults.to_string();
        let reply = send(self.at, "POST", "/sandbox/faults", "", &body).await;
        assert_eq!(reply.unwrap().status, 200, "{body}");
    }

    fn first_refresh_token(&self) -> String {
        let login = self.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
        login.refresh_token.expose().clone()
    }

    /// `None` if the connection closed without an answer.
    async fn try_refresh(&self, token: &str) -> Option<Value> {
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        let body = encoded(&native_refresh(token));
        let reply = send(self.at, "POST", "/ws/oauth/token", headers, &body).await?;
        Some(reply.json())
    }
}

#[tokio::test]
async fn a_refusal_has_the_word_that_was_asked_for_and_nothing_is_done() {
    let sandbox = TestSandbox::new();
    let refresh = sandbox.first_refresh_token();
    for word in ["invalid_token", "expired_token", "invalid_grant"] {
        sandbox.switch(json!({"token": word, "count": 1})).await;
        let refused = sandbox.refresh(&refresh).await;
        assert_eq!(
            (refused.status, refused.json()),
            (400, json!({"error": word}))
        );
    }
    for (status, word) in [
        ("404", "resultCode"),
        ("503", "resultCode"),
        ("429", "resultCode"),
        ("401", "error"),
    ] {
        sandbox
            .switch(json!({"token": status, "count": 1, "retry_after": 9}))
            .await;
        let refused = sandbox.refresh(&refresh).await;
        assert_eq!(refused.status.to_string(), status);
        assert!(refused.json()[word].is_string());
        if status == "429" || status == "503" {
            assert_eq!(refused.header("retry-after"), Some("9"));
        }
    }
    assert_eq!(sandbox.refresh(&refresh).await.status, 200);
}

#[tokio::test]
async fn a_trouble_can_be_for_one_grant_only_and_counts_only_there() {
    let sandbox = TestSandbox::new();
    let refresh = sandbox.first_refresh_token();
    let trouble = json!({"token": "500", "token_grant": "refresh_token", "count": 1});
    sandbox.switch(trouble.clone()).await;
    assert_eq!(sandbox.form(FORM).await.status, 200);
    let code = sandbox.code(&native()).await;
    assert_eq!(sandbox.redeem(&native_redemption(&code)).await.status, 200);
    let on = send(sandbox.at, "GET", "/sandbox/faults", "", "").await;
    assert_eq!(on.unwrap().json(), trouble);
    assert_eq!(sandbox.refresh(&refresh).await.status, 500);
    assert_eq!(sandbox.refresh(&refresh).await.status, 200);

    for wrong in [
        r#"{"token_grant":"refresh_token"}"#,
        r#"{"token":"500","token_grant":"password"}"#,
        r#"{"token":"slow"}"#,
        r#"{"token":"slow_start:x"}"#,
        r#"{"token":"scope:root"}"#,
        r#"{"token_life_seconds":-1}"#,
    ] {
        let reply = send(sandbox.at, "POST", "/sandbox/faults", "", wrong).await;
        assert_eq!(reply.unwrap().status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_lost_answer_has_rotated_the_token() {
    let sandbox = TestSandbox::new();
    let refresh = sandbox.first_refresh_token();
    sandbox
        .switch(json!({"token": "lose_response", "count": 1}))
        .await;
    assert_eq!(sandbox.try_refresh(&refresh).await, None);
    assert_eq!(sandbox.ninja.counts().rotations, 1);
    assert_eq!(sandbox.ninja.requests().last().unwrap().status(), None);
    assert_eq!(sandbox.refresh(&refresh).await.status, 400);
    assert_eq!(sandbox.ninja.counts().reuses, 1);
}

#[tokio::test]
async fn a_slow_answer_has_rotated_before_the_pause_and_a_slow_start_only_after_it() {
    let sandbox = TestSandbox::new();
    let refresh = sandbox.first_refresh_token();
    for (trouble, rotations) in [("slow_start:600000", 0), ("slow:600000", 1)] {
        let before = sandbox.ninja.requests().len();
        sandbox.switch(json!({"token": trouble, "count": 1})).await;
        let came = u64::try_from(before + 1).unwrap();
        tokio::select! {
            _ = sandbox.try_refresh(&refresh) => panic!("it was answered"),
            () = async {
                sandbox.ninja.wait_for_requests(came).await;
                until(|| sandbox.ninja.counts().rotations == rotations).await;
            } => {}
        }
    }
    assert_eq!(sandbox.refresh(&refresh).await.status, 400);
    assert_eq!(sandbox.ninja.counts().reuses, 1, "only that one came again");
    for trouble in ["slow_start:1", "slow:1"] {
        sandbox.switch(json!({"token": trouble, "count": 1})).await;
        let refresh = sandbox.first_refresh_token();
        assert_eq!(sandbox.refresh(&refresh).await.status, 200);
    }
}

/// Waits for something that happens in the sandbox, without an event to wait for.
async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_leaves_the_old_one_good() {
    let sandbox = TestSandbox::new();
    let refresh = sandbox.first_refresh_token();
    sandbox
        .switch(json!({"token": "no_refresh_token", "count": 1}))
        .await;
    let tokens = sandbox.refresh(&refresh).await.json();
    assert!(tokens.get("refresh_token").is_none());
    assert!(sandbox.opens(&tokens["access_token"]).await);
    assert_eq!(sandbox.ninja.counts().rotations, 0);
    assert!(sandbox.refresh(&refresh).await.json()["refresh_token"].is_string());
}

#[tokio::test]
async fn a_token_can_be_narrower_than_asked_for() {
    let sandbox = TestSandbox::new();
    let refresh = sandbox.first_refresh_token();
    sandbox.switch(json!({"token": "scope:monitoring"})).await;
    let tokens = sandbox.refresh(&refresh).await.json();
    assert_eq!(tokens["scope"], "monitoring offline_access");
    let machine = sandbox.form(FORM).await.json();
    assert_eq!(machine["scope"], "monitoring");
    for tokens in [&tokens, &machine] {
        let access = tokens["access_token"].as_str().unwrap();
        let write = sandbox
            .call(access, "POST", "/v2/organizations", "{}")
            .await;
        assert_eq!(write.json()["error"], "insufficient_privileges");
    }
}

#[tokio::test]
async fn access_tokens_can_live_short_from_now_on_and_count_does_not_end_that() {
    let sandbox = TestSandbox::new();
    let lasting = json!({"token_life_seconds": 0});
    sandbox
        .switch(json!({"token_life_seconds": 0, "token": "500", "count": 1}))
        .await;
    assert_eq!(sandbox.form(FORM).await.status, 500);
    let on = send(sandbox.at, "GET", "/sandbox/faults", "", "").await;
    assert_eq!(on.unwrap().json(), lasting);
    let machine = sandbox.form(FORM).await.json();
    assert_eq!(machine["expires_in"], 0);
    assert!(!sandbox.opens(&machine["access_token"]).await);
    let user = sandbox.refresh(&sandbox.first_refresh_token()).await.json();
    assert!(!sandbox.opens(&user["access_token"]).await);
    sandbox.ninja.faults().clear();
    let machine = sandbox.form(FORM).await.json();
    assert_eq!(machine["expires_in"], 3600);
}

#[tokio::test]
async fn access_tokens_expire_while_refresh_tokens_are_good_and_revoking_ends_both() {
    let sandbox = TestSandbox::new();
    let first = sandbox.native_login().await;
    sandbox.switch(json!({"expire_tokens": true})).await;
    assert!(!sandbox.opens(&first["access_token"]).await);
    let refresh = first["refresh_token"].as_str().unwrap();
    let second = sandbox.refresh(refresh).await.json();
    assert!(sandbox.opens(&second["access_token"]).await);

    let back = sent(&sandbox.decide(&native(), "allow").await);
    sandbox.switch(json!({"revoke_tokens": true})).await;
    assert!(!sandbox.opens(&second["access_token"]).await);
    let refresh = second["refresh_token"].as_str().unwrap();
    assert_eq!(sandbox.refresh(refresh).await.status, 400);
    let code = back.get("code").unwrap();
    assert_eq!(sandbox.redeem(&native_redemption(code)).await.status, 400);
}

#[tokio::test]
async fn discovery_can_be_absent() {
    let sandbox = TestSandbox::new();
    let path = "/.well-known/oauth-authorization-server";
    let metadata = async || send(sandbox.at, "GET", path, "", "").await.unwrap();
    assert_eq!(
        metadata().await.json()["grant_types_supported"],
        json!(["authorization_code", "client_credentials", "refresh_token"])
    );
    sandbox.switch(json!({"no_discovery": true})).await;
    assert_eq!(metadata().await.status, 404);
}
