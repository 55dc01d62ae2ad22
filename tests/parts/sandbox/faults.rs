//! Faults switched on from the same process.

use ninjaone_proxy::sandbox::faults::{Faults, Throttle, TokenEndpointFault};
use serde_json::Value;
use tokio::net::TcpStream;

use super::wire::{FORM, TestSandbox, send};

#[tokio::test]
async fn throttling_is_a_status_or_a_page_and_counts_down() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    sandbox.ninja.faults().set(Faults {
        throttle: Some(Throttle::Status),
        retry_after: Some(7),
        count: Some(2),
        ..Faults::default()
    });
    let throttled = sandbox.get(&token, "/v2/devices").await;
    assert_eq!(
        (throttled.status, throttled.header("retry-after")),
        (429, Some("7"))
    );
    assert_eq!(sandbox.ninja.faults().current().count, Some(1));
    assert_eq!(sandbox.get(&token, "/v2/devices").await.status, 429);
    assert_eq!(sandbox.get(&token, "/v2/devices").await.status, 200);
    assert_eq!(sandbox.ninja.faults().current(), Faults::default());

    sandbox.ninja.faults().set(Faults {
        throttle: Some(Throttle::RequestLimitPage),
        ..Faults::default()
    });
    let page = sandbox.get(&token, "/v2/devices").await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert_eq!(sandbox.form(FORM).await.status, 200);
}

#[tokio::test]
async fn a_lost_response_is_done_and_not_answered() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    sandbox.ninja.faults().set(Faults {
        lose_response: true,
        count: Some(1),
        ..Faults::default()
    });
    let headers = format!("Authorization: Bearer {token}\r\n");
    let body = r#"{"name":"Lost and found"}"#;
    let lost = send(sandbox.at, "POST", "/v2/organizations", &headers, body).await;
    assert!(lost.is_none());
    assert_eq!(sandbox.ninja.requests().last().unwrap().status(), None);
    let organizations = sandbox.get(&token, "/v2/organizations").await.json();
    assert_eq!(organizations[3]["name"], "Lost and found");
}

#[tokio::test]
async fn a_cut_body_is_shorter_than_announced_and_a_cut_stream_has_no_end() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    sandbox.ninja.faults().set(Faults {
        cut_body: true,
        ..Faults::default()
    });
    let cut = sandbox.get(&token, "/v2/devices").await;
    let announced: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert_eq!(cut.body.len(), announced / 2);
    let cut = sandbox
        .get(&token, "/v2/queries/software?pageSize=1000")
        .await;
    assert!(cut.body.len() > 1_000);
    assert!(serde_json::from_slice::<Value>(&cut.body).is_err());
}

#[tokio::test]
async fn tokens_can_be_expired_and_revoked_and_a_new_one_serves() {
    let sandbox = TestSandbox::new();
    for faults in [
        Faults {
            expire_tokens: true,
            ..Faults::default()
        },
        Faults {
            revoke_tokens: true,
            ..Faults::default()
        },
    ] {
        let token = sandbox.token().await;
        assert_eq!(sandbox.get(&token, "/v2/devices").await.status, 200);
        sandbox.ninja.faults().set(faults);
        assert_eq!(sandbox.get(&token, "/v2/devices").await.status, 401);
        let token = sandbox.token().await;
        assert_eq!(sandbox.get(&token, "/v2/devices").await.status, 200);
    }
}

#[tokio::test]
async fn the_token_endpoint_fails_in_each_way_that_is_asked_for() {
    let sandbox = TestSandbox::new();
    let with = async |trouble: &str| {
        sandbox.ninja.faults().set(Faults {
            token: Some(trouble.parse::<TokenEndpointFault>().unwrap()),
            count: Some(1),
            ..Faults::default()
        });
        sandbox.form(FORM).await
    };
    for status in [400, 401, 404, 429, 500, 503] {
        assert_eq!(with(&status.to_string()).await.status, status);
    }
    assert!(
        with("html")
            .await
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert!(with("empty").await.body.is_empty());
    assert!(serde_json::from_slice::<Value>(&with("not_json").await.body).is_err());
    assert_eq!(with("expires_in:-1").await.json()["expires_in"], -1);
    assert_eq!(with("expires_in:string").await.json()["expires_in"], "3600");
    assert!(
        with("expires_in:absent")
            .await
            .json()
            .get("expires_in")
            .is_none()
    );
    assert_eq!(with("slow:1").await.status, 200);
    assert_eq!(sandbox.form(FORM).await.json()["expires_in"], 3600);
    for wrong in ["", "200", "slow:", "expires_in:soon", "teapot"] {
        assert!(wrong.parse::<TokenEndpointFault>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_token_request_that_hangs_is_not_answered_and_the_sandbox_still_stops() {
    let sandbox = TestSandbox::new();
    sandbox.ninja.faults().set(Faults {
        token: Some(TokenEndpointFault::Hang),
        ..Faults::default()
    });
    tokio::select! {
        _ = sandbox.form(FORM) => panic!("it was answered"),
        () = sandbox.ninja.wait_for_requests(1) => {}
    }
    assert_eq!(sandbox.ninja.requests()[0].status(), None);
    sandbox.ninja.stop().await;
    assert!(TcpStream::connect(sandbox.at).await.is_err());
}
