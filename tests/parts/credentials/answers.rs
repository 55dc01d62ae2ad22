//! Responses of a token endpoint, and the error for each that is wrong.

use std::time::Duration;

use ninjaone_proxy::{
    credentials::grant::token_endpoint_error::{RetryHint, TokenEndpointError},
    net::client::exchange_error::ExchangeError,
};
use tokio::time::Instant;

use super::server::{LONG, Server, USUAL, json, numbered, reply, token};

type Row = (&'static str, Vec<u8>);

async fn each_has_its_name(table: Vec<Row>) {
    for (name, raw) in table {
        let told: String = String::from_utf8_lossy(&raw).chars().take(300).collect();
        let server = Server::that_says(raw).await;
        let mut kept = server.keep(USUAL);

        let error = kept.refused().await;

        assert_eq!(error.as_str(), name, "{told}");
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert!(kept.cell.current().is_none(), "{told}");
    }
}

fn ok(body: &str) -> Vec<u8> {
    json("200 OK", body)
}

fn bad(body: &str) -> Vec<u8> {
    json("400 Bad Request", body)
}

/// A good answer but for its life.
fn living(life: &str) -> Vec<u8> {
    token("t", life)
}

/// A good answer but for its token, which is given as JSON.
fn holding(token: &str) -> Vec<u8> {
    ok(&format!(
        r#"{{"access_token":{token},"token_type":"Bearer","expires_in":9}}"#
    ))
}

const UNKNOWN: &str = r#"{"resultCode":"Client app not exist","incidentId":"WEB_MGMT_SERVICE-1"}"#;

#[tokio::test]
async fn every_refusal_has_a_name() {
    each_has_its_name(vec![
        ("wrong-region", json("404 Not Found", UNKNOWN)),
        ("not-ok", json("404 Not Found", "{}")),
        ("invalid-scope", bad(r#"{"error":"invalid_scope"}"#)),
        ("invalid-client", bad(r#"{"error":"invalid_client"}"#)),
        ("invalid-client", bad(r#"{"error":"unauthorized_client"}"#)),
        ("invalid-client", reply("401 Unauthorized", "", "")),
        ("login-ended", bad(r#"{"error":"invalid_token"}"#)),
        ("login-ended", bad(r#"{"error":"invalid_grant"}"#)),
        ("login-ended", bad(r#"{"error":"expired_token"}"#)),
        ("not-ok", bad(r#"{"error":7}"#)),
        ("not-ok", bad("nonsense")),
        ("throttled", reply("429 Too Many Requests", "", "<html>")),
        ("server-error", reply("500 Internal Server Error", "", "")),
        (
            "server-error",
            reply("503 Service Unavailable", "Retry-After: 7\r\n", "<html>"),
        ),
        (
            "redirected",
            reply("302 Found", "Location: http://127.0.0.1:1/\r\n", ""),
        ),
        (
            "not-ok",
            json(
                "201 Created",
                r#"{"access_token":"t","token_type":"bearer","expires_in":9}"#,
            ),
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_that_is_no_token_answer_has_a_name() {
    each_has_its_name(vec![
        ("empty", reply("200 OK", "", "")),
        ("empty", json("200 OK", " \r\n")),
        (
            "html",
            reply(
                "200 OK",
                "Content-Type: Text/HTML; charset=utf-8\r\n",
                "slow down",
            ),
        ),
        (
            "html",
            reply(
                "200 OK",
                "Content-Type: application/json\r\n",
                "\n<!doctype html>",
            ),
        ),
        (
            "html",
            reply("403 Forbidden", "Content-Type: text/html\r\n", "<html>"),
        ),
        ("not-json", ok(r#"{"access_token":"canary","#)),
        ("not-json", ok("7")),
        ("not-json", ok(r#"["token","bearer",3600,""]"#)),
        (
            "not-json",
            ok(r#"{"access_token":"t","token_type":"bearer","expires_in":9}{}"#),
        ),
        (
            "not-json",
            ok(r#"{"access_token":"a","access_token":"b","token_type":"bearer","expires_in":9}"#),
        ),
        ("not-json", reply("200 OK", "", "\u{0}\u{1}")),
        ("too-long", ok(&" ".repeat(70_000))),
        ("unreachable", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("unreachable", b"".to_vec()),
    ])
    .await;
}

#[tokio::test]
async fn a_token_that_cannot_be_used_has_a_name() {
    let longest = format!("{:?}", "x".repeat(8 * 1024 + 1));
    each_has_its_name(vec![
        (
            "life-missing",
            ok(r#"{"access_token":"t","token_type":"bearer"}"#),
        ),
        ("life-missing", living("null")),
        ("life-not-positive", living("0")),
        ("life-not-positive", living("-1")),
        ("life-not-positive", living("0.5")),
        ("life-not-positive", living(r#""0""#)),
        ("life-not-a-number", living(r#""soon""#)),
        ("life-not-a-number", living(r#""-5""#)),
        ("life-not-a-number", living(r#""""#)),
        ("life-not-a-number", living("[3600]")),
        ("life-not-a-number", living("true")),
        (
            "token-type-unknown",
            ok(r#"{"access_token":"t","token_type":"mac","expires_in":9}"#),
        ),
        (
            "token-type-unknown",
            ok(r#"{"access_token":"t","expires_in":9}"#),
        ),
        (
            "token-type-unknown",
            ok(r#"{"access_token":"t","token_type":1,"expires_in":9}"#),
        ),
        (
            "token-malformed",
            ok(r#"{"token_type":"bearer","expires_in":9}"#),
        ),
        ("token-malformed", holding(r#""""#)),
        ("token-malformed", holding("7")),
        ("token-malformed", holding("null")),
        ("token-malformed", holding(&longest)),
        ("token-malformed", holding(r#""a\r\nX-Evil: 1""#)),
        ("token-malformed", holding(r#""a b""#)),
        ("token-malformed", holding(r#""t\u00f6ken""#)),
    ])
    .await;
}

#[tokio::test]
async fn a_life_in_quotes_is_read_and_one_without_end_is_cut() {
    for (life, expected_s) in [
        (r#""3600""#, 3600),
        ("3600.9", 3600),
        ("1e12", 86_400),
        ("1e300", 86_400),
    ] {
        let server = Server::that_says(token("t", life)).await;
        let kept = server.keep(USUAL);

        let token = kept.cell.wait_for_token(LONG).await.ok().unwrap();

        let lives = token.expires().since(token.minted());
        assert_eq!(lives, Duration::from_secs(expected_s), "{life}");
    }
}

#[tokio::test]
async fn nobody_at_the_token_endpoint_is_an_error_by_name() {
    let server = Server::start(numbered).await;
    server.tasks.request_shutdown();
    assert!(server.tasks.join_timeout(LONG).await);

    let mut kept = server.keep(USUAL);

    let error = kept.refused().await;
    let unreachable = TokenEndpointError::Unreachable(ExchangeError::Connect);
    assert_eq!(error, unreachable.into());
    assert_eq!(error.retry(), RetryHint::Soon { retry_after: None });
}

#[tokio::test]
async fn a_token_endpoint_that_hangs_is_given_up() {
    let server = Server::start(numbered).await;
    server.turns.acquire_many(1_000).await.unwrap().forget();
    let mut kept = server.keep(USUAL);
    let started = Instant::now();

    assert_eq!(
        kept.refused().await,
        TokenEndpointError::Unreachable(ExchangeError::TimedOut).into()
    );

    assert!(started.elapsed() >= Duration::from_secs(9));
}
