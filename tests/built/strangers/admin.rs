//! Strangers at the admin listeners: an orchestrator restarts whatever does not answer its probe.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::{
    wait::{WAIT_MAX, until},
    wire::Wire,
};

use super::{
    behind::Behind,
    running::{OPERATOR_KEY, Plan, Running},
};

/// What a probe waits at most: `timeoutSeconds` of `deploy/kubernetes`.
const PROBE: Duration = Duration::from_secs(3);
const PROBES: usize = 15;
/// Probes that may be late: flood and program share what the machine has left beside other tests.
const LATE_MAX: usize = 2;
const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn start() -> Running {
    Plan::before(Behind::start().await.address).start().await
}

/// What a stranger sends before it falls silent.
fn halves() -> Vec<Vec<u8>> {
    let login = format!(
        "POST /login HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPERATOR_KEY}\r\nContent-Length: 1000\r\n\r\n{{"
    );
    [
        "",
        "G",
        "GET /livez HTTP/1.1\r\nHost: loc",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
        &login,
    ]
    .map(|it| it.as_bytes().to_vec())
    .into()
}

/// Keeps `count` connections at `at` that send the beginnings of requests, and opens new ones for those that are closed.
fn flood(
    at: SocketAddr,
    count: usize,
    over: &Arc<AtomicBool>,
    opened: &Arc<AtomicUsize>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let over = Arc::clone(over);
        let opened = Arc::clone(opened);
        let half = halves().swap_remove(number % halves().len());
        tasks.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let Ok(mut stream) = connect_from(number, at).await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                opened.fetch_add(1, Ordering::Relaxed);
                let _ = stream.write_all(&half).await;
                let mut wire = Wire::over(stream);
                wire.closes_within(Duration::from_mins(1)).await;
            }
        });
    }
    tasks
}

/// From one of many addresses of the loopback: one has not ports enough for a flood.
async fn connect_from(number: usize, at: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(2 + number % 200).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0)))?;
    socket.connect(at).await
}

/// From a thread of its own, as an orchestrator is another process: what strangers do to each other here is not measured.
async fn probe(at: SocketAddr) -> Duration {
    let probing = move || {
        let began = Instant::now();
        let mut stream = std::net::TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
        stream.write_all(LIVEZ.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
        began.elapsed()
    };
    tokio::task::spawn_blocking(probing).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_probe_is_answered_while_its_caller_waits_whatever_is_thrown_at_its_listener() {
    let running = start().await;
    for (listener, at) in [("admin", running.admin), ("probes", running.probes)] {
        for count in [64, 256, 2_000] {
            let over = Arc::new(AtomicBool::new(false));
            let opened = Arc::<AtomicUsize>::default();
            let mut strangers = flood(at, count, &over, &opened);
            until("the flood", async || {
                opened.load(Ordering::Relaxed) >= count
            })
            .await;
            let mut took = Vec::new();
            for _ in 0..PROBES {
                took.push(probe(at).await);
            }
            over.store(true, Ordering::Relaxed);
            strangers.shutdown().await;
            let late = took.iter().filter(|it| **it >= PROBE).count();
            assert!(late <= LATE_MAX, "{count} at {listener}: {took:?}");
        }
    }
}

#[tokio::test]
async fn a_probe_has_two_seconds_for_its_head_and_its_answer() {
    let running = start().await;
    for half in ["", "GET /livez HTTP/1.1\r\nHost: loc"] {
        let began = Instant::now();
        let mut wire = Wire::to(running.probes).await;
        wire.send(half).await;
        assert!(wire.closes_within(Duration::from_secs(6)).await, "{half:?}");
        let took = began.elapsed();
        assert!(took > Duration::from_millis(1_900), "{took:?}");
    }
}

#[tokio::test]
async fn a_body_is_waited_for_only_when_its_key_is_good() {
    let running = start().await;
    let begin = |key: &str| {
        format!("POST /login HTTP/1.1\r\nHost: localhost\r\n{key}Content-Length: 30000\r\n\r\n{{")
    };
    let bearer = |key: &str| format!("Authorization: Bearer {key}\r\n");
    for (key, status) in [
        (String::new(), 401),
        (bearer("njp_wrong_0123456789abcdefghijklmnopqrstuvwx"), 403),
    ] {
        let mut wire = Wire::to(running.admin).await;
        wire.send(begin(&key)).await;
        assert_eq!(wire.answer().await.expect("an answer").status, status);
        // What is still on its way does not break the answer.
        wire.try_send(vec![b'x'; 20_000]).await;
        assert!(wire.closes_within(Duration::from_secs(6)).await);
    }

    let mut wire = Wire::to(running.admin).await;
    wire.send(begin(&bearer(OPERATOR_KEY))).await;
    // Longer than a probe has.
    assert!(!wire.closes_within(Duration::from_millis(2_500)).await);
    wire.send(vec![b'x'; 29_999]).await;
    assert_eq!(wire.answer().await.expect("an answer").status, 413);
}
