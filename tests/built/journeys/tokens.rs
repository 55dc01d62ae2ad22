//! Tokens from first to last: callers notice nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use ninjaone_proxy::ninjaone::operation::Scope;
use tokio::task::JoinSet;

use crate::{answer::Answer, wait::until};

use super::{
    hostile::{Act, Hostile},
    proxy_client::ProxyClient,
    world::World,
};

/// Callers that never pause; they stop when told to and give back every answer that was not a success.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<(usize, Vec<Answer>)>,
}

impl Load {
    fn start(client: &ProxyClient) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut tasks = JoinSet::new();
        for caller in 0..5 {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            let ask = match caller {
                0 => client.ask("operator", "PATCH", "/v2/device/101").body("{}"),
                _ => client.ask("reports", "GET", "/v2/organizations"),
            };
            tasks.spawn(async move {
                let (mut count, mut failed) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    count += 1;
                    let mut wire = client.wire().await;
                    for _ in 0..10 {
                        let answer = ask.send_on(&mut wire).await.expect("an answer");
                        if answer.status >= 300 {
                            failed.push(answer);
                        }
                    }
                }
                (count, failed)
            });
        }
        Self { stop, tasks }
    }

    async fn ends_without_a_failure(self) {
        self.stop.store(true, Ordering::Relaxed);
        for (count, failed) in self.tasks.join_all().await {
            assert!(count > 0);
            if let Some(first) = failed.first() {
                panic!("{} failed: {} {}", failed.len(), first.status, first.text());
            }
        }
    }
}

#[tokio::test]
async fn over_several_token_lives_no_request_fails() {
    let plan = World::plan().token_life(Duration::from_secs(2));
    let world = plan.start().await;
    let load = Load::start(&world);

    until("six tokens", async || world.ninja().token_calls() >= 6).await;

    load.ends_without_a_failure().await;
    let refused: Vec<_> = world
        .saw()
        .into_iter()
        .filter(|it| it.ends_with("401"))
        .collect();
    assert_eq!(refused, Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn while_the_token_is_valid_a_token_endpoint_that_is_down_costs_nothing() {
    let plan = World::plan()
        .set(
            "tenant.acme",
            "service",
            "{ client_id = \"journeys-client\", client_secret = { file = \"acme.secret\" }, refresh_at = \"5%\" }",
        )
        .token_life(Duration::from_secs(20));
    let world = plan.start().await;
    world.trouble(r#"{"token":"503"}"#);
    let load = Load::start(&world);

    until("renewals that fail", async || {
        world.ninja().token_calls() >= 3
    })
    .await;

    load.ends_without_a_failure().await;
    let metrics = world.admin("/metrics").await.text();
    assert!(metrics.contains("ninjaone_proxy_token_renewals_total"));
    world.end().await;
}

#[tokio::test]
async fn an_expired_token_is_never_sent_and_service_is_back_soon_after_the_endpoint() {
    let plan = World::plan().token_life(Duration::from_secs(2));
    let world = plan.start().await;
    world.get("reports", "/v2/users").await.is(200);
    world.trouble(r#"{"token":"503"}"#);
    let mut refused = None;
    until("the token to expire", async || {
        let answer = world.get("reports", "/v2/users").await;
        refused = Some(answer.clone());
        answer.status != 200
    })
    .await;

    refused
        .unwrap()
        .refuses(503, "token-unavailable")
        .retry_after();
    let before = world.saw().len();
    for _ in 0..20 {
        let answer = world.get("reports", "/v2/users").await;
        answer.refuses(503, "token-unavailable").retry_after();
    }
    assert_eq!(world.saw().len(), before);
    assert!(world.saw().iter().all(|it| it.ends_with("200")));
    let ready = world.admin("/readyz").await;
    assert_eq!(ready.status, 503);

    world.no_trouble();
    let since = Instant::now();
    until("service", async || {
        world.get("reports", "/v2/users").await.status == 200
    })
    .await;
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    world.end().await;
}

#[tokio::test]
async fn a_thousand_requests_at_the_start_make_one_token_call() {
    let world = World::plan()
        .set("listen", "connections_per_peer", "4000")
        .set("limits.upstream", "concurrency", "1000")
        .faults(r#"{"token":"slow:700"}"#)
        .build();
    let mut tasks = JoinSet::new();
    for _ in 0..1000 {
        let client = world.client();
        tasks.spawn(async move { client.get("reports", "/v2/users").await });
    }

    let answers = tasks.join_all().await;

    for answer in answers {
        answer.is(200);
    }
    assert_eq!(world.ninja().token_calls(), 1);
    assert_eq!(world.saw().len(), 1000);
    world.end().await;
}

#[tokio::test]
async fn a_storm_of_401_makes_one_renewal_and_every_read_succeeds() {
    let world = World::new().await;
    world.ninja().revoke_all_tokens();
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let client = world.client();
        tasks.spawn(async move { client.get("reports", "/v2/users").await });
    }

    let answers = tasks.join_all().await;

    for answer in answers {
        answer.is(200);
    }
    assert_eq!(world.ninja().token_calls(), 2);
    let saw = world.saw();
    let rejected = saw.iter().filter(|it| it.ends_with("401")).count();
    assert!((1..=100).contains(&rejected), "{rejected}");
    assert_eq!(saw.len(), 100 + rejected);
    world.end().await;
}

#[tokio::test]
async fn a_rejected_token_is_renewed_once_and_the_caller_never_notices() {
    let world = World::new().await;
    world.ninja().revoke_all_tokens();

    let answer = world.get("reports", "/v2/users").await;

    answer.is(200);
    assert_eq!(world.saw(), ["GET /v2/users 401", "GET /v2/users 200"]);
    assert_eq!(world.outcome(answer.id()).await["attempts"], 2);
    world.end().await;
}

#[tokio::test]
async fn a_token_that_is_rejected_with_a_page_is_renewed_once_too() {
    let page = "<html>Unauthorized</html>";
    let rejected = format!(
        "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    );
    let accepted =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]";
    let hostile = Hostile::start(move |got| {
        let answer = if got.number == 1 {
            rejected.as_str()
        } else {
            accepted
        };
        Act::Keep(answer.as_bytes().to_vec())
    })
    .await;
    let world = World::in_front_of(hostile).await;

    let answer = world.get("reports", "/v2/users").await;

    answer.is(200);
    assert_eq!(answer.text(), "[]");
    assert_eq!(world.arrivals().len(), 2);
    assert_eq!(world.outcome(answer.id()).await["attempts"], 2);
    let status = world.admin("/status").await.json();
    let identity = &status["tenants"][0]["identities"][0];
    assert_eq!(identity["generation"], 2, "one token more: {identity}");
    world.end().await;
}

#[tokio::test]
async fn a_write_with_a_rejected_token_is_not_sent_again_and_the_next_one_is_done() {
    let world = World::new().await;
    world.ninja().revoke_all_tokens();

    let first = world.post("operator", "/v2/organizations", "{}").await;

    first.refuses(502, "upstream-bad-answer");
    assert_eq!(first.header("www-authenticate"), None);
    assert_eq!(world.saw(), ["POST /v2/organizations 401"]);
    until("another token", async || world.ninja().token_calls() == 2).await;
    world.has_token().await;
    let made = "{\"name\":\"Fresh\"}";
    until("the new token in use", async || {
        world
            .post("operator", "/v2/organizations", made)
            .await
            .status
            == 200
    })
    .await;
    assert_eq!(world.ninja().token_calls(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_missing_privilege_is_a_403_and_no_reason_for_another_token() {
    let world = World::new().await;
    world.trouble(r#"{"insufficient_privileges":true}"#);

    for method in ["GET", "POST"] {
        let answer = world
            .ask("operator", method, "/v2/organizations")
            .send()
            .await;
        answer.refuses(403, "insufficient-privileges");
        assert_eq!(answer.json()["error"], "insufficient_privileges");
    }

    assert_eq!(world.ninja().token_calls(), 1);
    assert_eq!(world.saw().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_ninjaone_that_rejects_every_token_is_not_asked_without_end() {
    let body = r#"{"error":"not_authenticated","error_code":10}"#;
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nWWW-Authenticate: Bearer\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let hostile = Hostile::start(move |_| Act::Keep(answer.as_bytes().to_vec())).await;
    let world = World::in_front_of(hostile).await;

    let first = world.get("reports", "/v2/users").await;
    let second = world.get("reports", "/v2/users").await;

    first.refuses(502, "upstream-bad-answer");
    assert_eq!(first.header("www-authenticate"), None);
    assert!(second.status == 502 || second.status == 503);
    assert!(world.arrivals().len() <= 4, "{}", world.arrivals().len());
    world.end().await;
}

#[tokio::test]
async fn an_application_of_another_region_is_told_apart_and_asked_seldom() {
    let service =
        "{ client_id = \"of-another-region\", client_secret = { file = \"acme.secret\" } }";
    let world = World::plan().set("tenant.acme", "service", service).build();
    until("the first refusal", async || {
        world.ninja().token_calls() == 1
    })
    .await;

    let answer = world.get("reports", "/v2/users").await;

    answer.refuses(503, "token-unavailable").retry_after();
    let lines = world.lines().await;
    let told = lines.iter().find(|it| it["type"] == "token").unwrap();
    assert_eq!(told["result"], "refused");
    assert_eq!(world.ninja().token_calls(), 1);
    world.end().await;
}

#[tokio::test]
async fn an_application_without_a_scope_is_refused_what_needs_it_and_nothing_else() {
    let world = World::plan().scopes(&[Scope::Monitoring]).start().await;

    world.get("operator", "/v2/users").await.is(200);
    let write = world.post("operator", "/v2/organizations", "{}").await;

    write.refuses(403, "insufficient-privileges");
    assert_eq!(world.ninja().token_calls(), 1);
    world.end().await;
}
