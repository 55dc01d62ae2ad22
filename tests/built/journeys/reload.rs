//! Reloading the configuration while requests are served.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    directory::write_private,
    key::{caller_toml, new_key},
    wait::until,
};

use super::world::World;

/// How often a configuration was loaded and refused after the start, by the audit log: each time that the files were read
/// has its line. A signal and the look at the files may each cause one.
async fn on_record(world: &World) -> (u64, u64) {
    let (mut loaded, mut refused) = (0, 0);
    until("a line for each reading", async || {
        let read = world.status().await["config"]["tries"].as_u64().unwrap() - 1;
        let lines = world.lines().await;
        let config = lines.iter().filter(|it| it["type"] == "config");
        let results: Vec<_> = config.map(|it| &it["result"]).collect();
        let count = |result: &str| results.iter().filter(|it| **it == result).count() as u64;
        (loaded, refused) = (count("loaded"), count("refused"));
        loaded + refused == read
    })
    .await;
    (loaded, refused)
}

#[tokio::test]
async fn rules_are_swapped_under_load_without_a_failed_request() {
    let world = World::new().await;
    let stop = Arc::<AtomicBool>::default();
    let (client, stopping) = (world.client(), Arc::clone(&stop));
    let load = tokio::spawn(async move {
        let mut count = 0;
        while !stopping.load(Ordering::Relaxed) {
            let mut wire = client.wire().await;
            for _ in 0..10 {
                let ask = client.ask("reports", "GET", "/v2/organizations");
                ask.send_on(&mut wire).await.unwrap().is(200);
                count += 1;
            }
        }
        count
    });

    for number in 0..25 {
        let name = format!("newcomer-{number}");
        let key = new_key(&name);
        let toml = caller_toml(&name, &key, "allow = [\"read\"]");
        world.rewrite(|before| format!("{before}\n{toml}"));
        world.reload().await;
        let ask = world
            .unauthenticated("GET", "/v2/users")
            .header("X-Api-Key", &key);
        ask.send().await.is(200);
    }

    stop.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 0);
    assert_eq!(world.ninja().token_calls(), 1, "tokens survive a reload");
    let (loaded, refused) = on_record(&world).await;
    assert!(loaded >= 25 && refused == 0, "{loaded} {refused}");
    let mut added = Vec::new();
    until("the newcomers' lines", async || {
        added = world.lines().await;
        added.retain(|it| it["type"] == "caller" && it["change"] == "added");
        added.len() >= 25
    })
    .await;
    assert_eq!(added.len(), 25);
    world.end().await;
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_says_so() {
    let world = World::new().await;
    let good = std::fs::read_to_string(world.directory().config()).unwrap();
    for wrong in [
        format!("{good}\n[caller.bad]\nkey = \"sha256:xyz\"\n"),
        format!("{good}\n[unknown]\n"),
        good.replace("allow = [\"all\"]", "allow = [\"everything\"]"),
        "this is not TOML".to_owned(),
    ] {
        world.rewrite(|_| wrong);
        world.reload().await;

        world.get("reports", "/v2/users").await.is(200);
        world
            .post("operator", "/v2/organizations", "{\"name\":\"x\"}")
            .await
            .is(200);
        let status = world.admin("/status").await.json();
        assert!(status["config"]["last_error"].is_string(), "{status}");
        assert_eq!(status["config"]["generation"], 1);
    }

    world.rewrite(|_| good);
    world.reload().await;
    let status = world.admin("/status").await.json();
    assert!(status["config"]["last_error"].is_null(), "{status}");
    let (loaded, refused) = on_record(&world).await;
    assert!(refused >= 4 && loaded >= 1, "{refused} {loaded}");
    world.end().await;
}

#[tokio::test]
async fn a_caller_in_a_file_of_its_own_comes_and_goes() {
    let world = World::new().await;
    let callers = world.directory().join("callers.d");
    std::fs::create_dir(&callers).unwrap();
    let key = new_key("guest");
    let ask = world
        .unauthenticated("GET", "/v2/users")
        .header("X-Api-Key", &key);
    ask.send().await.refuses(401, "unauthenticated");

    std::fs::write(
        callers.join("guest.toml"),
        caller_toml("guest", &key, "allow = [\"read\"]"),
    )
    .unwrap();
    let began = Instant::now();
    until("the guest", async || ask.send().await.status == 200).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?} without a signal");

    // A connection that is open gives its caller nothing when the key is gone.
    let mut wire = world.wire().await;
    ask.send_on(&mut wire).await.unwrap().is(200);
    std::fs::remove_file(callers.join("guest.toml")).unwrap();
    world.reload().await;
    ask.send_on(&mut wire)
        .await
        .unwrap()
        .refuses(401, "unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn a_request_under_way_is_judged_by_the_rules_that_it_began_with() {
    let world = World::new().await;
    world.trouble(r#"{"slow_ms":300,"count":1}"#);
    let client = world.client();
    let under_way = tokio::spawn(async move { client.get("reports", "/v2/users").await });
    world.ninja().wait_for_requests(2).await;

    world.rewrite(|toml| toml.replace("allow = [\"read\"]", "deny = [\"read\"]"));
    world.reload().await;

    world
        .get("reports", "/v2/users")
        .await
        .refuses(403, "policy-denied");
    under_way.await.unwrap().is(200);
    world.end().await;
}

#[tokio::test]
async fn counters_survive_a_reload_where_the_limit_stays() {
    let rules = "allow = [\"read\"]\nlimit = { rate = \"1/h\", burst = 2 }";
    let world = World::plan().caller("counted", rules).start().await;
    world.get("counted", "/v2/users").await.is(200);
    world.get("counted", "/v2/users").await.is(200);

    world.rewrite(|toml| format!("{toml}\n# another text\n"));
    world.reload().await;

    world
        .get("counted", "/v2/users")
        .await
        .refuses(429, "caller-limit");
    world.end().await;
}

#[tokio::test]
async fn a_secret_that_was_changed_is_used_at_once_and_the_old_token_until_then() {
    let world = World::new().await;
    world.get("reports", "/v2/users").await.is(200);

    let secret = world.directory().join("acme.secret");
    write_private(&secret, "another-client-secret-canary");
    world.reload().await;

    // The sandbox does not know the new secret: the old token serves, and the status says so.
    until("the refusal", async || {
        let status = world.status().await;
        status["troubles"][0]["kind"] == "new-secret-refused"
    })
    .await;
    world.get("reports", "/v2/users").await.is(200);
    write_private(&secret, &world.secret);
    world.reload().await;
    until("the next token", async || {
        world.status().await["health"] == "healthy"
    })
    .await;
    world.get("reports", "/v2/users").await.is(200);
    world.end().await;
}

#[tokio::test]
async fn a_changed_setting_that_waits_for_a_restart_is_shown_until_it_is_changed_back() {
    let world = World::new().await;
    let good = std::fs::read_to_string(world.directory().config()).unwrap();
    let changed = good.replace("drain = \"5s\"", "drain = \"6s\"");
    assert_ne!(good, changed);

    world.rewrite(|_| changed);
    world.reload().await;

    let status = world.admin("/status").await.json();
    assert_eq!(status["health"], "degraded");
    let told = status["degraded"].as_array().unwrap();
    let named = told.iter().filter_map(|it| it.as_str());
    assert!(
        named.into_iter().any(|it| it.contains("listen.drain")),
        "{status}"
    );
    assert!(status["config"]["last_error"].is_null(), "{status}");

    world.rewrite(|_| good);
    world.reload().await;
    let status = world.admin("/status").await.json();
    assert_eq!(status["health"], "healthy", "{status}");
    assert_eq!(status["degraded"].as_array().unwrap().len(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_new_key_of_the_store_waits_for_a_restart_and_is_not_shown() {
    let world = World::new().await;
    let key = "0123456789abcdef".repeat(4);

    world.rewrite(|good| format!("{good}\n[store]\nseal = {{ exec = [\"echo\", \"{key}\"] }}\n"));
    world.reload().await;

    let status = world.admin("/status").await.json();
    let told = status["degraded"].to_string();
    assert!(told.contains("store"), "{status}");
    assert!(!status.to_string().contains(&key), "{status}");
    world.end().await;
}
