//! How a tenant behaves that nobody documents: hidden limits, gateways' pages, connections that end.

use std::time::Duration;

use ninjaone_proxy::sandbox::{
    NATIVE_CLIENT_ID, SandboxLogin,
    faults::{ConnectionFault, Faults, HiddenLimit, RetryAfterForm, Throttle},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::wire::{TestSandbox, send};

const GOAWAY: u8 = 7;
const RST_STREAM: u8 = 3;
const PING: u8 = 6;

fn limit(answer: Throttle, retry_after: RetryAfterForm) -> HiddenLimit {
    HiddenLimit {
        rate: 0.1,
        burst: std::num::NonZeroU32::new(2).unwrap(),
        paths: "/v2/queries/".into(),
        answer,
        retry_after,
    }
}

fn set(sandbox: &TestSandbox, faults: Faults) {
    sandbox.ninja.faults().set(faults);
}

#[tokio::test]
async fn a_hidden_limit_throttles_its_part_of_the_api_and_nothing_else() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let limits = vec![limit(Throttle::Status, RetryAfterForm::Seconds)];
    set(
        &sandbox,
        Faults {
            limits,
            ..Faults::default()
        },
    );
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(sandbox.get(&token, "/v2/queries/disks").await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
    let refused = sandbox.get(&token, "/v2/queries/volumes").await;
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(sandbox.get(&token, "/v2/devices").await.status, 200);
}

#[tokio::test]
async fn a_hidden_limit_answers_by_a_page_or_with_a_date() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let limits = vec![limit(Throttle::TooManyRequestsPage, RetryAfterForm::Date)];
    set(
        &sandbox,
        Faults {
            limits,
            ..Faults::default()
        },
    );
    for _ in 0..2 {
        sandbox.get(&token, "/v2/queries/disks").await;
    }
    let page = sandbox.get(&token, "/v2/queries/disks").await;
    assert_eq!(page.status, 200);
    assert!(page.header("retry-after").unwrap().ends_with(" GMT"));
    assert!(String::from_utf8_lossy(&page.body).contains("Too many requests"));
}

#[tokio::test]
async fn a_gateway_answers_by_a_page_of_its_own() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    for status in [400, 403, 502, 503, 504] {
        set(
            &sandbox,
            Faults {
                page: Some(status),
                ..Faults::default()
            },
        );
        let page = sandbox.get(&token, "/v2/devices").await;
        assert_eq!(page.status, status);
        assert!(
            page.header("content-type")
                .unwrap()
                .starts_with("text/html")
        );
    }
}

#[tokio::test]
async fn only_reports_are_slow_if_only_they_are_to_be() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    set(
        &sandbox,
        Faults {
            slow_reports_ms: Some(300),
            ..Faults::default()
        },
    );
    let start = Instant::now();
    sandbox.get(&token, "/v2/queries/disks").await;
    assert!(start.elapsed() >= Duration::from_millis(300));
    let waited = timeout(
        Duration::from_millis(290),
        sandbox.get(&token, "/v2/groups"),
    );
    assert_eq!(waited.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_renewal_can_end_the_access_token_before_it() {
    let sandbox = TestSandbox::new();
    set(
        &sandbox,
        Faults {
            renewal_ends_access_token: true,
            ..Faults::default()
        },
    );
    let login: SandboxLogin = sandbox.ninja.log_in(NATIVE_CLIENT_ID).unwrap();
    let older = login.access_token.expose().to_owned();
    assert_eq!(sandbox.get(&older, "/v2/groups").await.status, 200);
    let refresh = login.refresh_token.expose();
    let form =
        format!("grant_type=refresh_token&client_id={NATIVE_CLIENT_ID}&refresh_token={refresh}");
    let renewed = sandbox.form(&form).await.json();
    assert_eq!(sandbox.get(&older, "/v2/groups").await.status, 401);
    let newer = renewed["access_token"].as_str().unwrap();
    assert_eq!(sandbox.get(newer, "/v2/groups").await.status, 200);
}

#[tokio::test]
async fn an_http2_connection_is_told_to_go_or_its_stream_is_reset() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    for (fault, frame) in [
        (ConnectionFault::Goaway, GOAWAY),
        (ConnectionFault::Reset, RST_STREAM),
    ] {
        set(
            &sandbox,
            Faults {
                connection: Some(fault),
                ..Faults::default()
            },
        );
        let seen = frames_after_request(&sandbox, &token, frame).await;
        assert!(seen.contains(&frame), "{fault:?}: {seen:?}");
    }
}

#[tokio::test]
async fn an_http2_connection_is_pinged_as_often_as_is_asked() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    set(
        &sandbox,
        Faults {
            ping_seconds: Some(1),
            ..Faults::default()
        },
    );
    assert!(
        frames_after_request(&sandbox, &token, PING)
            .await
            .contains(&PING)
    );
}

#[tokio::test]
async fn a_silent_connection_says_nothing() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    set(
        &sandbox,
        Faults {
            connection: Some(ConnectionFault::Silent),
            count: Some(1),
            ..Faults::default()
        },
    );
    let headers = format!("Authorization: Bearer {token}\r\n");
    let asked = send(sandbox.at, "GET", "/v2/groups", &headers, "");
    assert!(timeout(Duration::from_millis(300), asked).await.is_err());
    assert_eq!(sandbox.get(&token, "/v2/groups").await.status, 200);
}

#[tokio::test]
async fn switches_that_mean_nothing_are_refused_with_a_sentence() {
    let sandbox = TestSandbox::new();
    for (body, word) in [
        (r#"{"page":200}"#, "page"),
        (r#"{"ping_seconds":0}"#, "ping_seconds"),
        (r#"{"limits":[{"rate":0,"burst":1}]}"#, "rate"),
        (r#"{"limits":[{"rate":1,"burst":0}]}"#, "nonzero"),
        (r#"{"connection":"explode"}"#, "explode"),
    ] {
        let reply = send(sandbox.at, "POST", "/sandbox/faults", "", body)
            .await
            .unwrap();
        let said = reply.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(reply.status, 400, "{body}");
        assert!(said.contains(word), "{body}: {said}");
    }
}

/// The types of the frames that arrive after a request over HTTP/2 by prior knowledge, until the one that is waited for.
async fn frames_after_request(sandbox: &TestSandbox, token: &str, awaited: u8) -> Vec<u8> {
    let mut stream = TcpStream::connect(sandbox.at).await.unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    stream
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    stream.write_all(&request_frame(token)).await.unwrap();
    let mut seen = Vec::new();
    let read = async {
        while !seen.contains(&awaited) {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.unwrap();
            seen.push(head[3]);
        }
    };
    // What does not come makes the assertion fail, not the test hang.
    let _ = timeout(Duration::from_secs(5), read).await;
    seen
}

/// HEADERS of `GET /v2/groups` on stream 1, which it ends: RFC 9113 section 6.2, RFC 7541 section 6.
fn request_frame(token: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86];
    for (name, value) in [(4, "/v2/groups"), (1, "localhost")] {
        block.push(name);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend_from_slice(value.as_bytes());
    }
    // Without indexing, the name in full.
    let bearer = format!("Bearer {token}");
    block.push(0);
    for text in ["authorization", &bearer] {
        block.push(u8::try_from(text.len()).unwrap());
        block.extend_from_slice(text.as_bytes());
    }
    let mut frame = vec![0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1];
    frame.extend(block);
    frame
}

#[test]
fn the_page_about_the_simulator_names_every_switch() {
    let page = include_str!("../../../docs/reference/sandbox.md");
    let body = br#"{"throttle":"429","retry_after":1,"status":500,"page":502,"insufficient_privileges":true,"slow_ms":1,
        "slow_reports_ms":1,"lose_response":true,"cut_body":true,"connection":"reset","token":"500",
        "token_grant":"refresh_token","count":1,"revoke_tokens":true,"expire_tokens":true,"token_life_seconds":1,
        "reuse_ends_login":true,"issuer_in_answers":true,"no_discovery":true,"new_cursor_names":true,
        "renewal_ends_access_token":true,"check_bodies":true,"ping_seconds":1,"limits":[{"rate":1,"burst":1}]}"#;
    let all = Faults::parse(body).unwrap();
    let Faults {
        throttle: _,
        retry_after: _,
        status: _,
        page: _,
        insufficient_privileges: _,
        slow_ms: _,
        slow_reports_ms: _,
        lose_response: _,
        cut_body: _,
        connection: _,
        token: _,
        token_grant: _,
        count: _,
        revoke_tokens: _,
        expire_tokens: _,
        token_life_seconds: _,
        reuse_ends_login: _,
        issuer_in_answers: _,
        no_discovery: _,
        new_cursor_names: _,
        renewal_ends_access_token: _,
        check_bodies: _,
        ping_seconds: _,
        limits: _,
    } = &all;
    let shown = serde_json::to_value(&all).unwrap();
    for name in shown.as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("`\"{name}\":")) || page.contains(&format!("`\"{name}\"")),
            "{name}"
        );
    }
    assert_eq!(shown.as_object().unwrap().len(), 24);
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_taken_unless_bodies_are_checked() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let post =
        async |target: &str, body: &str| sandbox.call(&token, "POST", target, body).await.status;
    assert_eq!(post("/v2/contacts", "no JSON").await, 200);
    assert_eq!(
        post("/v2/organization/documents/archive", "[999999]").await,
        200
    );
    set(
        &sandbox,
        Faults {
            check_bodies: true,
            ..Faults::default()
        },
    );
    assert_eq!(post("/v2/contacts", "no JSON").await, 400);
    assert_eq!(post("/v2/contacts", "[]").await, 400);
    assert_eq!(
        post("/v2/organization/documents/archive", "[999999]").await,
        400
    );
}

#[tokio::test]
async fn what_clients_create_is_bounded_and_the_oldest_makes_room() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let half = format!(
        r#"{{"firstName":"A","lastName":"B","jobTitle":"{}"}}"#,
        "x".repeat(500 * 1024)
    );
    let mut first = 0;
    for number in 0..40 {
        let made = sandbox
            .call(&token, "POST", "/v2/contacts", &half)
            .await
            .json();
        if number == 0 {
            first = made["id"].as_u64().unwrap();
        }
    }
    let oldest = sandbox.get(&token, &format!("/v2/contact/{first}")).await;
    assert_eq!(oldest.status, 404);
    assert_eq!(
        sandbox.get(&token, "/v2/contact/1").await.status,
        200,
        "the world's own stay"
    );
    let whole = format!(
        r#"{{"firstName":"A","lastName":"{}"}}"#,
        "x".repeat(600 * 1024)
    );
    let refused = sandbox.call(&token, "POST", "/v2/contacts", &whole).await;
    assert_eq!(refused.status, 413);
}

#[tokio::test]
async fn whatever_a_client_writes_is_shown_as_what_it_is_declared_to_be() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    for body in [
        r#"{"displayName":["a"]}"#,
        r#"{"displayName":5}"#,
        r#"{"userData":5}"#,
        r#"{"locationId":-5}"#,
        r#"{"locationId":1.5}"#,
        r#"{"organizationId":{"a":null}}"#,
    ] {
        assert_eq!(
            sandbox
                .call(&token, "PATCH", "/v2/device/101", body)
                .await
                .status,
            204
        );
        let device = sandbox.get(&token, "/v2/device/101").await.json();
        assert!(device["displayName"].is_string(), "{body}: {device}");
        assert!(device["userData"].is_object(), "{body}: {device}");
        assert_eq!(
            (&device["organizationId"], &device["locationId"]),
            (&2.into(), &4.into()),
            "{body}"
        );
    }
    sandbox
        .call(
            &token,
            "PATCH",
            "/v2/device/101",
            r#"{"organizationId":17}"#,
        )
        .await;
    let device = sandbox.get(&token, "/v2/device/101").await.json();
    assert_eq!(device["locationId"], 18, "it is not left behind");
}

#[tokio::test]
async fn a_cursor_ends_by_the_clock_of_the_sandbox() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let page = sandbox
        .get(&token, "/v2/queries/disks?pageSize=1")
        .await
        .json();
    let next = format!(
        "/v2/queries/disks?pageSize=1&cursor={}",
        page["cursor"]["name"].as_str().unwrap()
    );
    assert_eq!(sandbox.get(&token, &next).await.status, 200);
    sandbox.advance(1_000).await;
    assert_eq!(sandbox.get(&token, &next).await.status, 400);
}

#[tokio::test]
async fn a_script_that_says_too_much_still_leaves_its_last_activity() {
    let sandbox = TestSandbox::new();
    let token = sandbox.token().await;
    let user = sandbox.user_token().await;
    let body = format!(
        r#"{{"type":"SCRIPT","id":1,"parameters":"{}"}}"#,
        "x".repeat(600 * 1024)
    );
    let run = "/v2/device/101/script/run";
    assert_eq!(sandbox.call(&user, "POST", run, &body).await.status, 204);
    sandbox.advance(10).await;
    let told = sandbox
        .get(&token, "/v2/device/101/activities?pageSize=1")
        .await
        .json();
    assert_eq!(told["activities"][0]["statusCode"], "COMPLETED");
}
