//! What is sent to NinjaOne: the caller's request, less everything that is not NinjaOne's business.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use crate::{answer::Answer, key::hex, proxy::identities, wait::until};

use super::{
    record::{BODY_CANARY, COOKIE_CANARY},
    world::World,
};

const JSON: &str = "application/json";

#[tokio::test]
async fn a_read_comes_back_as_ninjaone_answered_it() {
    let world = World::new().await;

    let answer = world.get("reports", "/v2/organizations").await;

    answer.is(200);
    assert_eq!(answer.json().as_array().unwrap().len(), 3);
    assert_eq!(answer.header("content-type"), Some(JSON));
    assert_eq!(world.saw(), ["GET /v2/organizations 200"]);
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["decision"], "allowed");
    assert_eq!(line["source"], "ninjaone");
    assert_eq!(line["operation"], "getOrganizations");
    assert_eq!(line["bytes_out"], answer.body.len());
    assert_eq!(
        line["ninjaone_request"].as_str(),
        answer.header("x-nj-request-id")
    );
    world.end().await;
}

#[tokio::test]
async fn a_write_arrives_once_with_its_body_and_an_intent_before_it() {
    let world = World::new().await;
    let body = format!("{{\"displayName\":\"{BODY_CANARY}\"}}");

    let ask = world.ask("operator", "PATCH", "/v2/device/101").body(&body);
    let answer = ask.header("Content-Type", JSON).send().await;

    answer.is(204);
    assert_eq!(world.saw(), ["PATCH /v2/device/101 204"]);
    let seen = world.ninja().requests();
    let write = seen.last().unwrap();
    assert_eq!(write.body_bytes, body.len() as u64);
    let hash = hex(digest(&SHA256, body.as_bytes()).as_ref());
    assert_eq!(*write.body_sha256, *hash);
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["class"], "dangerous");
    assert_eq!(line["params"]["id"], "101");
    assert_eq!(line["bytes_in"], body.len());
    let lines = world.lines().await;
    let kinds: Vec<_> = lines
        .iter()
        .filter(|it| it["request"] == answer.id())
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["intent", "outcome"]);
    world.end().await;
}

#[tokio::test]
async fn head_is_allowed_where_get_is_and_has_no_body() {
    let world = World::new().await;
    let head = world.ask("reports", "HEAD", "/v2/organizations");
    let mut wire = world.wire().await;

    let answer = head.send_on(&mut wire).await.unwrap();
    let next = world.ask("reports", "GET", "/v2/organizations");
    let next = next.send_on(&mut wire).await.unwrap();

    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, b"");
    next.is(200);
    let length = answer.header("content-length").unwrap();
    assert_eq!(length, next.body.len().to_string());
    assert_eq!(world.saw()[0], "HEAD /v2/organizations 200");
    world.end().await;
}

#[tokio::test]
async fn of_sixty_request_headers_only_the_allowed_ones_arrive() {
    let world = World::new().await;
    let mut ask = world.ask("reports", "GET", "/v2/organizations");
    let allowed = [
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("Accept-Language", "de"),
        ("User-Agent", "journeys/1"),
        ("If-None-Match", "\"abc\""),
        ("If-Modified-Since", "Sat, 21 Nov 2026 00:00:00 GMT"),
        ("Range", "bytes=0-1"),
        ("If-Range", "\"abc\""),
    ];
    for (name, value) in allowed {
        ask = ask.header(name, value);
    }
    let cookie = format!("session={COOKIE_CANARY}");
    for (name, value) in [
        ("Cookie", cookie.as_str()),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=10.0.0.1"),
        ("X-Real-IP", "10.0.0.1"),
        ("Via", "1.1 elsewhere"),
        ("Proxy-Authorization", "Basic eDp5"),
        ("X-Request-Id", "mine"),
        ("X-NJ-Request-Id", "mine"),
        ("NJP-Reason", "ticket 17"),
        ("NJP-On-Behalf-Of", "j.doe@msp.example"),
        ("Referer", "https://evil.example/"),
        ("TE", "trailers"),
        ("Cache-Control", "no-cache"),
    ] {
        ask = ask.header(name, value);
    }
    for number in 0..36 {
        ask = ask.header(&format!("X-Foreign-{number}"), "value");
    }

    let answer = ask.send().await;

    answer.is(200);
    let arrivals = world.arrivals();
    let arrived = &arrivals[0];
    for (name, value) in allowed {
        let name = name.to_ascii_lowercase();
        assert_eq!(arrived.header(&name), Some(value), "{name}");
    }
    assert_eq!(arrived.header("via"), Some("1.1 ninjaone-proxy"));
    let ninja = world.ninja().address().to_string();
    assert_eq!(arrived.header("host"), Some(ninja.as_str()));
    assert_eq!(arrived.headers.len(), allowed.len() + 3);
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["reason"], "ticket 17");
    assert_eq!(line["on_behalf_of"], "j.doe@msp.example");
    world.end().await;
}

#[tokio::test]
async fn what_connection_names_does_not_arrive_and_our_own_headers_stay() {
    let world = World::new().await;
    let ask = world.ask("reports", "GET", "/v2/organizations");

    let answer = ask
        .header("Accept-Language", "de")
        .header("Connection", "accept-language, authorization, via, host")
        .send()
        .await;

    answer.is(200);
    let arrivals = world.arrivals();
    assert_eq!(arrivals[0].header("accept-language"), None);
    assert!(arrivals[0].header("authorization").is_some());
    assert!(arrivals[0].header("via").is_some());
    world.end().await;
}

#[tokio::test]
async fn path_and_query_travel_byte_for_byte() {
    let world = World::new().await;
    let targets = [
        "/v2/devices?df=org%20%3D%202+AND%20class=WINDOWS_SERVER&pageSize=2&&x=%7e%C3%bc&empty=&flag",
        "/api/v2/devices?after=1",
        "/v2/device%2d1?x=%41",
        "/v2/organizations?",
        "/v2/devices?a=1&a=2&b[]=3&c='~*()!:@/?$,",
    ];

    for target in targets {
        world.get("operator", target).await;
    }

    let arrived: Vec<_> = world.arrivals().into_iter().map(|it| it.target).collect();
    // The third is no operation that the catalogue knows, so it stays here.
    assert_eq!(arrived, [targets[0], targets[1], targets[3], targets[4]]);
    world.end().await;
}

#[tokio::test]
async fn an_escaped_path_is_matched_decoded_and_sent_as_received() {
    let world = World::new().await;
    let target = "/%762/organ%69zations?x=%79";

    let answer = world.get("reports", target).await;

    answer.is(200);
    assert_eq!(world.arrivals()[0].target, target);
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["operation"], "getOrganizations");
    world.end().await;
}

fn two_tenants() -> super::world::Plan {
    World::plan()
        .set("tenant.globex", "url", "\"http://127.0.0.1:9\"")
        .set(
            "tenant.globex",
            "service",
            "{ client_id = \"x\", client_secret = { file = \"acme.secret\" } }",
        )
        .caller("acme-only", "allow = [\"read\"]\ntenants = [\"acme\"]")
        .caller("both", "allow = [\"read\"]")
}

async fn with_acme(world: &World) {
    until("a token of acme", async || {
        let status = world.status().await;
        let acme =
            |(name, it): &(String, serde_json::Value)| name == "acme" && it["state"] == "valid";
        identities(&status).iter().any(acme)
    })
    .await;
}

#[tokio::test]
async fn a_tenant_is_chosen_by_base_path_or_header_and_neither_arrives() {
    let world = two_tenants().build();
    with_acme(&world).await;

    let default = world.get("acme-only", "/v2/users?a=1").await;
    let by_path = world.get("both", "/tenant/acme/v2/users?a=2").await;
    let by_alias = world.get("both", "/tenant/acme/api/v2/users?a=3").await;
    let by_header = world.ask("both", "GET", "/v2/users?a=4");
    let by_header = by_header.header("NJP-Tenant", "acme").send().await;

    for answer in [default, by_path, by_alias, by_header] {
        answer.is(200);
        let line = world.outcome(answer.id()).await;
        assert_eq!(line["tenant"], "acme");
    }
    let arrived: Vec<_> = world.arrivals().into_iter().map(|it| it.target).collect();
    let expected = [
        "/v2/users?a=1",
        "/v2/users?a=2",
        "/api/v2/users?a=3",
        "/v2/users?a=4",
    ];
    assert_eq!(arrived, expected);
    world.end().await;
}

#[tokio::test]
async fn a_tenant_that_is_not_the_callers_is_unknown_and_a_missing_choice_is_refused() {
    let world = two_tenants().build();
    with_acme(&world).await;
    let refused: Vec<Answer> = vec![
        world.get("acme-only", "/tenant/globex/v2/users").await,
        world.get("both", "/v2/users").await,
        world.get("both", "/tenant/initech/v2/users").await,
        world
            .ask("both", "GET", "/tenant/acme/v2/users")
            .header("NJP-Tenant", "globex")
            .send()
            .await,
    ];

    for answer in &refused {
        answer.refuses(404, "tenant-unknown");
    }
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn an_upload_streams_through_while_it_is_still_being_sent() {
    let world = World::new().await;
    let chunk = vec![b'u'; 256 * 1024];
    let (chunks, mut hash) = (96, aws_lc_rs::digest::Context::new(&SHA256));
    let length = chunks * chunk.len();
    let key = world.key("operator").to_owned();
    let mut wire = world.wire().await;

    wire.send(format!(
        "POST /v2/attachments/temp/upload HTTP/1.1\r\nHost: {}\r\nX-Api-Key: {key}\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n",
        world.callers,
    ))
    .await;
    for _ in 0..chunks {
        hash.update(&chunk);
        wire.send(&chunk).await;
    }
    let answer = wire.answer().await.unwrap();

    assert!(answer.status < 300, "{}", answer.text());
    let seen = world.ninja().requests();
    let upload = seen.last().unwrap();
    assert_eq!(upload.body_bytes, length as u64);
    assert_eq!(*upload.body_sha256, *hex(hash.finish().as_ref()));
    assert_eq!(world.saw().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_chunked_body_arrives_whole_without_its_trailers() {
    let world = World::new().await;
    let key = world.key("operator").to_owned();
    let mut wire = world.wire().await;

    wire.send(format!(
        "PATCH /v2/device/101 HTTP/1.1\r\nHost: {}\r\nX-Api-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\n\
         9\r\n{{\"display\r\n4;ext=1\r\nName\r\na\r\n\":\"pc-17\"}}\r\n0\r\nX-Trailer: 1\r\n\r\n",
        world.callers,
    ))
    .await;
    let answer = wire.answer().await.unwrap();

    answer.is(204);
    let seen = world.ninja().requests();
    let body = br#"{"displayName":"pc-17"}"#;
    let hash = hex(digest(&SHA256, body).as_ref());
    assert_eq!(*seen.last().unwrap().body_sha256, *hash);
    let device = world.get("reports", "/v2/device/101").await;
    assert_eq!(device.json()["displayName"], "pc-17");
    world.end().await;
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body_is_sent() {
    let world = World::new().await;
    let key = world.key("operator").to_owned();
    let mut wire = world.wire().await;

    wire.send(format!(
        "PATCH /v2/device/101 HTTP/1.1\r\nHost: {}\r\nX-Api-Key: {key}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        world.callers,
    ))
    .await;
    let status = wire.head().await.unwrap().status;
    wire.send("{}").await;

    assert_eq!(status, 100);
    wire.answer().await.unwrap().is(204);
    world.end().await;
}

#[tokio::test]
async fn a_refused_request_is_answered_without_asking_for_its_body() {
    let world = World::new().await;
    let key = world.key("reports").to_owned();
    let mut wire = world.wire().await;

    wire.send(format!(
        "PATCH /v2/device/101 HTTP/1.1\r\nHost: {}\r\nX-Api-Key: {key}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        world.callers,
    ))
    .await;
    let answer = wire.answer().await.unwrap();

    answer.refuses(403, "policy-denied");
    world.end().await;
}

#[tokio::test]
async fn requests_in_a_row_are_served_on_one_connection() {
    let world = World::new().await;
    let mut wire = world.wire().await;

    for number in 0..50 {
        let ask = world.ask("reports", "GET", &format!("/v2/users?n={number}"));
        ask.send_on(&mut wire).await.unwrap().is(200);
    }
    let pipelined: Vec<u8> = (0..5)
        .flat_map(|n| {
            world
                .ask("reports", "GET", &format!("/v2/users?p={n}"))
                .bytes()
        })
        .collect();
    wire.send(pipelined).await;
    for _ in 0..5 {
        wire.answer().await.unwrap().is(200);
    }

    assert_eq!(world.saw().len(), 55);
    world.end().await;
}

#[tokio::test]
async fn a_long_answer_streams_to_a_caller_that_reads_it_late() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    let ask = world.ask("reports", "GET", "/v2/queries/software?pageSize=10000");

    wire.send(ask.bytes()).await;
    world.ninja().wait_for_requests(2).await;
    let answer = tokio::time::timeout(Duration::from_secs(10), wire.answer())
        .await
        .unwrap()
        .unwrap();

    answer.is(200);
    assert!(answer.body.len() > 1_000_000, "{}", answer.body.len());
    assert_eq!(answer.json()["results"].as_array().unwrap().len(), 10_000);
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["bytes_out"], answer.body.len());
    world.end().await;
}
