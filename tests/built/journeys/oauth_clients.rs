//! What OAuth clients as they are do to our own token endpoint: they keep a token over our restarts, escape their credentials,
//! send a stale token beside good ones, log in by the hundred, discover where to ask, and give tokens back.

use std::{
    fs,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ninjaone_proxy::clock::Timestamp;
use serde_json::json;

use crate::{
    answer::Answer,
    program::{Program, free_address},
    proxy::ListenerAddresses,
    wait::until,
    wire::Answered,
};

use super::{
    proxy_client::{Ask, ProxyClient},
    token_endpoint::{bearer, credentials, form, form_at},
    world::World,
};

const DISCOVERY: &str = "/.well-known/oauth-authorization-server";

async fn log_in(client: &ProxyClient, caller: &str) -> Answer {
    let answer = form(client, &credentials(client, caller)).send().await;
    answer.is(200);
    answer
}

fn token(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn basic(name: &str, key: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{key}")))
}

/// Every byte but letters and digits escaped, as openid-client and Go do it, and some of these as well.
fn escaped(text: &str) -> String {
    let escape = |b: u8| match b {
        b'a'..=b'm' | b'0'..=b'9' => char::from(b).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn revoke(client: &ProxyClient, caller: &str, token: &str) -> Ask {
    let credentials = credentials(client, caller);
    form_at(
        client,
        "/ws/oauth/revoke",
        &format!("{credentials}&token={token}"),
    )
}

/// Two tokens of one caller, of which the first is revoked.
async fn one_revoked_of_two(client: &ProxyClient) -> (Answer, Answer) {
    let (revoked, kept) = (
        log_in(client, "reports").await,
        log_in(client, "reports").await,
    );
    let ended = revoke(client, "reports", &token(&revoked)).send().await;
    ended.is(200);
    (revoked, kept)
}

/// A second program in the same directory: it shares the store, and nothing else.
fn neighbour(world: &World) -> (Program, ProxyClient) {
    let at = ListenerAddresses {
        callers: free_address(),
        admin: free_address(),
    };
    let toml = fs::read_to_string(world.directory().config()).unwrap();
    let line = |line: &str| match line.split(" = ").next() {
        Some("http") => format!("http = [\"{}\"]\n", at.callers),
        Some("listen") => format!("listen = \"{}\"\n", at.admin),
        _ => format!("{}\n", line.replace("\"audit\"", "\"other-audit\"")),
    };
    world
        .directory()
        .write("other.toml", toml.lines().map(line).collect::<String>());
    let mut program = Program::start(&world.directory().join("other.toml"));
    program.answers_at(at.admin);
    let client = ProxyClient {
        at,
        answered: Answered::default(),
        ..world.client()
    };
    (program, client)
}

#[tokio::test]
async fn a_restart_keeps_the_tokens_and_the_revoked_ones_where_there_is_a_store() {
    let mut world = World::plan().store().start().await;
    let [kept, given_back] = [
        log_in(&world, "reports").await,
        log_in(&world, "reports").await,
    ];
    revoke(&world, "reports", &token(&given_back))
        .send()
        .await
        .is(200);

    for _ in 0..2 {
        world.start_again().await;
        bearer(&world, &kept, "/v2/users").send().await.is(200);
        let dead = bearer(&world, &given_back, "/v2/users").send().await;
        dead.refuses(401, "unauthenticated");
        let line = world.outcome(dead.id()).await;
        assert_eq!(line["error"], "revoked-token");
    }
    let names = fs::read_dir(world.directory().join("store")).unwrap();
    let names: Vec<_> = names
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.contains(&"caller-tokens.key".to_owned()), "{names:?}");
    assert!(!names.contains(&"caller-tokens.draft".to_owned()));
    world.end().await;
}

/// Two programs on one store, as during a change of version: tokens of one are good at the other, and end there as well.
#[tokio::test]
async fn programs_that_share_a_store_share_tokens_and_what_is_revoked() {
    let world = World::plan().store().start().await;
    let (program, neighbour) = neighbour(&world);
    let [mine, theirs] = [
        log_in(&world, "reports").await,
        log_in(&neighbour, "reports").await,
    ];
    for client in [&world as &ProxyClient, &neighbour] {
        for answer in [&mine, &theirs] {
            bearer(client, answer, "/v2/users").send().await.is(200);
        }
    }

    revoke(&world, "reports", &token(&theirs))
        .send()
        .await
        .is(200);
    revoke(&neighbour, "reports", &token(&mine))
        .send()
        .await
        .is(200);

    for client in [&world as &ProxyClient, &neighbour] {
        for answer in [&mine, &theirs] {
            until("it has ended everywhere", async || {
                bearer(client, answer, "/v2/users").send().await.status == 401
            })
            .await;
        }
    }
    drop(program);
    world.end().await;
}

#[tokio::test]
async fn without_a_store_a_restart_ends_the_tokens() {
    let mut world = World::new().await;
    let before = log_in(&world, "reports").await;
    bearer(&world, &before, "/v2/users").send().await.is(200);

    world.start_again().await;

    let dead = bearer(&world, &before, "/v2/users").send().await;
    dead.refuses(401, "unauthenticated");
    let after = log_in(&world, "reports").await;
    bearer(&world, &after, "/v2/users").send().await.is(200);
    world.end().await;
}

/// The key of tokens that nobody can open costs a login each; the proxy serves on, and says so.
#[tokio::test]
async fn a_damaged_key_of_the_tokens_is_said_and_does_not_stop_the_proxy() {
    let mut world = World::plan().store().start().await;
    let before = log_in(&world, "reports").await;
    let file = world.directory().join("store/caller-tokens.key");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();

    world.start_again().await;

    let dead = bearer(&world, &before, "/v2/users").send().await;
    dead.refuses(401, "unauthenticated");
    log_in(&world, "reports").await;
    until("the log names the file", async || {
        world.log().text().contains("caller-tokens.key")
    })
    .await;
    let status = world.status().await;
    assert_eq!(status["health"], "degraded");
    let said = status["degraded"].to_string();
    assert!(said.contains("caller-tokens.key"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), bytes, "it is evidence");

    // Once it is removed, the key in use takes its place: nobody has to log in again.
    let kept = log_in(&world, "reports").await;
    fs::remove_file(&file).unwrap();
    until("the status is healthy", async || {
        world.status().await["health"] == "healthy"
    })
    .await;
    world.start_again().await;
    bearer(&world, &kept, "/v2/users").send().await.is(200);
    world.end().await;
}

/// Without what is revoked, the stored key would bring revoked tokens back to life: it waits for that file.
#[tokio::test]
async fn while_the_revoked_tokens_cannot_be_read_no_earlier_token_is_taken() {
    let mut world = World::plan().store().start().await;
    let (revoked, kept) = one_revoked_of_two(&world).await;
    let file = world.directory().join("store/caller-tokens.revoked");
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;

    for damaged in [&flipped, &whole[..40], &[]] {
        fs::write(&file, damaged).unwrap();
        world.start_again().await;
        until("the status names the file", async || {
            let said = world.status().await["degraded"].to_string();
            said.contains("caller-tokens.revoked")
        })
        .await;
        // For longer than it takes the proxy to look at the store again, twice.
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(1200) {
            for dead in [&revoked, &kept] {
                let dead = bearer(&world, dead, "/v2/users").send().await;
                dead.refuses(401, "unauthenticated");
            }
        }
        log_in(&world, "reports").await;
    }

    fs::write(&file, &whole).unwrap();
    until("the status is healthy", async || {
        world.status().await["health"] == "healthy"
    })
    .await;
    let dead = bearer(&world, &revoked, "/v2/users").send().await;
    dead.refuses(401, "unauthenticated");
    bearer(&world, &kept, "/v2/users").send().await.is(200);
    world.end().await;
}

#[tokio::test]
async fn a_revoked_token_stays_dead_when_the_key_of_the_store_is_changed() {
    let mut world = World::plan().store().start().await;
    let (revoked, kept) = one_revoked_of_two(&world).await;
    world
        .directory()
        .write("new.key", [[0x9e; 16], [0x4f; 16]].concat());
    let toml = fs::read_to_string(world.directory().config()).unwrap();

    let both = "[{ file = \"new.key\" }, { file = \"store.key\" }]";
    for seal in [both, "{ file = \"new.key\" }"] {
        let toml = toml.replace("{ file = \"store.key\" }", seal);
        world.directory().configure(&toml);
        world.start_again().await;
        let dead = bearer(&world, &revoked, "/v2/users").send().await;
        dead.refuses(401, "unauthenticated");
        bearer(&world, &kept, "/v2/users").send().await.is(200);
        assert_eq!(world.status().await["health"], "healthy");
    }
    world.end().await;
}

/// The token has ended at once, and does not come back: the revocation is stored again and again.
#[tokio::test]
async fn a_revocation_that_cannot_be_stored_is_said_and_stored_later() {
    let mut world = World::plan().store().start().await;
    let answer = log_in(&world, "reports").await;
    // Nobody can replace a directory by a file.
    let place = world.directory().join("store/caller-tokens.revoked");
    fs::create_dir(&place).unwrap();

    let refused = revoke(&world, "reports", &token(&answer)).send().await;

    refused.is(503);
    refused.retry_after();
    assert_eq!(refused.json()["error"], "temporarily_unavailable");
    let dead = bearer(&world, &answer, "/v2/users").send().await;
    dead.refuses(401, "unauthenticated");
    let status = world.status().await;
    assert_eq!(status["health"], "degraded");
    assert!(
        status["degraded"]
            .to_string()
            .contains("caller-tokens.revoked")
    );

    fs::remove_dir(&place).unwrap();
    until("it is stored", async || {
        world.status().await["health"] == "healthy"
    })
    .await;
    world.start_again().await;
    let dead = bearer(&world, &answer, "/v2/users").send().await;
    dead.refuses(401, "unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn a_token_lives_as_long_as_is_set_and_says_so() {
    let world = World::plan()
        .set("limits.tokens", "life", "\"1s\"")
        .start()
        .await;
    let answer = log_in(&world, "reports").await;
    assert_eq!(answer.json()["expires_in"], 1);

    let mut last = None;
    until("the token has ended", async || {
        let read = bearer(&world, &answer, "/v2/users").send().await;
        last = Some(read);
        last.as_ref().unwrap().status == 401
    })
    .await;
    let line = world.outcome(last.unwrap().id()).await;
    assert_eq!(line["error"], "expired-token");
    world.end().await;
}

#[tokio::test]
async fn a_token_is_said_to_live_no_longer_than_its_key() {
    let end = Timestamp::now().plus(Duration::from_mins(10));
    let world = World::plan()
        .caller("soon", &format!("allow = [\"read\"]\nexpires = {end}"))
        .start()
        .await;

    let answer = log_in(&world, "soon").await;

    let seconds = answer.json()["expires_in"].as_u64().unwrap();
    assert!((500..=600).contains(&seconds), "{seconds}");
    world.end().await;
}

#[tokio::test]
async fn a_token_dies_with_its_key_or_its_caller_whoever_has_them_next() {
    let world = World::new().await;
    let [reports, operator] = [
        log_in(&world, "reports").await,
        log_in(&world, "operator").await,
    ];

    // The caller gets a new key, and its old one goes to somebody else.
    world.rewrite(|toml| toml.replace("[caller.reports]", "[caller.renamed]"));
    world.reload().await;

    let dead = bearer(&world, &reports, "/v2/users").send().await;
    dead.refuses(401, "unauthenticated");
    let line = world.outcome(dead.id()).await;
    assert_eq!(line["error"], "token-of-gone-key");
    bearer(&world, &operator, "/v2/users").send().await.is(200);
    world.end().await;
}

#[tokio::test]
async fn basic_proves_as_sent_and_form_encoded() {
    let world = World::plan()
        .caller("power-bi_2x", "allow = [\"read\"]")
        .start()
        .await;
    let (name, key) = ("power-bi_2x", world.key("power-bi_2x").to_owned());
    let ask =
        |authorization: &str, body: &str| form(&world, body).header("Authorization", authorization);
    let grant = "grant_type=client_credentials";

    for (name, key) in [
        (name.to_owned(), key.clone()),
        (escaped(name), escaped(&key)),
        (name.to_owned(), escaped(&key)),
        (name.to_owned(), key.replace('_', "%5f")),
    ] {
        let answer = ask(&basic(&name, &key), grant).send().await;
        answer.is(200);
        bearer(&world, &answer, "/v2/users").send().await.is(200);
    }
    // The name may stand in the form as well; a second secret may not.
    let named = format!("{grant}&client_id={name}");
    let both = format!("{named}&client_secret={key}");
    ask(&basic(name, &key), &named).send().await.is(200);
    let empty = format!("{named}&client_secret=&scope=");
    ask(&basic(name, &key), &empty).send().await.is(200);
    for (authorization, body, status) in [
        (basic(name, &key), both.as_str(), 400),
        (
            basic(name, &key),
            "grant_type=client_credentials&client_id=reports",
            400,
        ),
        (basic("reports", &escaped(&key)), grant, 401),
        (basic(name, &escaped(&escaped(&key))), grant, 401),
        ("Basic ???".to_owned(), grant, 400),
        ("Basic".to_owned(), &both, 400),
    ] {
        let answer = ask(&authorization, body).send().await;
        answer.is(status);
        let said = answer.json();
        assert!(said["error_description"].is_string(), "{said}");
    }
    world.end().await;
}

/// A script that keeps one set of headers sends its old token with each login.
#[tokio::test]
async fn a_token_beside_a_good_form_is_ignored() {
    let world = World::new().await;
    let old = token(&log_in(&world, "reports").await);
    let good = credentials(&world, "operator");

    for stale in [
        format!("Bearer {old}"),
        "Bearer anything".to_owned(),
        "Negotiate abc".to_owned(),
    ] {
        let answer = form(&world, &good)
            .header("Authorization", &stale)
            .send()
            .await;
        answer.is(200);
        let line = world.outcome(answer.id()).await;
        assert_eq!(line["caller"], "operator");
        let alone = form(&world, "grant_type=client_credentials")
            .header("Authorization", &stale)
            .send()
            .await;
        alone.is(401);
        assert_eq!(alone.json()["error"], "invalid_client");
    }
    world.end().await;
}

#[tokio::test]
async fn a_caller_has_a_limit_at_the_token_endpoint_and_nobody_else_can_use_it_up() {
    const BURST: usize = 20;
    let world = World::plan()
        .set("limits.tokens", "rate", "\"60/h\"")
        .set("limits.tokens", "burst", "20")
        .start()
        .await;
    let wrong = credentials(&world, "reports").replace("njp_", "njq_");
    for _ in 0..2 * BURST {
        form(&world, &wrong).send().await.is(401);
    }
    let good = credentials(&world, "reports");
    let mut tokens = Vec::new();
    for _ in 0..BURST {
        tokens.push(log_in(&world, "reports").await);
    }

    let limited = form(&world, &good).send().await;

    limited.is(429);
    limited.retry_after();
    let body = limited.json();
    assert_eq!(body["error"], "temporarily_unavailable");
    let said = body["error_description"].as_str().unwrap();
    assert!(said.contains("faster than it may"), "{said}");
    let line = world.outcome(limited.id()).await;
    assert_eq!(line["decision"], "caller-limit");
    assert_eq!(line["bucket"], "caller-tokens");
    assert_eq!(line["caller"], "reports");
    // Nothing else is limited: not the tokens, not the caller's requests, not the others.
    for answer in &tokens {
        bearer(&world, answer, "/v2/users").send().await.is(200);
    }
    log_in(&world, "operator").await;
    // A reload forgets nothing, unless the limit has changed.
    world.rewrite(|toml| toml.replace("allow = [\"read\"]", "allow = [\"read\", \"resetAlert\"]"));
    world.reload().await;
    form(&world, &good).send().await.is(429);
    world.rewrite(|toml| toml.replace("burst = 20", "burst = 30"));
    world.reload().await;
    log_in(&world, "reports").await;
    world.end().await;
}

/// A fleet logs in at once, and every device keeps its own token.
#[tokio::test]
async fn six_hundred_devices_log_in_at_once_and_all_are_served() {
    let world = World::new().await;
    let mut wire = world.wire().await;
    let ask = form(&world, &credentials(&world, "reports"));
    let mut first = None;
    for _ in 0..600 {
        let answer = ask.send_on(&mut wire).await.unwrap();
        answer.is(200);
        first.get_or_insert(answer);
    }
    bearer(&world, &first.unwrap(), "/v2/users")
        .send()
        .await
        .is(200);
    ask.send_on(&mut wire).await.unwrap().is(429);
    world.end().await;
}

#[tokio::test]
async fn a_token_is_given_back_by_its_caller_alone() {
    let world = World::new().await;
    let [mine, other] = [
        log_in(&world, "reports").await,
        log_in(&world, "reports").await,
    ];

    let theirs = revoke(&world, "operator", &token(&mine)).send().await;
    theirs.is(400);
    assert_eq!(theirs.json()["error"], "unauthorized_client");
    bearer(&world, &mine, "/v2/users").send().await.is(200);

    let done = revoke(&world, "reports", &token(&mine)).send().await;
    done.is(200);
    assert_eq!(done.json(), json!({}), "simple-oauth2 wants JSON");
    assert_eq!(done.header("cache-control"), Some("no-store"));
    let line = world.outcome(done.id()).await;
    assert_eq!(line["caller"], "reports");
    assert_eq!(line["path"], "/ws/oauth/revoke");
    assert_eq!(line["decision"], "allowed");

    let dead = bearer(&world, &mine, "/v2/users").send().await;
    dead.refuses(401, "unauthenticated");
    bearer(&world, &other, "/v2/users").send().await.is(200);
    // RFC 7009 section 2.2: what is no token, or no longer one, is as good as revoked.
    for unknown in [token(&mine).as_str(), "njt_unknown", "45ghiukldjahdnhzdauz"] {
        revoke(&world, "reports", unknown).send().await.is(200);
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_revocation_is_said() {
    let world = World::new().await;
    let good = credentials(&world, "reports");
    let alive = log_in(&world, "reports").await;
    let (key, token) = (world.key("reports").to_owned(), token(&alive));
    let cases = [
        (400, "invalid_request", good.clone()),
        (401, "invalid_client", format!("token={token}")),
        (400, "invalid_request", format!("{good}&token=a&token=b")),
        (400, "unsupported_token_type", format!("{good}&token={key}")),
    ];
    for (status, error, body) in cases {
        for path in ["/ws/oauth/revoke", "/oauth/revoke/"] {
            let answer = form_at(&world, path, &body).send().await;
            answer.is(status);
            assert_eq!(answer.json()["error"], error);
            assert!(answer.json()["error_description"].is_string());
        }
    }
    bearer(&world, &alive, "/v2/users").send().await.is(200);
    // As a client sends it whose tokens were discovered below the tenant's base path.
    let basic = basic("reports", &key);
    let ask = form_at(
        &world,
        "/tenant/acme/oauth/revoke",
        &format!("token={token}&token_type_hint=access_token"),
    );
    ask.header("Authorization", &basic).send().await.is(200);
    let dead = bearer(&world, &alive, "/v2/users").send().await;
    dead.refuses(401, "unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn the_metadata_name_this_endpoint_by_the_host_that_was_asked() {
    let world = World::new().await;
    for (path, host, issuer) in [
        (DISCOVERY, "localhost:6465", "http://localhost:6465"),
        (DISCOVERY, "127.0.0.1", "http://127.0.0.1"),
        (
            &format!("/tenant/acme{DISCOVERY}"),
            "localhost:1",
            "http://localhost:1/tenant/acme",
        ),
        (
            &format!("{DISCOVERY}/tenant/acme"),
            "localhost:1",
            "http://localhost:1/tenant/acme",
        ),
    ] {
        let ask = world.unauthenticated("GET", path).host(host);
        let answer = ask.send().await;
        answer.is(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let said = answer.json();
        assert_eq!(said["issuer"], issuer);
        assert_eq!(said["token_endpoint"], format!("{issuer}/ws/oauth/token"));
        let revocation = format!("{issuer}/ws/oauth/revoke");
        assert_eq!(said["revocation_endpoint"], revocation);
        assert_eq!(said["grant_types_supported"], json!(["client_credentials"]));
        let methods = json!(["client_secret_basic", "client_secret_post"]);
        assert_eq!(said["token_endpoint_auth_methods_supported"], methods);
    }
    let head = world.unauthenticated("HEAD", DISCOVERY).send().await;
    head.is(200);
    assert!(head.body.is_empty());
    // It says nothing of which tenants there are.
    let unknown = format!("/tenant/nobody{DISCOVERY}");
    let unknown = world.unauthenticated("GET", &unknown).send().await;
    unknown.is(200);
    let foreign = world.unauthenticated("GET", DISCOVERY).host("evil.example");
    foreign.send().await.refuses(421, "host-refused");
    world.end().await;
}

/// wget `--user`, curl `--anyauth`, urllib and Java's Authenticator send Basic only where it is offered.
#[tokio::test]
async fn a_401_offers_bearer_and_basic() {
    let world = World::new().await;
    for ask in [
        world.unauthenticated("GET", "/v2/users"),
        world
            .unauthenticated("GET", "/v2/users")
            .header("Authorization", "Bearer njt_wrong"),
    ] {
        let answer = ask.send().await;
        answer.refuses(401, "unauthenticated");
        assert_eq!(
            answer.all("www-authenticate"),
            [
                "Bearer realm=\"ninjaone-proxy\"",
                "Basic realm=\"ninjaone-proxy\""
            ]
        );
    }
    let basic = basic("reports", world.key("reports"));
    let ask = world.unauthenticated("GET", "/v2/users");
    ask.header("Authorization", &basic).send().await.is(200);
    world.end().await;
}

#[tokio::test]
async fn a_life_or_a_rate_of_tokens_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    let token = log_in(&world, "reports").await;
    for wrong in [
        "life = \"0s\"",
        "life = \"25h\"",
        "life = \"1500ms\"",
        "rate = \"often\"",
    ] {
        world.rewrite(|toml| {
            format!(
                "{}\n[limits.tokens]\n{wrong}\n",
                toml.split("\n[limits.tokens]").next().unwrap()
            )
        });
        world.reload().await;
        bearer(&world, &token, "/v2/users").send().await.is(200);
        let config = &world.status().await["config"];
        assert_ne!(config["last_error"], json!(null), "{wrong}: {config}");
    }
    world.end().await;
}
