//! Only requests for allowed hosts are served, and none that comes from a web page.

use crate::wire::{Client, Wire};

use super::stack::{Stack, key};

const OURS: [&str; 9] = [
    "localhost",
    "LOCALHOST",
    "LocalHost:80",
    "localhost:6465",
    "127.0.0.1",
    "127.0.0.1:6465",
    "127.0.0.1:1",
    "[::1]",
    "[::1]:6465",
];

const FOREIGN: [&str; 40] = [
    "attacker.example",
    "attacker.example:6465",
    "localhost.attacker.example",
    "127.0.0.1.attacker.example",
    "127.0.0.1.nip.io",
    "localhost.",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:0:0:1]x",
    "::1",
    "[::1",
    "[::1]x",
    "[::1%25lo]",
    "[localhost]",
    "localhost:99999",
    "localhost:-1",
    "localhost:+80",
    "localhost:80:80",
    "localhost:",
    "localhost:a",
    "localhost localhost",
    "a b",
    "user@localhost",
    "localhost@attacker.example",
    "localhost/x",
    "localhost?x",
    "localhost#x",
    "localhost,attacker.example",
    "",
    "*",
    "http://localhost",
    "local\thost",
];

/// Header lines that only a browser sends.
const PAGES: [&str; 14] = [
    "Origin: https://evil.example",
    "Origin: null",
    "Origin: http://127.0.0.1:6465",
    "Origin:",
    "ORIGIN: x",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Site: same-site",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Site: None",
    "Sec-Fetch-Site: none, none",
    "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site",
    "Sec-Fetch-Site:",
    "sec-fetch-site: x",
    "Sec-Fetch-Site: none\r\nOrigin: https://evil.example",
];

async fn status(stack: &Stack, lines: &str) -> u16 {
    let key = key("reporting");
    let mut client = Client::new(stack.proxy.callers);
    let bytes = format!("GET /v2/devices HTTP/1.1\r\nX-Api-Key: {key}\r\n{lines}\r\n");
    client.ask(bytes.as_bytes()).await.map_or(0, |it| it.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_hosts_on_the_list_are_answered() {
    let stack = Stack::start();
    for host in OURS {
        assert_eq!(
            status(&stack, &format!("Host: {host}\r\n")).await,
            200,
            "{host}"
        );
    }
    assert_eq!(stack.arrived().len(), OURS.len());
    for host in FOREIGN {
        let status = status(&stack, &format!("Host: {host}\r\n")).await;
        assert!(matches!(status, 400 | 421), "{host:?}: {status}");
    }
    for lines in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nHost: evil\r\n",
    ] {
        assert_eq!(status(&stack, lines).await, 400, "{lines}");
    }
    assert_eq!(stack.arrived().len(), OURS.len());
    stack.proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_comes_from_a_web_page_is_answered() {
    let stack = Stack::start();
    for lines in PAGES {
        let status = status(&stack, &format!("Host: localhost\r\n{lines}\r\n")).await;
        assert_eq!(status, 403, "{lines:?}");
    }
    let preflight = "OPTIONS /v2/devices HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\
                     Access-Control-Request-Method: DELETE\r\nAccess-Control-Request-Private-Network: true\r\n\r\n";
    let mut wire = Wire::to(stack.proxy.callers).await;
    wire.send(preflight).await;
    let reply = wire.answer().await.unwrap();
    assert!(matches!(reply.status, 403 | 405));
    assert!(!reply.head.to_lowercase().contains("access-control"));
    assert_eq!(stack.arrived().len(), 0);
    assert_eq!(
        status(&stack, "Host: localhost\r\nSec-Fetch-Site: none\r\n").await,
        200
    );
    stack.proxy.stop().await;
}
