//! Callers that end their side of the connection after the request and read on, as `nc` and some HTTP/1.0 clients do.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    directory::{Directory, write_private},
    wait::until,
    wire::Stream,
};

use super::{
    hostile::{Act, Hostile},
    protocols::{certificate, https_address, tls},
    world::World,
};

/// Sends the bytes, ends our side, and reads to the end.
async fn told_after(mut stream: impl Stream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).await.unwrap();
    String::from_utf8(told).unwrap()
}

async fn plain(world: &World) -> tokio::net::TcpStream {
    tokio::net::TcpStream::connect(world.callers).await.unwrap()
}

fn answers(told: &str) -> usize {
    told.matches("HTTP/1.1 2").count()
}

#[tokio::test]
async fn a_half_closed_caller_gets_its_answer_to_reads_and_writes() {
    let world = World::new().await;
    world.trouble(r#"{"slow_ms":200}"#);
    let read = world.ask("reports", "GET", "/v2/users").bytes();
    let write = world
        .ask("operator", "PATCH", "/v2/device/101")
        .body("{}")
        .bytes();
    let old = String::from_utf8(read.clone())
        .unwrap()
        .replace("HTTP/1.1", "HTTP/1.0");
    let refused = world
        .ask("reports", "PATCH", "/v2/device/101")
        .body("{}")
        .bytes();

    let told = told_after(plain(&world).await, &read).await;
    assert!(
        told.starts_with("HTTP/1.1 200") && told.ends_with(']'),
        "{told}"
    );
    assert!(told.contains("connection: close"), "{told}");
    let told = told_after(plain(&world).await, &write).await;
    assert!(told.starts_with("HTTP/1.1 204"), "{told}");
    let told = told_after(plain(&world).await, old.as_bytes()).await;
    assert!(
        told.starts_with("HTTP/1.1 200") && told.ends_with(']'),
        "{told}"
    );
    let told = told_after(plain(&world).await, &refused).await;
    assert!(told.starts_with("HTTP/1.1 403"), "{told}");
    let told = told_after(plain(&world).await, b"nonsense\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 400"), "{told}");
    // All that came before the end is answered.
    let told = told_after(plain(&world).await, &[read.clone(), write, read].concat()).await;
    assert_eq!(answers(&told), 3, "{told}");
    world.end().await;
}

#[tokio::test]
async fn a_half_closed_caller_gets_its_answer_over_tls() {
    let (cert, key) = certificate();
    let kept = Directory::new();
    let (cert_file, key_file) = (kept.path().join("tls.crt"), kept.path().join("tls.key"));
    std::fs::write(&cert_file, &cert).unwrap();
    write_private(&key_file, &key);
    let https = format!("[{{ bind = \"127.0.0.1:0\", cert = {cert_file:?}, key = {key_file:?} }}]");
    let world = World::plan().set("listen", "https", &https).start().await;
    world.trouble(r#"{"slow_ms":200}"#);
    let address = https_address(&world).await;
    let read = world.ask("reports", "GET", "/v2/users").bytes();
    let write = world
        .ask("operator", "PATCH", "/v2/device/101")
        .body("{}")
        .bytes();

    for (ask, status) in [(read, 200), (write, 204)] {
        let stream = tls(address, &cert, b"http/1.1").await.unwrap();
        let told = told_after(stream, &ask).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{told}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_half_closed_caller_that_waits_longer_is_asked_whether_it_is_there() {
    let world = World::new().await;
    world.trouble(r#"{"slow_ms":1800}"#);
    let read = world.ask("reports", "GET", "/v2/users").bytes();

    let told = told_after(plain(&world).await, &read).await;

    // Any number of interim answers, which clients skip, and the answer.
    let told = told.replace("HTTP/1.1 100 Continue\r\n\r\n", "");
    assert!(
        told.starts_with("HTTP/1.1 200") && told.ends_with(']'),
        "{told}"
    );
    world.end().await;
}

#[tokio::test]
async fn callers_that_vanish_hold_no_share_of_the_tenant() {
    let hostile = Hostile::start(|_| Act::Hold(Vec::new())).await;
    let world = World::in_front_of(hostile).await;
    let read = world.ask("reports", "GET", "/v2/devices").bytes();
    let old = String::from_utf8(read.clone())
        .unwrap()
        .replace("HTTP/1.1", "HTTP/1.0");
    let mut streams = Vec::new();
    for number in 0..10 {
        let mut stream = plain(&world).await;
        let ask: &[u8] = if number % 2 == 0 {
            &read
        } else {
            old.as_bytes()
        };
        stream.write_all(ask).await.unwrap();
        streams.push(stream);
    }
    until("all to be under way", async || world.arrivals().len() == 10).await;
    let in_flight = async || world.status().await["tenants"][0]["budget"]["in_flight"].as_u64();
    assert_eq!(in_flight().await, Some(10));

    drop(streams);

    // What speaks HTTP/1.1 is noticed at once, the rest after ten seconds.
    let began = std::time::Instant::now();
    until("the first five", async || in_flight().await <= Some(5)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    until("all of them", async || in_flight().await == Some(0)).await;
    world.end().await;
}
