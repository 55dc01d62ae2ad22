//! Authentication of callers: each method, and that bad credentials end the request.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    answer::Answer,
    key::{caller_toml, hex, new_key},
};

use super::{proxy_client::Ask, world::World};

const TARGET: &str = "/v2/organizations";

fn basic(name: &str, key: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{key}")))
}

fn with(world: &World, headers: &[(&str, &str)]) -> Ask {
    let ask = world.unauthenticated("GET", TARGET);
    let add = |ask: Ask, (name, value): &(&str, &str)| ask.header(name, value);
    headers.iter().fold(ask, add)
}

#[tokio::test]
async fn a_key_proves_its_caller_as_bearer_as_basic_and_as_api_key() {
    let world = World::new().await;
    let key = world.key("reports").to_owned();
    let basic = basic("reports", &key);
    let ways: [&[(&str, &str)]; 7] = [
        &[("Authorization", &format!("Bearer {key}"))],
        &[("authorization", &format!("bearer {key}"))],
        &[("Authorization", &format!("BEARER   {key}"))],
        &[("Authorization", &basic)],
        &[("Authorization", &basic.replace("Basic", "basic"))],
        &[("X-Api-Key", &key)],
        &[("X-Api-Key", &key), ("Authorization", &basic)],
    ];

    for headers in ways {
        let answer = with(&world, headers).send().await;
        answer.is(200);
        let line = world.outcome(answer.id()).await;
        assert_eq!(line["caller"], "reports");
        assert_eq!(line["auth"], "key");
    }

    assert_eq!(world.saw().len(), ways.len());
    world.end().await;
}

#[tokio::test]
async fn a_bad_proof_never_falls_through_to_a_good_one() {
    let world = World::new().await;
    let key = world.key("reports").to_owned();
    let other = world.key("operator").to_owned();
    let good = format!("Bearer {key}");
    let unknown = new_key("nobody");
    let bad: Vec<Vec<(&str, String)>> = vec![
        vec![
            ("X-Api-Key", key.clone()),
            ("Authorization", format!("Bearer {unknown}")),
        ],
        vec![
            ("X-Api-Key", unknown.clone()),
            ("Authorization", good.clone()),
        ],
        vec![
            ("X-Api-Key", other.clone()),
            ("Authorization", good.clone()),
        ],
        vec![
            ("X-Api-Key", key.clone()),
            ("Authorization", "Negotiate abc".to_owned()),
        ],
        vec![("X-Api-Key", key.clone()), ("Authorization", String::new())],
        vec![
            ("X-Api-Key", key.clone()),
            ("Authorization", "Basic !!!".to_owned()),
        ],
        vec![
            ("X-Api-Key", String::new()),
            ("Authorization", good.clone()),
        ],
        vec![("Authorization", basic("operator", &key))],
        vec![("Authorization", basic("", &key))],
        vec![("Authorization", format!("Bearer {key}x"))],
        vec![("Authorization", format!("Bearer {key} {key}"))],
        vec![("Authorization", key.clone())],
        vec![("X-Api-Key", format!("{key}\u{e9}"))],
        vec![("X-Api-Key", key.to_uppercase())],
        vec![("X-Api-Key", key[..key.len() - 1].to_owned())],
    ];

    for headers in &bad {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        with(&world, &headers)
            .send()
            .await
            .refuses(401, "unauthenticated");
    }

    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn a_proof_that_stands_twice_is_ambiguous() {
    let world = World::new().await;
    let key = world.key("reports").to_owned();
    let bearer = format!("Bearer {key}");
    let twice = [
        [("X-Api-Key", key.as_str()), ("X-Api-Key", key.as_str())],
        [
            ("Authorization", bearer.as_str()),
            ("Authorization", bearer.as_str()),
        ],
    ];

    for headers in twice {
        let answer = with(&world, &headers).send().await;
        answer.refuses(400, "bad-request");
    }

    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

/// Body and headers without what is different in every answer.
fn same(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| name != "x-request-id" && name != "date");
    let text = answer.text().replace(answer.id(), "ID");
    (answer.status, headers.cloned().collect(), text)
}

#[tokio::test]
async fn unknown_expired_missing_and_mistaken_proofs_get_the_same_answer() {
    let world = World::plan()
        .caller("late", "allow = [\"read\"]\nexpires = 2020-01-01")
        .start()
        .await;
    let (late, known) = (
        world.key("late").to_owned(),
        world.key("reports").to_owned(),
    );
    let unknown = new_key("nobody");
    let answers = [
        with(&world, &[]).send().await,
        with(&world, &[("X-Api-Key", &unknown)]).send().await,
        with(&world, &[("X-Api-Key", &late)]).send().await,
        with(&world, &[("Authorization", &basic("operator", &known))])
            .send()
            .await,
        with(&world, &[("Authorization", "Bearer short")])
            .send()
            .await,
    ];

    for answer in &answers {
        answer.refuses(401, "unauthenticated");
        assert_eq!(answer.json()["error"], "not_authenticated");
        assert_eq!(answer.json()["error_code"], 10);
        assert!(
            answer
                .header("www-authenticate")
                .unwrap()
                .starts_with("Bearer")
        );
        let hint = answer.json()["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains("the key is sent whole"), "{hint}");
        assert!(hint.ends_with(answer.id()), "{hint}");
        assert_eq!(same(answer), same(&answers[0]));
    }
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn each_of_a_callers_keys_is_good() {
    use aws_lc_rs::digest::{SHA256, digest};
    let (old, new) = (new_key("rotating"), new_key("rotating"));
    let hash = |key: &str| hex(digest(&SHA256, key.as_bytes()).as_ref());
    let toml = format!(
        "[caller.rotating]\nkey = [\"sha256:{}\", \"sha256:{}\"]\nallow = [\"read\"]",
        hash(&old),
        hash(&new)
    );
    let world = World::plan().also(&toml).start().await;

    for key in [&old, &new] {
        with(&world, &[("X-Api-Key", key)]).send().await.is(200);
    }

    world.end().await;
}

#[tokio::test]
async fn who_is_refused_learns_nothing_of_what_there_is() {
    let world = World::new().await;

    let known = world
        .unauthenticated("GET", "/v2/organizations")
        .send()
        .await;
    let unknown = world
        .unauthenticated("GET", "/v2/no/such/thing")
        .send()
        .await;
    let write = world
        .unauthenticated("DELETE", "/v2/device/101/owner")
        .send()
        .await;

    known.refuses(401, "unauthenticated");
    assert_eq!(same(&known), same(&unknown));
    assert_eq!(same(&known), same(&write));
    world.end().await;
}

#[tokio::test]
async fn the_record_says_why_a_proof_was_refused_and_its_bearer_learns_nothing() {
    let world = World::plan()
        .caller("late", "allow = [\"read\"]\nexpires = 2020-01-01")
        .start()
        .await;
    let (late, unknown) = (world.key("late").to_owned(), new_key("nobody"));
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[], "no-proof"),
        (&[("X-Api-Key", &unknown)], "unknown-key"),
        (&[("X-Api-Key", &late)], "expired-key"),
    ];

    let mut told = Vec::new();
    for (headers, why) in cases {
        let answer = with(&world, headers).send().await;
        answer.refuses(401, "unauthenticated");
        let line = world.outcome(answer.id()).await;
        assert_eq!(line["decision"], "unauthenticated");
        assert_eq!(line["error"], why, "{line}");
        told.push(same(&answer));
    }

    assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
    world.end().await;
}

#[tokio::test]
async fn a_legacy_signature_is_refused_by_name() {
    let world = World::new().await;

    for proof in ["NJ TF4STGMDR4H7AEXAMPLE:rWGFnvcMQVVGhRUjVDNJ", "nj x"] {
        let answer = with(&world, &[("Authorization", proof)]).send().await;
        answer.refuses(401, "unauthenticated");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("legacy signatures"), "{detail}");
        assert!(!detail.contains("rWGF"), "{detail}");
        let line = world.outcome(answer.id()).await;
        assert_eq!(line["error"], "legacy-signature", "{line}");
        assert!(!line.to_string().contains("rWGF"), "{line}");
    }

    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn a_key_that_is_too_short_is_refused_even_if_its_hash_is_configured() {
    let key = new_key("brief");
    let (short, enough) = (&key[..31], &key[..32]);
    let rules = "allow = [\"read\"]";
    let world = World::plan()
        .also(&caller_toml("short", short, rules))
        .also(&caller_toml("enough", enough, rules))
        .start()
        .await;

    let basic = basic("short", short);
    let bearer = format!("Bearer {short}");
    for proof in [
        ("X-Api-Key", short),
        ("Authorization", &bearer),
        ("Authorization", &basic),
    ] {
        let answer = with(&world, &[proof]).send().await;
        answer.refuses(401, "unauthenticated");
        assert_eq!(world.outcome(answer.id()).await["caller"].as_str(), None);
    }

    with(&world, &[("X-Api-Key", enough)]).send().await.is(200);
    assert_eq!(world.saw().len(), 1);
    world.end().await;
}
