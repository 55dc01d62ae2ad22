//! NinjaOne behind an outgoing proxy: everything goes through it, nothing besides, and its failures have names.

use std::{net::TcpListener, sync::Arc};

use ninjaone_proxy::sandbox::{ListenerSource as Listening, SandboxOptions};

use crate::{
    authority::Authority,
    directory::write_private,
    tinyproxy::{NINJA, PASSWORD, Peer, Tinyproxy, USER, WITH_USER},
    wait::until,
};

use super::{
    tls_front::Front,
    world::{Plan, World},
};

/// A plan of a NinjaOne whose name only an outgoing proxy can resolve.
struct Behind {
    plan: Plan,
    front: Front,
    _trusted: Authority,
}

async fn behind() -> Behind {
    let trusted = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = trusted.certify(NINJA, &["h2", "http/1.1"]);
    let front = Front::of(listener.local_addr().unwrap(), Arc::clone(&tls)).await;
    let options = SandboxOptions {
        listener: Listening::Listener(listener),
        ..SandboxOptions::default()
    };
    let url = format!("\"https://{NINJA}:{}\"", front.address.port());
    let plan = World::plan()
        .sandbox(options)
        .set("tenant.acme", "url", &url)
        .set("tenant.acme", "ca", &trusted.file());
    Behind {
        plan,
        front,
        _trusted: trusted,
    }
}

/// Reads and writes; every connection that reached NinjaOne came through the proxy.
async fn works_through(world: World, front: &Front, proxy: &Tinyproxy, from: &str) {
    world.get("reports", "/v2/users").await.is(200);
    let write = world.post("operator", "/v2/organizations", r#"{"name":"x"}"#);
    assert!(write.await.status < 300);
    let target = format!("{NINJA}:{}", front.address.port());
    let targets = proxy.targets();
    assert_eq!(targets.len() as u64, front.accepted(), "{targets:?}");
    assert!(targets.iter().all(|it| *it == target), "{targets:?}");
    assert!(targets.len() >= 2, "one for the token, one for the rest");

    let status = world.status().await;
    let shown = &status["tenants"][0]["proxy"];
    assert!(
        shown["url"]
            .as_str()
            .unwrap()
            .ends_with(&proxy.address.to_string())
    );
    assert_eq!(shown["from"], from);
    if crate::program::says_where_it_listens(&crate::program::log_level()) {
        let said = world
            .log()
            .with(&["reached through an outgoing proxy", from]);
        assert_eq!(said.len(), 1, "{}", world.log().text());
    }
    for told in [status.to_string(), world.log().text()] {
        assert!(
            !told.contains(PASSWORD) && !told.contains("hunter2"),
            "{told}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn requests_and_tokens_go_through_the_proxy_of_the_setting() {
    let Behind {
        plan,
        front,
        _trusted,
    } = behind().await;
    let proxy = Tinyproxy::start("");
    let world = plan
        .set("tenant.acme", "proxy", &proxy.toml())
        .start()
        .await;
    works_through(world, &front, &proxy, "tenant.NAME.proxy").await;
}

#[tokio::test]
async fn a_proxy_gets_the_user_and_the_password_of_the_setting() {
    let Behind {
        plan,
        front,
        _trusted,
    } = behind().await;
    let proxy = Tinyproxy::start(WITH_USER);
    let plan = plan.set("tenant.acme", "proxy", &proxy.toml_with_user());
    let world = plan
        .environment("HTTPS_PROXY", "http://127.0.0.1:1")
        .start()
        .await;
    works_through(world, &front, &proxy, "tenant.NAME.proxy").await;
}

#[tokio::test]
async fn a_proxy_gets_the_user_and_the_password_of_the_variable() {
    let Behind {
        plan,
        front,
        _trusted,
    } = behind().await;
    let proxy = Tinyproxy::start(WITH_USER);
    let plan = plan
        .environment("https_proxy", &proxy.url_with_user())
        .environment("HTTPS_PROXY", "http://127.0.0.1:1")
        .environment("NO_PROXY", "localhost,127.0.0.0/8,.internal");
    works_through(plan.start().await, &front, &proxy, "https_proxy").await;
}

/// The token is good and the proxy goes: what comes of a read and of a write, with these words.
async fn is_named(world: &World, status: &str, words: &str) {
    let before = world.saw();
    for answer in [
        world.get("reports", "/v2/users").await,
        world.post("operator", "/v2/organizations", "{}").await,
    ] {
        answer.refuses(502, "upstream-unreachable").retry_after();
        let why = answer.header("proxy-status").unwrap_or_default();
        assert!(why.contains(&format!("error={status};")), "{why}");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(words), "{detail}");
    }
    assert_eq!(world.saw(), before, "nothing was sent");
}

#[tokio::test]
async fn a_proxy_that_fails_is_named_and_nothing_reaches_ninjaone() {
    let Behind {
        plan,
        front,
        _trusted,
    } = behind().await;
    let proxy = Tinyproxy::start("");
    let plan = plan
        .set("tenant.acme", "proxy", &proxy.toml())
        .set("retry", "attempts", "1")
        .set("timeouts", "connect", "\"1s\"");
    let world = plan.start().await;
    world.get("reports", "/v2/users").await.is(200);
    let address = proxy.stop();
    front.hang_up().await;
    is_named(
        &world,
        "connection_refused",
        "outgoing proxy refused the connection",
    )
    .await;

    // Again and again at the same address.
    let proxy = Tinyproxy::start_at(address, "");
    world.get("reports", "/v2/users").await.is(200);
    proxy.stop();
    front.hang_up().await;
    let proxy = Tinyproxy::start_at(address, WITH_USER);
    is_named(
        &world,
        "proxy_configuration_error",
        "asks for a user and a password",
    )
    .await;
    proxy.stop();
    let proxy = Tinyproxy::start_at(address, "ConnectPort 1");
    is_named(&world, "destination_unavailable", "status 403").await;
    proxy.stop();
    Peer::Silent.listen_at(address);
    is_named(
        &world,
        "connection_timeout",
        "the outgoing proxy took too long",
    )
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_reload_takes_another_proxy_and_another_password() {
    let Behind {
        plan,
        front,
        _trusted,
    } = behind().await;
    let proxy = Tinyproxy::start(WITH_USER);
    let dead = format!("{{ url = \"http://{}\" }}", crate::program::free_address());
    let world = plan.set("tenant.acme", "proxy", &dead).build();
    let told = async || {
        let status = world.status().await;
        let why = status["tenants"][0]["identities"][0]["last_error"].clone();
        why.as_str().unwrap_or_default().to_owned()
    };
    until("a refused connection", async || {
        told()
            .await
            .contains("the outgoing proxy refused the connection")
    })
    .await;

    write_private(&proxy.password_file(), "another-password");
    world.rewrite(|toml| toml.replace(&dead, &proxy.toml_with_user()));
    until("refused credentials", async || {
        told()
            .await
            .contains("the outgoing proxy refuses the user or the password")
    })
    .await;
    world
        .get("reports", "/v2/users")
        .await
        .refuses(503, "token-unavailable");

    write_private(&proxy.password_file(), PASSWORD);
    world.has_token().await;
    world.get("reports", "/v2/users").await.is(200);
    assert!(front.accepted() >= 2);
    world.end().await;
}

#[tokio::test]
async fn a_loopback_address_is_never_reached_through_a_proxy() {
    let plan = World::plan()
        .environment("HTTPS_PROXY", "http://127.0.0.1:1")
        .environment("http_proxy", "http://127.0.0.1:1")
        .environment("ALL_PROXY", "socks5://127.0.0.1:1");
    let world = plan.start().await;
    world.get("reports", "/v2/users").await.is(200);
    assert!(world.status().await["tenants"][0]["proxy"].is_null());
    world.end().await;

    let dead = format!(
        "{{ url = \"http://127.0.0.1:1\", user = \"{USER}\", password = {{ env = \"PROXY_PASSWORD\" }} }}"
    );
    let plan = World::plan()
        .set("tenant.acme", "proxy", &dead)
        .environment("PROXY_PASSWORD", PASSWORD);
    let world = plan.start().await;
    world.get("reports", "/v2/users").await.is(200);
    world.end().await;
}
