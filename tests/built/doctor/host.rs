//! The host: reached step by step, and what it says of itself.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::Arc,
};

use ninjaone_proxy::sandbox::SandboxOptions;

use crate::private_names::{Blackhole, Manner, PrivateNames};

use super::world::{World, answering, service};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_refuses_connections_is_named_and_nothing_more_is_asked() {
    let world = World::new();
    world.configure_at("http://127.0.0.1:1", &service(), "");
    let said = world.doctor().await;
    assert_eq!(said.code, 1);
    said.troubles(&["tcp"]);
    said.says("dns", "ok", &["127.0.0.1 is an address"]);
    said.says(
        "tcp",
        "failed",
        &["no connection to 127.0.0.1 port 1", "firewalls"],
    );
    for name in [
        "http",
        "clock-skew",
        "discovery",
        "service-token",
        "service-scopes",
    ] {
        assert_eq!(said.verdict(name), "skipped", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_without_tls_fails_at_tls() {
    let world = World::new();
    let url = format!("https://{}", world.ninja.address());
    world.configure_at(&url, &service(), "");
    let said = world.doctor().await;
    said.troubles(&["tls"]);
    said.says(
        "tls",
        "failed",
        &["TLS with 127.0.0.1 failed", "speak HTTPS"],
    );
    assert_eq!(said.verdict("tcp"), "ok");
    assert_eq!(said.verdict("http"), "skipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_fails_there() {
    let world = World::new();
    let address = answering("nonsense", "");
    world.configure_at(&format!("http://{address}"), &service(), "");
    let said = world.doctor().await;
    assert_eq!(said.code, 1);
    said.says(
        "http",
        "failed",
        &["does not answer as it should", "gateway"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_far_apart_are_told_with_the_skew() {
    let world = World::new();
    let old = "200 OK\r\nDate: Sun, 01 Nov 2020 00:00:00 GMT";
    let address = answering(old, "{}");
    world.configure_at(&format!("http://{address}"), &service(), "");
    let said = world.doctor().await;
    said.says(
        "clock-skew",
        "warning",
        &[" d ", "ahead of NinjaOne's", "chrony"],
    );
    said.says(
        "discovery",
        "warning",
        &["does not answer as NinjaOne does"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_may_be_absent_and_must_not_name_another() {
    let world = World::new();
    world.configure(&service());
    let said = world.doctor().await;
    said.says("discovery", "ok", &["tokens at /ws/oauth/token"]);

    world.fault(r#"{"no_discovery":true}"#);
    let said = world.doctor().await;
    said.says("discovery", "ok", &["absent; the usual paths are used"]);

    let metadata = |issuer: &str, token: &str| {
        format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"http://ADDRESS/a","token_endpoint":"{token}"}}"#
        )
    };
    let elsewhere = "https://us2.ninjarmm.com/";
    for (document, words) in [
        (
            metadata(elsewhere, "http://ADDRESS/t"),
            "names itself https://us2.ninjarmm.com/",
        ),
        (
            metadata("http://ADDRESS", "https://us2.ninjarmm.com/t"),
            "points to https://us2.ninjarmm.com/t",
        ),
    ] {
        let address = answering("200 OK", &document);
        world.configure_at(&format!("http://{address}"), &service(), "");
        let said = world.doctor().await;
        said.says("discovery", "warning", &[words, "configured host only"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_sends_nothing() {
    let world = World::new();
    world.configure(&service());
    let said = world.doctor_with(&["--offline"]).await;
    assert_eq!((said.code, said.healthy), (0, true));
    for name in [
        "dns",
        "tcp",
        "http",
        "discovery",
        "service-token",
        "service-scopes",
    ] {
        said.says(name, "skipped", &["--offline"]);
    }
    assert!(world.ninja.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_never_answers_does_not_hold_anybody_up() {
    let world = World::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    world.configure_at(&url, &service(), "");
    let said = world.doctor().await;
    assert_eq!(said.code, 1);
    said.says("http", "failed", &["it took too long"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_an_unknown_authority_is_told_until_it_is_named() {
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private.unwrap())
        .unwrap();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let world = World::with(SandboxOptions {
        tls: Some(Arc::new(tls)),
        ..SandboxOptions::default()
    });
    let url = format!("https://{}", world.ninja.address());
    world.configure_at(&url, &service(), "");
    let said = world.doctor().await;
    said.troubles(&["tls"]);
    said.says(
        "tls",
        "failed",
        &["certificate of 127.0.0.1 is not accepted", "`ca`"],
    );

    world.write("ca.pem", key.cert.pem().as_bytes());
    world.configure_at(&url, &format!("ca = \"ca.pem\"\n{}", service()), "");
    let said = world.doctor().await;
    said.troubles(&[]);
    said.says("tls", "ok", &["is one for 127.0.0.1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_drops_packets_and_a_dead_name_server_are_told() {
    let dropping = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let addresses: &[IpAddr] = &[dropping, IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let names = [("ninja.test", addresses)];
    let Some(names) = PrivateNames::with(&names, Manner::Answers, "timeout:3", 1) else {
        return;
    };
    let world = World::new();
    let port = world.ninja.address().port();
    let _hole = Blackhole::at(SocketAddr::new(dropping, port));
    let url = format!("https://ninja.test:{port}");
    world.configure_at(&url, &service(), "");

    let said = world.doctor_by(names.command(), &[]).await;

    said.says(
        "dns",
        "warning",
        &["127.0.0.1", "the lookup took 3.", "/etc/resolv.conf"],
    );
    let took_none =
        format!("accepts connections at 127.0.0.1, but {dropping} accepted none in time");
    said.says("tcp", "warning", &[&took_none, "firewalls"]);
    // Past it, this NinjaOne speaks no TLS.
    said.says("tls", "failed", &["TLS with ninja.test failed"]);

    names.turn(Manner::IsSilent);
    world.configure_at(&url, &service(), "[timeouts]\nresolve = \"300ms\"");
    let said = world.doctor_by(names.command(), &[]).await;
    said.says(
        "dns",
        "failed",
        &[
            "took longer than 300ms",
            "/etc/resolv.conf",
            "timeouts.resolve",
        ],
    );
    assert_eq!(said.verdict("tcp"), "skipped");
}
