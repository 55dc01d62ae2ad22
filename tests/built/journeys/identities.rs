//! Which identity carries a request to NinjaOne, and what happens when NinjaOne wants a user.

use std::io::Write as _;

use ninjaone_proxy::sandbox::SandboxOptions;

use crate::{proxy::identities, wait::until};

use super::{
    hostile::{Act, Hostile},
    proxy_client::Ask,
    user_login::UserLogin,
    world::{Plan, World},
};

const RUN_SCRIPT: &str = "/v2/device/101/script/run";
const REFUSAL: &str = r#"{"error":"user_context_required","error_description":"Access key does not have user context which is required for this request","error_code":5}"#;

/// NinjaOne wants a user for these, and the catalogue does not know.
fn wanting_a_person_for(ids: &[&str]) -> Plan {
    World::plan().sandbox(SandboxOptions {
        user_only_operations: ids.iter().map(|it| (*it).to_owned()).collect(),
        ..SandboxOptions::default()
    })
}

fn organization(world: &World, name: &str) -> Ask {
    world
        .ask("operator", "POST", "/v2/organizations")
        .header("Content-Type", "application/json")
        .body(format!("{{\"name\":\"{name}\"}}"))
}

async fn learned(world: &World) -> serde_json::Value {
    let status = world.admin("/status").await.json();
    status["tenants"][0]["learned_user_operations"].clone()
}

#[tokio::test]
async fn an_operation_that_needs_a_person_goes_as_the_person_at_once() {
    let world = World::plan().user(UserLogin::LoggedIn).start().await;

    let answer = world.post("operator", RUN_SCRIPT, r#"{"id":1}"#).await;

    assert!(answer.status < 300, "{}", answer.text());
    let line = world.outcome(answer.id()).await;
    assert_eq!(
        (&line["identity"], &line["attempts"]),
        (&"user".into(), &1.into())
    );
    assert_eq!(learned(&world).await, serde_json::json!([]));
    world.end().await;
}

#[tokio::test]
async fn a_read_that_turns_out_to_need_a_person_is_sent_again_and_remembered() {
    let world = wanting_a_person_for(&["getDevices"])
        .user(UserLogin::LoggedIn)
        .start()
        .await;

    let first = world.get("reports", "/v2/devices?pageSize=2").await;
    let second = world.get("reports", "/v2/devices?pageSize=2").await;

    first.is(200);
    second.is(200);
    assert_eq!(first.text(), second.text());
    let went = async |id: &str| {
        let line = world.outcome(id).await;
        (line["identity"].clone(), line["attempts"].clone())
    };
    assert_eq!(went(first.id()).await, ("user".into(), 2.into()));
    assert_eq!(went(second.id()).await, ("user".into(), 1.into()));
    assert_eq!(learned(&world).await, serde_json::json!(["getDevices"]));
    let others = world.get("reports", "/v2/organizations").await;
    assert_eq!(went(others.id()).await, ("service".into(), 1.into()));
    world.end().await;
}

#[tokio::test]
async fn a_write_is_sent_again_whole_and_its_intent_was_on_record_before() {
    let world = wanting_a_person_for(&["createOrganization"])
        .user(UserLogin::LoggedIn)
        .start()
        .await;

    let answer = organization(&world, "Fabrikam").send().await;

    assert!(answer.status < 300, "{}", answer.text());
    assert_eq!(answer.json()["name"], "Fabrikam");
    let lines = world.lines().await;
    let of_it = lines.iter().filter(|it| it["request"] == answer.id());
    let told: Vec<_> = of_it
        .map(|it| {
            (
                it["type"].as_str().unwrap(),
                it["identity"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("intent", "service"), ("outcome", "user")]);
    let line = world.outcome(answer.id()).await;
    assert_eq!(line["attempts"], 2);
    assert_eq!(line["bytes_in"], r#"{"name":"Fabrikam"}"#.len());
    world.end().await;
}

#[tokio::test]
async fn a_body_that_comes_in_pieces_is_sent_again_whole() {
    let world = wanting_a_person_for(&["createOrganization"])
        .user(UserLogin::LoggedIn)
        .start()
        .await;
    let body = r#"{"name":"Fabrikam"}"#;
    let (one, two) = body.split_at(7);
    let key = world.key("operator");
    let mut wire = world.wire().await;

    wire.send(format!(
        "POST /v2/organizations HTTP/1.1\r\nHost: {}\r\nX-Api-Key: {key}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        world.callers
    ))
    .await;
    for chunk in [one, two] {
        tokio::task::yield_now().await;
        wire.send(format!("{:x}\r\n{chunk}\r\n", chunk.len())).await;
    }
    wire.send("0\r\n\r\n").await;
    let answer = wire.answer().await.unwrap();

    assert_eq!(answer.json()["name"], "Fabrikam", "{}", answer.text());
    world.end().await;
}

#[tokio::test]
async fn the_second_sending_has_a_permit_of_its_own_and_costs_no_retry() {
    let world = wanting_a_person_for(&["createOrganization", "getDevices"])
        .set("limits.upstream", "concurrency", "1")
        .set("retry", "attempts", "1")
        .user(UserLogin::LoggedIn)
        .start()
        .await;

    let write = organization(&world, "Fabrikam").send().await;
    let read = world.get("reports", "/v2/devices").await;

    assert!(write.status < 300, "{}", write.text());
    read.is(200);
    world.end().await;
}

#[tokio::test]
async fn many_requests_may_find_it_out_at_once() {
    let world = wanting_a_person_for(&["createOrganization"])
        .user(UserLogin::LoggedIn)
        .start()
        .await;
    let asks = (0..20).map(|number| {
        let ask = organization(&world, &format!("Customer {number}"));
        tokio::spawn(async move { ask.send().await })
    });

    for (number, asking) in asks.collect::<Vec<_>>().into_iter().enumerate() {
        let answer = asking.await.unwrap();
        assert_eq!(answer.json()["name"], format!("Customer {number}"));
        assert_eq!(world.outcome(answer.id()).await["identity"], "user");
    }
    world.end().await;
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_body_is_whole_waits_for_the_rest() {
    let refusal = with_length("403 Forbidden", REFUSAL);
    let done = with_length("201 Created", "{}");
    let hostile = Hostile::hasty(move |got| match got.number {
        1 => Act::Hear(refusal.clone()),
        _ => Act::Hear(done.clone()),
    });
    let world = World::plan()
        .behind(hostile.await)
        .user(UserLogin::LoggedIn)
        .start()
        .await;
    // Longer than what is waited for before anything is sent, shorter than what is kept.
    let ask = organization(&world, &"F".repeat(100 * 1024)).bytes();
    let (head, body) = ask.split_at(ask.len() - 5);
    let mut wire = world.wire().await;

    wire.send(head).await;
    until("the first sending", async || world.arrivals().len() == 1).await;
    wire.send(body).await;
    let answer = wire.answer().await.unwrap();

    answer.is(201);
    assert_eq!(world.arrivals().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn whoever_is_refused_as_the_person_too_gets_that_answer() {
    let refusal = with_length("403 Forbidden", REFUSAL);
    let hostile = Hostile::start(move |_| Act::Keep(refusal.clone())).await;
    let world = World::plan()
        .behind(hostile)
        .user(UserLogin::LoggedIn)
        .start()
        .await;

    let answer = world.get("reports", "/v2/devices").await;

    answer.is(403);
    assert_eq!(answer.body, REFUSAL.as_bytes());
    assert_eq!(world.outcome(answer.id()).await["attempts"], 2);
    world.end().await;
}

#[tokio::test]
async fn a_body_that_is_too_long_to_keep_is_to_be_sent_by_the_caller_again() {
    let world = wanting_a_person_for(&["createOrganization"])
        .user(UserLogin::LoggedIn)
        .start()
        .await;
    let long = organization(&world, &"x".repeat(300 * 1024));

    let answer = long.send().await;

    answer.refuses(503, "send-again");
    assert_eq!(answer.retry_after(), 1);
    let line = world.outcome(answer.id()).await;
    assert_eq!(
        (&line["identity"], &line["attempts"]),
        (&"service".into(), &1.into())
    );
    let again = long.send().await;
    assert!(again.status < 300, "{}", again.text());
    world.end().await;
}

#[tokio::test]
async fn without_a_user_identity_the_caller_is_told_whom_to_ask_and_the_operator_what_to_configure()
{
    let plan = wanting_a_person_for(&["getDevices"]);
    let world = plan.set("telemetry.log", "level", "\"info\"").start().await;

    let answer = world.get("reports", "/v2/devices").await;
    let known = world.post("operator", RUN_SCRIPT, "{}").await;

    for (answer, operation) in [(&answer, "getDevices"), (&known, "runScriptOnDevice")] {
        answer.refuses(503, "login-needed");
        assert_eq!(answer.header("retry-after"), None);
        let body = answer.json();
        let detail = body["detail"].as_str().unwrap();
        assert!(
            detail.contains(operation) && detail.contains("the user identity of tenant acme"),
            "{detail}"
        );
        let hint = body["hint"].as_str().unwrap();
        assert!(hint.starts_with("Ask the operator of this proxy"), "{hint}");
        assert!(hint.ends_with(answer.id()), "{hint}");
        until("the line for operators", async || {
            let lines = world.log().with(&["request", answer.id()]);
            lines.iter().any(|it| {
                it.contains("Add [tenant.acme.user] to the configuration, then run 'ninjaone-proxy --config ")
                    && it.contains(" login acme'.")
            })
        })
        .await;
    }
    // The first went to NinjaOne and was refused there, the second never left.
    let (first, second) = (
        world.outcome(answer.id()).await,
        world.outcome(known.id()).await,
    );
    assert_eq!(
        (&first["identity"], &first["attempts"]),
        (&"service".into(), &1.into())
    );
    assert_eq!(
        (&second["identity"], &second["attempts"]),
        (&"user".into(), &0.into())
    );
    assert_eq!(second["decision"], "login-needed");
    assert_eq!(learned(&world).await, serde_json::json!(["getDevices"]));
    world.end().await;
}

#[tokio::test]
async fn a_person_without_a_token_for_now_is_worth_waiting_for() {
    let world = wanting_a_person_for(&["getDevices"])
        .user(UserLogin::WithoutToken)
        .faults(r#"{"token":"503","token_grant":"refresh_token"}"#)
        .build();
    until(
        "the service's token, and a refusal of the user's",
        async || {
            let status = world.status().await;
            let all = identities(&status);
            let of = |kind: &str| &all.iter().find(|(_, it)| it["identity"] == kind).unwrap().1;
            of("service")["state"] == "valid" && of("user")["last_error"].is_string()
        },
    )
    .await;

    let answer = world.get("reports", "/v2/devices").await;

    answer.refuses(503, "token-unavailable").retry_after();
    assert!(answer.json()["detail"].as_str().unwrap().contains("user"));
    world.end().await;
}

#[tokio::test]
async fn what_is_pinned_to_the_service_gets_ninjaones_refusal_as_it_is() {
    let world = wanting_a_person_for(&["getDevices"])
        .caller("reports", "allow = [\"read\"]\nidentity = \"service\"")
        .user(UserLogin::LoggedIn)
        .start()
        .await;

    let answer = world.get("reports", "/v2/devices").await;

    answer.is(403);
    assert_eq!(answer.json()["error"], "user_context_required");
    assert_eq!(world.outcome(answer.id()).await["identity"], "service");
    assert_eq!(learned(&world).await, serde_json::json!([]));
    world.end().await;
}

#[tokio::test]
async fn what_is_pinned_to_the_user_goes_as_the_user_by_policy_or_caller() {
    let world = World::plan()
        .also("[policy.as-user]\nallow = [\"getDevices\"]\nidentity = \"user\"")
        .caller(
            "helpdesk",
            "policy = [\"as-user\"]\nallow = [\"getOrganizations\"]",
        )
        .caller("robot", "policy = [\"as-user\"]\nidentity = \"service\"")
        .user(UserLogin::LoggedIn)
        .start()
        .await;

    for (caller, target, identity) in [
        ("helpdesk", "/v2/devices", "user"),
        ("helpdesk", "/v2/organizations", "service"),
        ("robot", "/v2/devices", "service"),
    ] {
        let answer = world.get(caller, target).await;
        answer.is(200);
        let line = world.outcome(answer.id()).await;
        assert_eq!(line["identity"], identity, "{caller} {target}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_tenant_with_a_person_alone_goes_as_the_person() {
    let plan = World::plan().user(UserLogin::LoggedIn);
    let world = plan.set("tenant.acme", "service", "").start().await;

    let answer = world.get("reports", "/v2/devices").await;

    answer.is(200);
    assert_eq!(world.outcome(answer.id()).await["identity"], "user");
    world.end().await;
}

#[tokio::test]
async fn what_was_learned_outlives_a_reload_and_ends_with_the_catalogue() {
    let world = wanting_a_person_for(&["getDevices"]).start().await;
    world.get("reports", "/v2/devices").await.is(503);

    world.rewrite(|toml| toml.replace("\"64\"", "\"63\"").replace("= 64", "= 63"));
    world.reload().await;
    assert_eq!(learned(&world).await, serde_json::json!(["getDevices"]));

    world.rewrite(|toml| {
        format!(
            "{toml}\n[[operation]]\nmethod = \"GET\"\npath = \"/v2/new\"\nid = \"getNew\"\nclass = \"read\"\nscope = \"monitoring\"\n"
        )
    });
    world.reload().await;
    assert_eq!(learned(&world).await, serde_json::json!([]));
    world.end().await;
}

#[tokio::test]
async fn an_operation_of_ones_own_may_need_a_person() {
    let world = World::plan()
        .also("[[operation]]\nmethod = \"GET\"\npath = \"/v2/new\"\nid = \"getNew\"\nclass = \"read\"\nscope = \"monitoring\"\nidentity = \"user\"")
        .start()
        .await;

    let answer = world.get("reports", "/v2/new").await;

    answer.refuses(503, "login-needed");
    world.end().await;
}

#[tokio::test]
async fn any_other_403_comes_back_byte_for_byte() {
    let json = br#"{ "error" : "access_denied" }"#.to_vec();
    let long = [
        br#"{"error":"user_context_required","x":""#.to_vec(),
        vec![b'x'; 20_000],
        b"\"}".to_vec(),
    ]
    .concat();
    let packed = gzip(REFUSAL.as_bytes());
    for (encoding, body) in [
        ("", json),
        ("", b"no json at all".to_vec()),
        ("", Vec::new()),
        ("", long),
        ("Content-Encoding: gzip\r\n", packed),
    ] {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n{encoding}Content-Length: {length}\r\n\r\n"
        );
        let chunked_head = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n{encoding}Transfer-Encoding: chunked\r\n\r\n"
        );
        let with_length = [head.as_bytes(), &body].concat();
        let chunks: Vec<u8> = body.chunks(700).flat_map(chunk).collect();
        let chunked = [chunked_head.as_bytes(), &chunks, b"0\r\n\r\n"].concat();
        let answers = [with_length, chunked];
        let hostile = Hostile::start(move |got| Act::Keep(answers[(got.number - 1) % 2].clone()));
        let world = World::in_front_of(hostile.await).await;

        for _ in 0..2 {
            let answer = world.get("reports", "/v2/devices").await;
            answer.is(403);
            assert_eq!(answer.body, body);
            let is_packed = answer.header("content-encoding").is_some();
            assert_eq!(is_packed, !encoding.is_empty());
            let line = world.outcome(answer.id()).await;
            assert_eq!(
                (&line["status"], &line["attempts"]),
                (&403.into(), &1.into())
            );
            assert_eq!(line["bytes_out"], body.len());
        }
        assert_eq!(learned(&world).await, serde_json::json!([]));
        world.end().await;
    }
}

#[tokio::test]
async fn a_403_that_breaks_off_is_cut_where_it_broke() {
    let broken = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"error\"".to_vec();
    let hostile = Hostile::start(move |_| Act::Say(broken.clone())).await;
    let world = World::in_front_of(hostile).await;

    let answer = world.get("reports", "/v2/devices").await;

    assert_eq!((answer.status, answer.whole), (403, false));
    let line = world.outcome(answer.id()).await;
    assert_eq!(
        (&line["status"], &line["error"]),
        (&403.into(), &"cut".into())
    );
    world.end().await;
}

fn with_length(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = Vec::new();
    write!(chunk, "{:x}\r\n", data.len()).unwrap();
    chunk.extend(data);
    chunk.extend(b"\r\n");
    chunk
}

/// A gzip member (RFC 1952) with one stored block.
fn gzip(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(data);
    // Nobody here checks the sum.
    packed.extend([0; 4]);
    packed.extend(u32::from(length).to_le_bytes());
    packed
}
