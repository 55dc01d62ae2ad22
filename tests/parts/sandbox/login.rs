//! The authorize page and the codes that it issues, for each platform.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use ninjaone_proxy::sandbox::{
    DEFAULT_CLIENT_ID, NATIVE_CLIENT_ID, SINGLE_PAGE_CLIENT_ID, SandboxOptions, WEB_CLIENT_ID,
    WEB_CLIENT_SECRET, faults::Faults,
};
use serde_json::json;

use super::{
    user_login::{
        CHALLENGE, NATIVE_REDIRECT, VERIFIER, encoded, native, native_redemption, sent,
        single_page, web, web_redemption, with,
    },
    wire::{TestSandbox, send},
};

#[tokio::test]
async fn a_native_app_gets_tokens_of_a_person_for_its_code_and_verifier() {
    let sandbox = TestSandbox::new();
    let back = sent(&sandbox.decide(&native(), "allow").await);
    assert_eq!((back.to.as_str(), back.mark), (NATIVE_REDIRECT, '?'));
    assert_eq!(back.get("state"), Some("st&te=1 \"<ä>"));
    assert_eq!(back.pairs.len(), 2, "no iss unless it is switched on");

    let code = back.get("code").unwrap();
    let reply = sandbox.redeem(&native_redemption(code)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let tokens = reply.json();
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["scope"], "monitoring management offline_access");
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let dashes: Vec<usize> = refresh.match_indices('-').map(|(at, _)| at).collect();
    assert_eq!(
        (refresh.len(), dashes.as_slice()),
        (36, &[8, 13, 18, 23][..])
    );

    let access = tokens["access_token"].as_str().unwrap();
    let run = sandbox
        .call(access, "POST", "/v2/device/123/script/run", "{}")
        .await;
    assert_eq!(run.status, 204, "the token is a user's");
    assert_eq!(sandbox.ninja.counts().token_calls.authorization_code, 1);
    assert_eq!(sandbox.ninja.counts().logins, 1);
}

#[tokio::test]
async fn the_page_is_plain_escaped_and_bound_by_a_strict_policy() {
    let sandbox = TestSandbox::new();
    let pairs = with(native(), &[("state", "\"><script>alert(1)</script>")]);
    let reply = sandbox.authorize(&pairs).await;
    assert_eq!(
        reply.header("content-type"),
        Some("text/html;charset=utf-8")
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(reply.header("x-frame-options"), Some("DENY"));
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(policy.contains("form-action 'self' http://127.0.0.1:51234;"));
    assert!(policy.ends_with("base-uri 'none'; frame-ancestors 'none'"));
    let page = String::from_utf8(reply.body).unwrap();
    assert!(!page.contains("<script"));
    for shown in [
        NATIVE_CLIENT_ID,
        "<li>monitoring</li>",
        "<li>offline_access</li>",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    let alias = format!("/oauth/authorize?{}", encoded(&native()));
    let alias = send(sandbox.at, "GET", &alias, "", "").await.unwrap();
    assert_eq!(alias.status, 200);
}

#[tokio::test]
async fn who_denies_sends_the_app_access_denied_and_nothing_else() {
    let sandbox = TestSandbox::new();
    let back = sent(&sandbox.decide(&native(), "deny").await);
    assert_eq!(back.to, NATIVE_REDIRECT);
    assert_eq!(back.get("error"), Some("access_denied"));
    assert_eq!(back.get("state"), Some("st&te=1 \"<ä>"));
    assert_eq!(back.get("code"), None);

    let undecided = sandbox.decide(&native(), "perhaps").await;
    assert_eq!(undecided.status, 400);
    assert_eq!(sandbox.ninja.counts().logins, 0);
}

#[tokio::test]
async fn an_app_that_is_unknown_or_a_machine_has_no_page() {
    let sandbox = TestSandbox::new();
    let unknown = sandbox
        .authorize(&with(native(), &[("client_id", "other")]))
        .await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["resultCode"], "Client app not exist");
    let machine = sandbox
        .authorize(&with(native(), &[("client_id", DEFAULT_CLIENT_ID)]))
        .await;
    assert_eq!(machine.status, 404);
}

#[tokio::test]
async fn a_wrong_redirect_gets_an_error_page_and_never_a_visit() {
    let sandbox = TestSandbox::new();
    let wrong = [
        (NATIVE_CLIENT_ID, "http://localhost:51234/back"),
        (NATIVE_CLIENT_ID, "https://127.0.0.1:51234/back"),
        (NATIVE_CLIENT_ID, "http://127.0.0.1@evil.example/"),
        (NATIVE_CLIENT_ID, ""),
        (WEB_CLIENT_ID, "https://web.example/signed-in"),
        (WEB_CLIENT_ID, "https://web.example/signed-in/?more"),
        (WEB_CLIENT_ID, "http://127.0.0.1:6469/callback"),
        (SINGLE_PAGE_CLIENT_ID, "https://spa.example"),
    ];
    for (id, redirect) in wrong {
        let pairs = with(native(), &[("client_id", id), ("redirect_uri", redirect)]);
        for reply in [
            sandbox.authorize(&pairs).await,
            sandbox.post("/ws/oauth/authorize", &pairs).await,
        ] {
            assert_eq!(
                (reply.status, reply.header("location")),
                (
                    302,
                    Some(
                        "/ws/oauth/error?error=unauthorized_client&error_description=Invalid+redirect_uri"
                    )
                ),
                "{redirect}"
            );
        }
    }
    let target =
        "/ws/oauth/error?error=unauthorized_client&error_description=%3Cb%3EInvalid+redirect_uri";
    let page = send(sandbox.at, "GET", target, "", "").await.unwrap();
    assert_eq!(page.status, 400);
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("&lt;b&gt;Invalid redirect_uri"));
}

#[tokio::test]
async fn what_else_is_wrong_is_told_to_the_app() {
    let sandbox = TestSandbox::new();
    let cases = [
        (with(native(), &[("response_type", "")]), "invalid_request"),
        (
            with(native(), &[("response_type", "code token")]),
            "unsupported_response_type",
        ),
        (
            with(native(), &[("scope", "monitoring root")]),
            "invalid_scope",
        ),
        (
            with(single_page(), &[("scope", "monitoring offline_access")]),
            "invalid_scope",
        ),
        (with(native(), &[("code_challenge", "")]), "invalid_request"),
        (
            with(single_page(), &[("code_challenge", "")]),
            "invalid_request",
        ),
        (
            with(native(), &[("code_challenge", "short")]),
            "invalid_request",
        ),
        (
            with(native(), &[("code_challenge_method", "plain")]),
            "invalid_request",
        ),
        (
            with(native(), &[("code_challenge_method", "")]),
            "invalid_request",
        ),
        (
            with(web(), &[("code_challenge_method", "S256")]),
            "invalid_request",
        ),
    ];
    for (pairs, error) in cases {
        let back = sent(&sandbox.authorize(&pairs).await);
        assert_eq!(back.get("error"), Some(error), "{pairs:?}");
        assert!(back.get("state").is_some());
        let redirect = pairs.iter().find(|(name, _)| *name == "redirect_uri");
        assert_eq!(back.to, redirect.unwrap().1);
    }
}

#[tokio::test]
async fn a_code_is_good_only_for_the_app_the_address_and_the_verifier_it_was_made_for() {
    let sandbox = TestSandbox::new();
    let code = sandbox.code(&native()).await;
    let short = &VERIFIER[..42];
    let wrong = [
        ("client_id", SINGLE_PAGE_CLIENT_ID),
        ("redirect_uri", "http://127.0.0.1:51235/back"),
        ("code_verifier", short),
        ("code_verifier", CHALLENGE),
        ("code_verifier", ""),
        ("code", "made-up"),
    ];
    for changed in wrong {
        let reply = sandbox
            .redeem(&with(native_redemption(&code), &[changed]))
            .await;
        assert_eq!(
            (reply.status, reply.body.as_slice()),
            (400, &br#"{"error":"invalid_token"}"#[..]),
            "{changed:?}"
        );
    }
    for missing in ["code", "redirect_uri"] {
        let reply = sandbox
            .redeem(&with(native_redemption(&code), &[(missing, "")]))
            .await;
        assert_eq!(reply.json(), json!({"error": "invalid_request"}));
    }
    assert_eq!(sandbox.redeem(&native_redemption(&code)).await.status, 200);
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_the_login_that_came_of_it() {
    let sandbox = TestSandbox::new();
    let code = sandbox.code(&native()).await;
    let tokens = sandbox.redeem(&native_redemption(&code)).await.json();
    let refreshed = sandbox.refresh(tokens["refresh_token"].as_str().unwrap());
    let refreshed = refreshed.await.json();
    let other = sandbox.native_login().await;

    let again = sandbox.redeem(&native_redemption(&code)).await;
    assert_eq!(
        (again.status, again.json()),
        (400, json!({"error": "invalid_token"}))
    );
    assert_eq!(sandbox.ninja.counts().code_reuses, 1);
    assert!(!sandbox.opens(&tokens["access_token"]).await);
    assert!(!sandbox.opens(&refreshed["access_token"]).await);
    let refresh = refreshed["refresh_token"].as_str().unwrap();
    assert_eq!(sandbox.refresh(refresh).await.status, 400);
    assert!(sandbox.opens(&other["access_token"]).await);
}

#[tokio::test]
async fn a_code_expires() {
    let sandbox = TestSandbox::with(SandboxOptions {
        code_life: Duration::ZERO,
        ..SandboxOptions::default()
    });
    let code = sandbox.code(&native()).await;
    let reply = sandbox.redeem(&native_redemption(&code)).await;
    assert_eq!(reply.json(), json!({"error": "invalid_token"}));
}

#[tokio::test]
async fn codes_are_bounded_and_the_oldest_makes_room() {
    let sandbox = TestSandbox::new();
    let oldest = sandbox.code(&native()).await;
    let mut last = String::new();
    let decided = with(native(), &[("decision", "allow")]);
    for _ in 0..1_000 {
        let back = sent(&sandbox.post("/ws/oauth/authorize", &decided).await);
        last = back.get("code").unwrap().to_owned();
    }
    assert_eq!(
        sandbox.redeem(&native_redemption(&oldest)).await.status,
        400
    );
    assert_eq!(sandbox.redeem(&native_redemption(&last)).await.status, 200);
}

#[tokio::test]
async fn a_web_app_needs_its_secret_and_may_do_without_a_challenge() {
    let sandbox = TestSandbox::new();
    let code = sandbox.code(&web()).await;
    let without = sandbox
        .redeem(&with(web_redemption(&code), &[("client_secret", "")]))
        .await;
    assert_eq!(
        (without.status, without.json()),
        (401, json!({"error": "invalid_client"}))
    );
    let unasked = sandbox
        .redeem(&with(web_redemption(&code), &[("code_verifier", VERIFIER)]))
        .await;
    assert_eq!(
        unasked.json(),
        json!({"error": "invalid_token"}),
        "somebody took the challenge away"
    );
    let tokens = sandbox.redeem(&web_redemption(&code)).await.json();
    assert_eq!(tokens["scope"], "monitoring offline_access");

    let basic = BASE64_STANDARD.encode(format!("{WEB_CLIENT_ID}:{WEB_CLIENT_SECRET}"));
    let headers = format!(
        "Authorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    );
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let reply = send(
        sandbox.at,
        "POST",
        "/oauth/token",
        &headers,
        &encoded(&form),
    )
    .await
    .unwrap();
    assert_eq!(reply.status, 200);

    let challenged = with(
        web(),
        &[
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ],
    );
    let code = sandbox.code(&challenged).await;
    assert_eq!(sandbox.redeem(&web_redemption(&code)).await.status, 400);
    let proved = with(web_redemption(&code), &[("code_verifier", VERIFIER)]);
    assert_eq!(sandbox.redeem(&proved).await.status, 200);
}

#[tokio::test]
async fn a_login_without_offline_access_has_no_refresh_token() {
    let sandbox = TestSandbox::new();
    for (scope, granted) in [
        ("monitoring", "monitoring"),
        ("", "monitoring management control"),
    ] {
        let code = sandbox.code(&with(web(), &[("scope", scope)])).await;
        let tokens = sandbox.redeem(&web_redemption(&code)).await.json();
        assert_eq!(tokens["scope"], granted);
        assert!(tokens.get("refresh_token").is_none());
        assert!(sandbox.opens(&tokens["access_token"]).await);
    }
}

#[tokio::test]
async fn a_single_page_app_gets_a_token_and_no_refresh_token() {
    let sandbox = TestSandbox::new();
    let code = sandbox.code(&single_page()).await;
    let redemption = with(
        native_redemption(&code),
        &[
            ("client_id", SINGLE_PAGE_CLIENT_ID),
            ("redirect_uri", "https://spa.example/"),
        ],
    );
    let tokens = sandbox.redeem(&redemption).await.json();
    assert_eq!(tokens["scope"], "monitoring");
    assert!(tokens.get("refresh_token").is_none());
    let refused = sandbox
        .redeem(&[
            ("grant_type", "refresh_token"),
            ("client_id", SINGLE_PAGE_CLIENT_ID),
            ("refresh_token", "x"),
        ])
        .await;
    assert_eq!(
        (refused.status, refused.json()),
        (401, json!({"error": "unauthorized_client"}))
    );
}

#[tokio::test]
async fn each_platform_refuses_the_grants_of_the_others() {
    let sandbox = TestSandbox::new();
    let machine = [
        ("client_id", DEFAULT_CLIENT_ID),
        ("client_secret", "sandbox-secret-not-a-real-one"),
        ("code", "x"),
        ("redirect_uri", "x"),
        ("refresh_token", "x"),
    ];
    for grant in ["authorization_code", "refresh_token"] {
        let mut pairs = machine.to_vec();
        pairs.push(("grant_type", grant));
        let reply = sandbox.redeem(&pairs).await;
        assert_eq!(
            (reply.status, reply.json()["error"].as_str()),
            (401, Some("unauthorized_client"))
        );
    }
    for id in [NATIVE_CLIENT_ID, SINGLE_PAGE_CLIENT_ID] {
        let mut pairs = vec![("grant_type", "client_credentials"), ("client_id", id)];
        assert_eq!(sandbox.redeem(&pairs).await.status, 401);
        pairs.push(("client_secret", "guess"));
        assert_eq!(
            sandbox.redeem(&pairs).await.json(),
            json!({"error": "invalid_client"}),
            "it has no secret, so none is right"
        );
    }
}

#[tokio::test]
async fn the_implicit_grant_puts_a_persons_token_into_the_fragment() {
    let sandbox = TestSandbox::new();
    for pairs in [native(), web(), single_page()] {
        let pairs = with(
            pairs,
            &[
                ("response_type", "token"),
                ("code_challenge", ""),
                ("code_challenge_method", ""),
                ("scope", "monitoring management"),
            ],
        );
        let back = sent(&sandbox.decide(&pairs, "allow").await);
        assert_eq!(back.mark, '#');
        assert_eq!(back.get("token_type"), Some("Bearer"));
        assert_eq!(back.get("expires_in"), Some("3600"));
        assert_eq!(back.get("scope"), Some("monitoring management"));
        assert!(back.get("state").is_some());
        assert_eq!(back.pairs.len(), 5);
        let token = back.get("access_token").unwrap();
        let run = sandbox
            .call(token, "POST", "/v2/device/123/script/run", "{}")
            .await;
        assert_eq!(run.status, 204);
        let denied = sent(&sandbox.decide(&pairs, "deny").await);
        assert_eq!(
            (denied.mark, denied.get("error")),
            ('#', Some("access_denied"))
        );
    }
}

#[tokio::test]
async fn the_issuer_comes_back_and_discovery_says_so_when_it_is_switched_on() {
    let sandbox = TestSandbox::new();
    sandbox.ninja.faults().set(Faults {
        issuer_in_answers: true,
        ..Faults::default()
    });
    let issuer = format!("http://{}/", sandbox.at);
    for decision in ["allow", "deny"] {
        let back = sent(&sandbox.decide(&native(), decision).await);
        assert_eq!(back.get("iss"), Some(issuer.as_str()));
    }
    let path = "/.well-known/oauth-authorization-server";
    let metadata = send(sandbox.at, "GET", path, "", "").await.unwrap().json();
    assert_eq!(metadata["issuer"], issuer);
    assert_eq!(
        metadata["authorization_response_iss_parameter_supported"],
        true
    );
}
