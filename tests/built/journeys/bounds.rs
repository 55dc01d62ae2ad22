//! Every bound that can be reached from outside, at its last good and its first bad value.

use std::time::{Duration, Instant};

use crate::{answer::Answer, key::hex, wait::until};

use super::{proxy_client::Ask, world::World};

#[track_caller]
fn says(answer: &Answer, detail: &str) {
    assert_eq!(answer.json()["detail"], detail);
}

#[tokio::test]
async fn sixty_four_headers_are_taken_and_sixty_five_are_not() {
    let world = World::new().await;
    let with = |count: usize| -> Ask {
        let ask = world.ask("reports", "GET", "/v2/users");
        // Host and key are two.
        (2..count).fold(ask, |ask, number| ask.header(&format!("X-{number}"), "x"))
    };

    with(64).send().await.is(200);
    let refused = with(65).send().await;
    let many = with(150).send().await;

    refused.refuses(431, "too-large");
    says(&refused, "There are more than 64 header lines.");
    assert_eq!(world.outcome(refused.id()).await["decision"], "too-large");
    assert_eq!(many.status, 431);
    assert_eq!(world.saw().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_head_of_thirty_two_kibibytes_is_taken_and_a_longer_one_is_not() {
    let world = World::new().await;
    let with = |bytes: usize| -> Ask {
        let ask = world.ask("reports", "GET", "/v2/users");
        let rest = bytes - ask.header("X-Pad", "").bytes().len();
        let ask = world.ask("reports", "GET", "/v2/users");
        ask.header("X-Pad", &"x".repeat(rest))
    };
    assert_eq!(with(30 * 1024).bytes().len(), 30 * 1024);
    let piecemeal = async |bytes: usize| {
        let mut wire = world.wire().await;
        for chunk in with(bytes).bytes().chunks(1000) {
            // The connection may be closed before everything is sent.
            wire.try_send(chunk).await;
        }
        wire.answer().await.expect("an answer")
    };

    with(30 * 1024).send().await.is(200);
    piecemeal(30 * 1024).await.is(200);
    for bytes in [33 * 1024, 40 * 1024, 60 * 1024] {
        for refused in [with(bytes).send().await, piecemeal(bytes).await] {
            refused.refuses(431, "too-large");
            let detail = refused.json()["detail"].to_string();
            assert!(
                detail.contains("head (request line and headers)"),
                "{detail}"
            );
            assert!(detail.contains("32 KiB (32,768 bytes)"), "{detail}");
        }
    }

    let outcomes = async || {
        let lines = world.lines().await;
        lines.iter().filter(|it| it["type"] == "outcome").count()
    };
    until("their lines", async || outcomes().await == 8).await;
    assert_eq!(world.saw().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_target_of_eight_kibibytes_is_taken_and_a_longer_one_is_not() {
    let world = World::new().await;
    let target = |bytes: usize| {
        let path = "/v2/users?x=";
        format!("{path}{}", "y".repeat(bytes - path.len()))
    };

    world.get("reports", &target(8192)).await.is(200);
    for bytes in [9000, 33_000, 40_000] {
        let refused = world.get("reports", &target(bytes)).await;
        refused.refuses(414, "too-large");
    }
    let refused = world.get("reports", &target(8193)).await;

    refused.refuses(414, "too-large");
    says(
        &refused,
        "The request's target (path and query) is longer than the allowed 8 KiB (8,192 bytes).",
    );
    assert_eq!(world.saw().len(), 1);
    assert_eq!(world.outcome(refused.id()).await["decision"], "too-large");
    world.end().await;
}

fn small_bodies() -> super::world::Plan {
    World::plan()
        .set("listen", "max_body", "\"64KiB\"")
        .set("listen", "max_upload", "\"128KiB\"")
}

fn chunked(world: &World, target: &str, length: usize) -> Vec<u8> {
    let ask = world.ask("operator", "POST", target);
    let ask = ask.header("Transfer-Encoding", "chunked");
    let mut bytes = ask.bytes();
    for _ in 0..length / 1024 {
        bytes.extend(b"400\r\n");
        bytes.extend([b'x'; 1024]);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("{:x}\r\n", length % 1024).bytes());
    bytes.extend(vec![b'x'; length % 1024]);
    bytes.extend(b"\r\n0\r\n\r\n");
    bytes
}

/// What is said of a body that is one byte longer than `cap`, which is a whole number of KiB below 1000.
fn sizes(cap: usize) -> String {
    let (thousands, rest) = (cap / 1000, cap % 1000);
    format!(
        "has {thousands},{:03} bytes, and at most {} KiB ({thousands},{rest:03} bytes) are allowed",
        rest + 1,
        cap / 1024
    )
}

#[tokio::test]
async fn a_body_at_the_cap_arrives_and_one_byte_more_does_not() {
    let world = small_bodies().start().await;
    let cases = [
        ("/v2/contacts", 64 * 1024),
        ("/v2/attachments/temp/upload", 128 * 1024),
    ];
    for (target, cap) in cases {
        let announced = |length: usize| {
            let ask = world.ask("operator", "POST", target);
            ask.body(vec![b'x'; length])
        };
        let good = announced(cap).send().await;
        assert!(good.status < 300, "{}", good.text());
        let before = world.saw().len();

        let refused = announced(cap + 1).send().await;
        refused.refuses(413, "too-large");
        let detail = refused.json()["detail"].to_string();
        assert!(detail.contains(&sizes(cap)), "{detail}");
        assert_eq!(world.saw().len(), before, "nothing of it was sent");

        let mut wire = world.wire().await;
        wire.try_send(chunked(&world, target, cap + 1)).await;
        let refused = wire.answer().await.unwrap();
        refused.refuses(413, "too-large");
        let detail = refused.json()["detail"].to_string();
        assert!(detail.contains("is longer than the allowed "), "{detail}");
        // A part may have left, but never the whole of it.
        assert_eq!(world.saw().len(), before);
    }
    world.end().await;
}

#[tokio::test]
async fn by_default_sixteen_mebibytes_are_taken_and_uploads_may_be_a_hundred() {
    let world = World::new().await;
    let announce = |target: &str, length: u64| {
        let ask = world.ask("operator", "POST", target);
        let ask = ask.header("Content-Length", &length.to_string());
        ask.header("Expect", "100-continue")
    };
    let cap = 16 << 20;
    let upload_cap = 100 << 20;

    for (target, length) in [
        ("/v2/contacts", cap + 1),
        ("/v2/attachments/temp/upload", upload_cap + 1),
    ] {
        let answer = announce(target, length).send().await;
        answer.refuses(413, "too-large");
    }
    for (target, length) in [
        ("/v2/contacts", cap),
        ("/v2/attachments/temp/upload", upload_cap),
    ] {
        let mut wire = world.wire().await;
        wire.send(announce(target, length).bytes()).await;
        let status = wire.head().await.unwrap().status;
        assert_eq!(status, 100);
    }
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let world = World::plan()
        .set("listen", "connections_per_peer", "3")
        .start()
        .await;
    let ask = world.ask("reports", "GET", "/v2/users");
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut wire = world.wire().await;
        ask.send_on(&mut wire).await.unwrap().is(200);
        open.push(wire);
    }

    assert!(world.wire().await.is_closed().await);
    ask.send_on(&mut open[0]).await.unwrap().is(200);

    drop(open.pop());
    until("a free connection", async || {
        ask.try_send().await.is_some_and(|it| it.status == 200)
    })
    .await;
    drop(open);
    world.end().await;
}

#[tokio::test]
async fn by_default_one_address_has_two_hundred_and_fifty_six_connections() {
    let world = World::new().await;
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(world.wire().await);
    }
    until("all of them", async || world.connections().await == 256).await;

    // One more replaces the oldest that never authenticated.
    let ask = world.ask("reports", "GET", "/v2/users");
    ask.send().await.is(200);
    assert!(open[0].is_closed().await);
    ask.send_on(&mut open[255]).await.unwrap().is(200);
    assert!(world.connections().await <= 256);
    drop(open);
    world.end().await;
}

#[tokio::test]
async fn all_addresses_together_have_so_many_connections_and_no_more() {
    let world = World::plan()
        .set("listen", "connections", "2")
        .start()
        .await;
    let ask = world.ask("reports", "GET", "/v2/users");
    let (mut one, mut two) = (world.wire().await, world.wire().await);
    ask.send_on(&mut one).await.unwrap().is(200);
    ask.send_on(&mut two).await.unwrap().is(200);

    assert!(world.wire().await.is_closed().await);
    // What callers use up is not the admin's.
    world.admin("/livez").await.is(200);
    drop((one, two));
    world.end().await;
}

#[tokio::test]
async fn a_key_of_256_characters_is_good_and_a_longer_one_is_none() {
    use aws_lc_rs::digest::{SHA256, digest};
    let key = format!("_canary{}", "k".repeat(249));
    let longer = format!("{key}k");
    let toml = |name: &str, key: &str| {
        let hash = hex(digest(&SHA256, key.as_bytes()).as_ref());
        format!("[caller.{name}]\nkey = \"sha256:{hash}\"\nallow = [\"read\"]")
    };
    let plan = World::plan().also(&toml("long", &key));
    let world = plan.also(&toml("longer", &longer)).start().await;
    let with = |key: &str| {
        world
            .unauthenticated("GET", "/v2/users")
            .header("X-Api-Key", key)
    };

    with(&key).send().await.is(200);
    with(&longer).send().await.refuses(401, "unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let plan = World::plan().set("timeouts", "idle", "\"200ms\"");
    let world = plan.start().await;
    let mut wire = world.wire().await;
    let ask = world.ask("operator", "POST", "/v2/contacts");
    let ask = ask.header("Content-Length", "100");
    wire.send(ask.bytes()).await;
    wire.send("{").await;

    let answer = wire.answer().await.unwrap();

    answer.refuses(400, "bad-request");
    assert_eq!(world.saw(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_is_given_up_after_ten_seconds() {
    let world = World::new().await;
    let began = Instant::now();
    let (mut part, mut nothing, mut drip) =
        (world.wire().await, world.wire().await, world.wire().await);
    let mut second = world.wire().await;
    let ask = world.ask("reports", "GET", "/v2/users");
    second
        .send([&ask.bytes()[..], b"GET /v2/users HT"].concat())
        .await;
    second.answer().await.unwrap().is(200);
    part.send("GET /v2/users HTTP/1.1\r\nHost: loc").await;
    let dripping = async {
        for byte in "GET /v2/users HTTP/1.1\r\nX: ".bytes().cycle() {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if !drip.try_send([byte]).await {
                return;
            }
        }
    };

    let ended = tokio::join!(part.answer(), nothing.answer(), dripping, second.answer());

    let took = began.elapsed();
    assert!(ended.0.is_none_or(|it| it.status == 408));
    assert!(ended.1.is_none() && ended.3.is_none());
    assert!(took >= Duration::from_secs(9), "{took:?}");
    assert!(took < Duration::from_secs(13), "{took:?}");
    world.end().await;
}
