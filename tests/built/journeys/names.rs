//! The way to NinjaOne: a name with several addresses, and name servers that are slow or dead.

use std::{
    fs,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use ninjaone_proxy::sandbox::{ListenerSource, SandboxOptions};

use crate::{
    authority::Authority,
    private_names::{Blackhole, Manner, PrivateNames, loopback_address, uninvited},
    wait::until,
};

use super::{
    tls_front::Front,
    world::{Plan, World},
};

const NAME: &str = "ninja.test";
const HTTP1: &[&str] = &["http/1.1"];
const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const MADE: &str = "{\"name\":\"By name\"}";
const NO_NAME_SERVER: &str = "the name servers give no answer: the last known addresses are used, for a day at most; look at this machine's name servers";

/// A plan of a NinjaOne that is reached by its name, at the port of the front.
async fn plan(names: &PrivateNames, trusted: &Authority) -> (Plan, Front) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = trusted.certify(NAME, HTTP1);
    let front = Front::of(listener.local_addr().unwrap(), tls).await;
    let url = format!("\"https://{NAME}:{}\"", front.address.port());
    let options = SandboxOptions {
        listener: ListenerSource::Listener(listener),
        ..SandboxOptions::default()
    };
    let plan = World::plan()
        .sandbox(options)
        .program(names.command())
        .set("tenant.acme", "url", &url)
        .set("tenant.acme", "ca", &trusted.file());
    (plan, front)
}

#[tokio::test]
async fn addresses_that_drop_packets_do_not_hide_one_that_works() {
    let (first, second) = (
        IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V4(loopback_address()),
    );
    let addresses: &[IpAddr] = &[first, second, LOCALHOST];
    let Some(names) = PrivateNames::new(&[(NAME, addresses)]) else {
        return;
    };
    let trusted = Authority::new();
    let (plan, front) = plan(&names, &trusted).await;
    let at = |ip| SocketAddr::new(ip, front.address.port());
    let holes = [Blackhole::at(at(first)), Blackhole::at(at(second))];
    let began = Instant::now();
    let world = plan.set("timeouts", "connect", "\"20s\"").start().await;

    // Two delays of 250 ms each, for the token and for the first request.
    world
        .post("operator", "/v2/organizations", MADE)
        .await
        .is(200);
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(5), "{waited:?}");

    // What worked is remembered: it comes first, though the others would take connections now.
    drop(holes);
    let others = [first, second].map(|ip| TcpListener::bind(at(ip)).unwrap());
    for _ in 0..3 {
        front.hang_up().await;
        world.get("reports", "/v2/users").await.is(200);
    }
    assert_eq!(others.each_ref().map(uninvited), [0, 0]);
    world.end().await;
}

#[tokio::test]
async fn a_dead_name_server_before_one_that_answers_costs_time_and_nothing_else() {
    let addresses: &[IpAddr] = &[LOCALHOST];
    let names = [(NAME, addresses)];
    let Some(names) = PrivateNames::with(&names, Manner::Answers, "timeout:1 attempts:1", 1) else {
        return;
    };
    let trusted = Authority::new();
    let (plan, _front) = plan(&names, &trusted).await;
    // A lookup takes a second: more than a connection may.
    let plan = plan.set("timeouts", "connect", "\"500ms\"");
    let world = plan
        .set("timeouts", "first_byte", "\"700ms\"")
        .start()
        .await;

    // A write is never repeated.
    world
        .post("operator", "/v2/organizations", MADE)
        .await
        .is(200);
    world.get("reports", "/v2/users").await.is(200);
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_comes_after_the_time_out_of_a_lookup_serves_the_next() {
    let addresses: &[IpAddr] = &[LOCALHOST];
    let names = [(NAME, addresses)];
    let late = Manner::AnswersAfter(Duration::from_millis(1500));
    let Some(names) = PrivateNames::with(&names, late, "timeout:5 attempts:1", 0) else {
        return;
    };
    let trusted = Authority::new();
    let (plan, _front) = plan(&names, &trusted).await;
    let world = plan.set("timeouts", "resolve", "\"300ms\"").start().await;

    let said = world
        .log()
        .with(&["looking the host name up took too long"]);
    assert!(!said.is_empty(), "{}", world.log().text());
    world.get("reports", "/v2/users").await.is(200);
    world.end().await;
}

#[tokio::test]
async fn while_the_name_servers_fail_the_last_known_addresses_are_used() {
    let addresses: &[IpAddr] = &[LOCALHOST];
    let Some(names) = PrivateNames::new(&[(NAME, addresses)]) else {
        return;
    };
    let trusted = Authority::new();
    let (plan, front) = plan(&names, &trusted).await;
    let world = plan.start().await;
    world.get("reports", "/v2/users").await.is(200);

    // Addresses that are all in vain are looked up again.
    let address = front.address;
    front.end().await;
    let answer = world.get("reports", "/v2/users").await;
    answer.refuses(502, "upstream-unreachable");
    names.turn(Manner::IsSilent);
    let tls = trusted.certify(NAME, HTTP1);
    let front = Front::at(address, world.ninja().address(), tls).await;
    for _ in 0..3 {
        world.get("reports", "/v2/users").await.is(200);
        front.hang_up().await;
    }
    assert_eq!(world.log().count(NO_NAME_SERVER), 1);
    let status = world.status().await;
    assert_eq!(status["tenants"][0]["stale_host"], NAME, "{status}");
    assert_eq!(status["health"], "degraded");
    let troubles = status["troubles"].as_array().unwrap();
    let own = troubles.iter().find(|it| it["kind"] == "name-servers");
    let text = own.unwrap()["text"].as_str().unwrap();
    assert!(text.contains("no answer for ninja.test"), "{text}");
    world.end().await;
}

#[tokio::test]
async fn lookups_that_hang_are_few_and_do_not_hold_up_the_end() {
    let Some(names) = PrivateNames::with(&[], Manner::IsSilent, "timeout:20 attempts:1", 0) else {
        return;
    };
    let mut plan = World::plan().program(names.command());
    plan = plan.set("timeouts", "resolve", "\"500ms\"");
    for number in 0..20 {
        plan = plan.also(&format!(
            "[tenant.silent{number}]\nurl = \"https://silent{number}.test\"\n\
             service = {{ client_id = \"it\", client_secret = {{ file = \"acme.secret\" }} }}"
        ));
    }
    let world = plan.build();
    let lookups = || {
        let threads = fs::read_dir(format!("/proc/{}/task", world.program_id())).unwrap();
        let names =
            threads.filter_map(|it| fs::read_to_string(it.unwrap().path().join("comm")).ok());
        names.filter(|it| it.trim() == "lookup").count()
    };

    until("the lookups", async || lookups() == 16).await;
    // Those that found no room say the same as those that wait.
    until("lookups that took too long", async || {
        let said = world
            .log()
            .with(&["looking the host name up took too long"]);
        assert!(lookups() <= 16);
        said.len() >= 20
    })
    .await;
    world.ends_by_signal(Duration::from_secs(5)).await;
}
