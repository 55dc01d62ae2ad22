//! The admin listener over real sockets, and the commands that ask it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ninjaone_proxy::{
    admin::{
        AdminService,
        health::ReadinessCondition,
        server::{CONNECTIONS_MAX, serve},
        status_snapshot::StatusSnapshot,
    },
    cli::{healthcheck::HealthcheckArgs, running_proxy::RunningProxy, status},
    tasks::Tasks,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{admin, admin_of, fixture::without_token};

struct Running {
    address: SocketAddr,
    tasks: Tasks,
}

async fn run(admin: AdminService) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::new();
    tasks.spawn(serve(listener, Arc::new(admin), tasks.clone()));
    Running { address, tasks }
}

async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn head_has_the_length_of_get_and_no_body() {
    let running = run(admin()).await;
    let ask = async |method: &str| {
        raw(
            running.address,
            &format!("{method} /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        )
        .await
    };
    let (get, head) = (ask("GET").await, ask("HEAD").await);
    assert!(get.ends_with("\r\n\r\nok\n"), "{get}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("content-length: 3\r\n"), "{head}");
}

#[tokio::test]
async fn with_one_connection_more_than_the_bound_the_oldest_goes() {
    let running = run(admin()).await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        idle.push(TcpStream::connect(running.address).await.unwrap());
    }
    let serving_and_accepting = CONNECTIONS_MAX + 1;
    while running.tasks.running() < serving_and_accepting {
        tokio::task::yield_now().await;
    }

    let answer = raw(
        running.address,
        "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );

    assert!(answer.await.starts_with("HTTP/1.1 200"));
    let mut nothing = [0];
    assert_eq!(idle[0].read(&mut nothing).await.unwrap(), 0);
    assert!(idle[1].try_read(&mut nothing).is_err(), "it is open still");
}

#[tokio::test]
async fn a_stop_ends_the_server() {
    let running = run(admin()).await;
    running.tasks.request_shutdown();
    assert!(running.tasks.join_timeout(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn status_prints_what_the_listener_says_and_exits_by_health() {
    let running = run(admin_of(without_token(), ReadinessCondition::AnyToken)).await;
    let ask = async |json: bool| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let proxy = RunningProxy::at_listener(running.address);
        let shown = status::show(&proxy, json, &mut out, &mut err).await;
        let code = shown.unwrap();
        assert!(err.is_empty());
        let text = String::from_utf8(out).unwrap();
        // Colours are taken off where the program writes.
        (
            u8::from(code),
            anstream::adapter::strip_str(&text).to_string(),
        )
    };
    let (code, text) = ask(false).await;
    assert_eq!(code, 1);
    assert!(text.contains("is down"), "{text}");
    let (_, json) = ask(true).await;
    let object: StatusSnapshot = serde_json::from_str(&json).unwrap();
    assert_eq!(object, without_token());
}

#[tokio::test]
async fn a_listener_on_all_addresses_is_asked_on_the_loopback_one() {
    for all in ["0.0.0.0:0", "[::]:0"] {
        // A machine without IPv6 has one case less.
        let Ok(listener) = TcpListener::bind(all).await else {
            continue;
        };
        let address = listener.local_addr().unwrap();
        let tasks = Tasks::new();
        tasks.spawn(serve(listener, Arc::new(admin()), tasks.clone()));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let proxy = RunningProxy::at_listener(address);
        let shown = status::show(&proxy, false, &mut out, &mut err).await;
        let code = shown.unwrap();
        assert_eq!(
            u8::from(code),
            0,
            "{all}: {}",
            String::from_utf8_lossy(&err)
        );
    }
}

#[tokio::test]
async fn status_says_how_to_start_what_does_not_answer() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let proxy = RunningProxy::at_listener(address);
    let shown = status::show(&proxy, false, &mut out, &mut err).await;
    let code = shown.unwrap();
    assert_eq!(u8::from(code), 1);
    assert!(
        String::from_utf8(err)
            .unwrap()
            .contains("ninjaone-proxy run")
    );
    assert!(out.is_empty());
}

#[tokio::test]
async fn a_healthcheck_answers_by_its_exit_code_and_says_why_it_fails() {
    let running = run(admin_of(without_token(), ReadinessCondition::AnyToken)).await;
    let check = async |ready: bool, verbose: bool| {
        let mut err = Vec::new();
        let healthcheck = HealthcheckArgs {
            ready,
            address: None,
        };
        let code = healthcheck
            .run(
                Some(running.address),
                verbose,
                false,
                &mut Vec::new(),
                &mut err,
            )
            .await
            .unwrap();
        (u8::from(code), String::from_utf8(err).unwrap())
    };
    assert_eq!(check(false, false).await, (0, String::new()));
    for verbose in [false, true] {
        let (code, reasons) = check(true, verbose).await;
        assert_eq!(code, 1);
        assert!(reasons.contains("[-]tokens failed"), "{reasons}");
    }
}
