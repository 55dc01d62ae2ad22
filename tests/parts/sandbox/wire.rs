//! A client that sees every byte, and a sandbox for it to talk to.

use std::net::SocketAddr;

use ninjaone_proxy::sandbox::{Sandbox, SandboxOptions, faults::Faults};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const FORM: &str = "grant_type=client_credentials&client_id=sandbox-client&client_secret=sandbox-secret-not-a-real-one";

/// An answer as it came over the wire.
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// One request over a connection of its own; `None` if it closed without an answer.
pub(crate) async fn send(
    at: SocketAddr,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Option<Reply> {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A reset ends what was sent, like a close.
    let _ = stream.read_to_end(&mut bytes).await;
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let rest = &bytes[end + 4..];
    let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    Some(Reply {
        status: head[9..12].parse().unwrap(),
        body: if is_chunked {
            unchunked(rest)
        } else {
            rest.to_vec()
        },
        head,
    })
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|it| it == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let start = line + 2;
        let end = (start + size).min(rest.len());
        body.extend_from_slice(&rest[start..end]);
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    body
}

/// A sandbox and the way to it.
pub(crate) struct TestSandbox {
    pub(crate) ninja: Sandbox,
    pub(crate) at: SocketAddr,
}

impl TestSandbox {
    pub(crate) fn new() -> Self {
        Self::with(SandboxOptions::default())
    }

    /// One that refuses bodies which do not fit.
    pub(crate) fn strict() -> Self {
        let sandbox = Self::new();
        sandbox.ninja.faults().set(Faults {
            check_bodies: true,
            ..Faults::default()
        });
        sandbox
    }

    pub(crate) fn with(options: SandboxOptions) -> Self {
        let ninja = Sandbox::start(options).unwrap();
        let at = ninja.address();
        Self { ninja, at }
    }

    pub(crate) async fn form(&self, body: &str) -> Reply {
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        send(self.at, "POST", "/ws/oauth/token", headers, body)
            .await
            .unwrap()
    }

    pub(crate) async fn token(&self) -> String {
        let reply = self.form(FORM).await;
        assert_eq!(reply.status, 200);
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn call(&self, token: &str, method: &str, target: &str, body: &str) -> Reply {
        let headers =
            format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        send(self.at, method, target, &headers, body).await.unwrap()
    }

    pub(crate) async fn get(&self, token: &str, target: &str) -> Reply {
        self.call(token, "GET", target, "").await
    }

    /// The token of a user, for what an app may not do alone.
    pub(crate) async fn user_token(&self) -> String {
        let body = "{\"client_id\":\"sandbox-web\"}";
        let reply = self.call("", "POST", "/sandbox/logins", body).await;
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Puts the sandbox's clock forward.
    pub(crate) async fn advance(&self, seconds: u64) {
        let body = format!("{{\"advance_seconds\":{seconds}}}");
        let reply = self.call("", "POST", "/sandbox/clock", &body).await;
        assert_eq!(reply.status, 200);
    }

    /// A request with a body, and the answer as JSON: null if it has no body.
    pub(crate) async fn write(
        &self,
        token: &str,
        method: &str,
        target: &str,
        body: &Value,
    ) -> (u16, Value) {
        let reply = self.call(token, method, target, &body.to_string()).await;
        let answer = serde_json::from_slice(&reply.body).unwrap_or_default();
        (reply.status, answer)
    }

    /// A form with one file.
    pub(crate) async fn upload(&self, token: &str, target: &str, part: &str, text: &str) -> Reply {
        let headers = format!(
            "Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
        );
        let body = format!(
            "--edge\r\nContent-Disposition: form-data; {part}\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--edge--\r\n"
        );
        send(self.at, "POST", target, &headers, &body)
            .await
            .unwrap()
    }

    pub(crate) fn saw(&self) -> Vec<String> {
        self.ninja
            .requests()
            .iter()
            .map(|seen| format!("{seen:?}"))
            .collect()
    }
}

pub(crate) fn ids(value: &Value) -> Vec<u64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_u64().unwrap())
        .collect()
}
