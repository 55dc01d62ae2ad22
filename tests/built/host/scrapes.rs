//! Metrics on a listener of their own, for scrapers that call a pod by its address, in the format that they ask for.

use std::{net::SocketAddr, process::Command};

use crate::{
    answer::Answer,
    program::PROGRAM,
    proxy::Proxy,
    wire::{Wire, get},
};

use super::{KEY, without_ninjaone};

fn start() -> (Proxy, SocketAddr) {
    let (directory, mut settings) = without_ninjaone();
    settings.set("admin", "metrics", "\"127.0.0.1:0\"");
    let mut proxy = Proxy::start(directory, settings);
    let metrics = proxy.program.address("metrics");
    (proxy, metrics)
}

async fn ask(at: SocketAddr, head: &str) -> Answer {
    let mut wire = Wire::to(at).await;
    wire.send(format!("{head}\r\n\r\n")).await;
    wire.answer().await.expect("an answer")
}

#[tokio::test]
async fn metrics_are_there_by_whatever_name_and_nothing_else_is() {
    let (proxy, at) = start();
    for host in ["10.4.1.9:6470", "ninjaone-proxy.reports.svc", "localhost"] {
        let answer = ask(at, &format!("GET /metrics HTTP/1.1\r\nHost: {host}")).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("ninjaone_proxy_build_info"));
        for path in [
            "/",
            "/status",
            "/livez",
            "/readyz",
            "/login",
            "/metrics/",
            "//metrics",
        ] {
            let answer = ask(at, &format!("GET {path} HTTP/1.1\r\nHost: {host}")).await;
            assert_eq!(answer.status, 404, "{path}");
        }
    }
    let answer = ask(
        at,
        "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0",
    )
    .await;
    assert_eq!(answer.status, 405);
    let answer = ask(
        at,
        "GET /metrics HTTP/1.1\r\nHost: a\r\nOrigin: http://evil.example",
    )
    .await;
    assert_eq!(answer.status, 403, "no page of a browser reads them");
    // What the admin listener shows is not open to all by this.
    let answer = ask(proxy.admin, "GET /metrics HTTP/1.1\r\nHost: 10.4.1.9").await;
    assert_eq!(answer.status, 421);
    proxy.stop().await;
}

#[tokio::test]
async fn the_format_is_the_one_that_the_scraper_asks_for() {
    let (proxy, at) = start();
    for at in [at, proxy.admin] {
        let get = |accept: &str| format!("GET /metrics HTTP/1.1\r\nHost: localhost{accept}");
        let plain = ask(at, &get("\r\nAccept: text/plain;version=0.0.4")).await;
        assert_eq!(
            plain.header("content-type"),
            Some("text/plain; version=0.0.4; charset=utf-8")
        );
        assert!(!plain.text().contains("# EOF"));
        assert!(
            plain
                .text()
                .contains("# TYPE ninjaone_proxy_audit_records_total counter\n")
        );
        assert!(
            plain
                .text()
                .contains("# TYPE ninjaone_proxy_build_info gauge\n")
        );
        for accept in ["", "\r\nAccept: */*"] {
            let open = ask(at, &get(accept)).await;
            assert_eq!(
                open.header("content-type"),
                Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
            );
            assert!(open.text().ends_with("# EOF\n"));
        }
    }
    proxy.stop().await;
}

#[test]
fn two_listeners_on_one_address_are_refused() {
    let (directory, mut settings) = without_ninjaone();
    settings.set("admin", "listen", "\"127.0.0.1:7466\"");
    settings.set("admin", "metrics", "\"0.0.0.0:7466\"");
    directory.configure(&settings.toml());
    let mut command = Command::new(PROGRAM);
    let refused = command
        .args(["config", "check", "--config"])
        .arg(directory.config())
        .output();
    let refused = refused.unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(78));
    assert!(
        said.contains("`admin.listen` listens on this address already"),
        "{said}"
    );
}

#[tokio::test]
async fn one_request_is_not_called_one_requests() {
    let (directory, settings) = without_ninjaone();
    let proxy = Proxy::start(directory, settings);
    let _ = get(proxy.callers, "/v2/users", KEY).await;
    let mut command = Command::new(PROGRAM);
    command
        .args(["status", "--admin", &proxy.admin.to_string()])
        .env("TZ", "XYZ-5:45");
    let said = tokio::task::spawn_blocking(move || command.output().unwrap());
    let said = String::from_utf8(said.await.unwrap().stdout).unwrap();
    for words in [
        "main         1        1\n",
        "Traffic  1 request, 0 in progress",
        " XYZ, fingerprint ",
    ] {
        assert!(said.contains(words), "{said}");
    }
    proxy.stop().await;
}
