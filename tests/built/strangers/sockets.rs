//! Who holds a connection, and who has to give it up.

use std::time::{Duration, Instant};

use tokio::net::UnixStream;

use crate::{
    frames::{Connection, PING, frame},
    wait::until,
    wire::Wire,
};

use super::{
    behind::Behind,
    running::{CLIENT_ID, KEY, Plan, Running, get},
};

/// Much longer than `unproven_idle` in these tests, and much shorter than what an authenticated connection has.
const SOON: Duration = Duration::from_secs(8);

async fn plan() -> Plan {
    Plan::before(Behind::start().await.address)
}

/// A connection that has proved who it is.
async fn authenticated(running: &Running) -> Wire {
    let mut wire = running.wire().await;
    wire.send(get("/v2/users", KEY)).await;
    assert_eq!(wire.answer().await.unwrap().status, 200);
    wire
}

async fn evicted(running: &Running, reason: &str) -> u64 {
    let line = format!("connections_evicted_total{{reason=\"{reason}\"}}");
    running.count(&line).await
}

async fn refused(running: &Running, reason: &str) -> u64 {
    let line = format!("connections_refused_total{{reason=\"{reason}\"}}");
    running.count(&line).await
}

#[tokio::test]
async fn silent_connections_of_an_address_shut_nobody_of_it_out() {
    let running = plan().await.start().await;
    let mut first = authenticated(&running).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(running.wire().await);
    }

    for _ in 0..3 {
        assert_eq!(running.get().await.expect("an answer").status, 200);
    }

    // Who has proved who they are is not sent away, however old the connection is.
    first.send(get("/v2/users", KEY)).await;
    assert_eq!(first.answer().await.unwrap().status, 200);
    assert!(silent[0].closes_within(SOON).await, "the oldest goes first");
    assert!(evicted(&running, "peer").await >= 45);
    assert_eq!(refused(&running, "peer").await, 0);
    let told = || running.told(&["make room", "\"peer\"", "WARN"]);
    until("a line about it", async || !told().is_empty()).await;
    assert!(told().len() <= 3, "{:?}", told());
}

#[tokio::test]
async fn silent_connections_of_many_shut_nobody_out_in_all() {
    let plan = plan().await.listen("connections", "20");
    let running = plan.start().await;
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(running.wire().await);
    }

    assert_eq!(running.get().await.expect("an answer").status, 200);

    assert!(evicted(&running, "total").await >= 40);
}

#[tokio::test]
async fn where_all_are_authenticated_the_newcomer_is_turned_away_and_it_is_told() {
    let plan = plan().await.listen("connections_per_peer", "3");
    let running = plan.start().await;
    let mut wires = Vec::new();
    for _ in 0..3 {
        wires.push(authenticated(&running).await);
    }

    let mut more = running.wire().await;
    assert!(more.closes_within(SOON).await);

    assert_eq!(refused(&running, "peer").await, 1);
    until("a line about it", async || {
        !running.told(&["were refused", "\"peer\""]).is_empty()
    })
    .await;
    for wire in &mut wires {
        wire.send(get("/v2/users", KEY)).await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn who_has_proved_nothing_does_not_idle_for_long() {
    let plan = plan().await.listen("unproven_idle", "\"300ms\"");
    let running = plan.start().await;
    let began = Instant::now();
    let mut stays = authenticated(&running).await;
    let mut silent = running.wire().await;
    let (mut no_key, mut strange) = (running.wire().await, running.wire().await);
    no_key
        .send(get(
            "/v2/users",
            "njp_wrong_0123456789abcdefghijklmnopqrstuvwx",
        ))
        .await;
    assert_eq!(no_key.answer().await.unwrap().status, 401);
    strange
        .send("GET /nothing HTTP/1.1\r\nHost: elsewhere\r\n\r\n")
        .await;
    assert_eq!(strange.answer().await.unwrap().status, 421);

    for wire in [&mut silent, &mut no_key, &mut strange] {
        assert!(wire.closes_within(SOON).await);
    }

    assert!(began.elapsed() >= Duration::from_millis(300));
    until("their count", async || evicted(&running, "idle").await >= 3).await;
    // A second 401 gains no more than the first.
    assert!(!stays.closes_within(Duration::from_millis(900)).await);
    stays.send(get("/v2/users", KEY)).await;
    assert_eq!(stays.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_token_that_was_issued_is_a_proof() {
    let plan = plan().await.listen("unproven_idle", "\"300ms\"");
    let running = plan.start().await;
    let form = |key: &str| {
        let form = format!("grant_type=client_credentials&client_id=main&client_secret={key}");
        format!(
            "POST /ws/oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        )
    };
    let (mut good, mut bad) = (running.wire().await, running.wire().await);
    good.send(form(KEY)).await;
    bad.send(form(CLIENT_ID)).await;
    assert_eq!(good.answer().await.unwrap().status, 200);
    assert_eq!(bad.answer().await.unwrap().status, 401);

    assert!(bad.closes_within(SOON).await);
    assert!(!good.closes_within(Duration::from_millis(900)).await);
}

#[tokio::test]
async fn over_http2_pings_are_no_proof_and_a_401_is_none() {
    let plan = plan().await.listen("unproven_idle", "\"300ms\"");
    let running = plan.start().await;
    let mut authenticated = Connection::open(running.callers).await;
    authenticated.get(1, "/v2/users", KEY).await;
    assert_eq!(authenticated.head(1).await, Some(200));
    let mut wrong = Connection::open(running.callers).await;
    wrong
        .get(
            1,
            "/v2/users",
            "njp_wrong_0123456789abcdefghijklmnopqrstuvwx",
        )
        .await;
    assert_eq!(wrong.head(1).await, Some(401));
    let mut pinging = Connection::open(running.callers).await;

    let began = Instant::now();
    while pinging.send(&frame(PING, 0, 0, &[7; 8])).await {
        assert!(began.elapsed() < SOON, "pings keep it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(wrong.closes_within(SOON).await);
    assert!(
        !authenticated
            .closes_within(Duration::from_millis(900))
            .await
    );
}

#[tokio::test]
async fn a_user_of_a_unix_socket_leaves_half_of_the_places_to_others() {
    let plan = plan()
        .await
        .listen("connections", "8")
        .listen("unix", "[{ path = \"callers.sock\" }]");
    let running = plan.start().await;
    let path = running.path("callers.sock");
    let mut wires = Vec::new();
    for _ in 0..4 {
        let mut wire = Wire::over(UnixStream::connect(&path).await.unwrap());
        wire.send(get("/v2/users", KEY)).await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
        wires.push(wire);
    }

    let mut more = Wire::over(UnixStream::connect(&path).await.unwrap());
    assert!(more.closes_within(SOON).await);
    assert_eq!(running.get().await.expect("an answer").status, 200);
}

#[tokio::test]
async fn where_files_are_few_callers_do_not_take_them_all() {
    let plan = plan()
        .await
        .listen("connections_per_peer", "4000")
        .files(256);
    let running = plan.start().await;
    let mut silent = Vec::new();
    for _ in 0..400 {
        silent.push(running.wire().await);
    }

    for _ in 0..3 {
        assert_eq!(running.get().await.expect("an answer").status, 200);
    }

    // The admin's listener has descriptors, too.
    assert!(evicted(&running, "total").await > 0);
    assert!(!running.told(&["open files"]).is_empty());
}
