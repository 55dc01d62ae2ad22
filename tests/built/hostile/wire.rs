//! A client that sends exactly the bytes that it is given.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn closes(&self) -> bool {
        self.header("connection")
            .is_some_and(|it| it.eq_ignore_ascii_case("close"))
    }
}

/// One connection.
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(at: SocketAddr) -> Self {
        let socket = TcpStream::connect(at).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self {
            socket,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// The next answer; none if the connection ends first. `to_head`: of an answer to HEAD, which has no body.
    pub(crate) async fn reply(&mut self, to_head: bool) -> Option<Reply> {
        timeout(PATIENCE, self.read_reply(to_head)).await.ok()?
    }

    async fn read_reply(&mut self, to_head: bool) -> Option<Reply> {
        let end = loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(self.read.get(..end)?).into_owned();
        self.read.drain(..end);
        let mut reply = Reply {
            status: head.get(9..12)?.parse().ok()?,
            head,
            body: Vec::new(),
        };
        if to_head || matches!(reply.status, 100..=199 | 204 | 304) {
            return Some(reply);
        }
        if let Some(length) = reply.header("content-length") {
            let length: usize = length.parse().ok()?;
            while self.read.len() < length {
                self.more().await?;
            }
            reply.body = self.read.drain(..length).collect();
        } else if reply.header("transfer-encoding").is_some() {
            reply.body = self.chunks().await?;
        } else {
            while self.more().await.is_some() {}
            reply.body = std::mem::take(&mut self.read);
        }
        Some(reply)
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = find(&self.read, b"\r\n") {
                    break at;
                }
                self.more().await?;
            };
            let line = String::from_utf8_lossy(self.read.get(..end)?).into_owned();
            let length = usize::from_str_radix(line.trim(), 16).ok()?;
            self.read.drain(..end + 2);
            while self.read.len() < length + 2 {
                self.more().await?;
            }
            body.extend(self.read.drain(..length));
            self.read.drain(..2);
            if length == 0 {
                return Some(body);
            }
        }
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = vec![0; 16 * 1024];
        let length = self.socket.read(&mut buffer).await.ok()?;
        self.read.extend_from_slice(buffer.get(..length)?);
        (length > 0).then_some(())
    }

    /// Everything until the other end closes; and whether it did within `longest`.
    pub(crate) async fn drain(&mut self, longest: Duration) -> (Vec<u8>, bool) {
        let closed = timeout(longest, async { while self.more().await.is_some() {} })
            .await
            .is_ok();
        (std::mem::take(&mut self.read), closed)
    }
}

/// A client that keeps its connection, and opens another when the answer says so.
pub(crate) struct Client {
    at: SocketAddr,
    wire: Option<Wire>,
}

impl Client {
    pub(crate) fn new(at: SocketAddr) -> Self {
        Self { at, wire: None }
    }

    /// Sends a head and a body; none if the connection ends without an answer.
    pub(crate) async fn ask(&mut self, bytes: &[u8]) -> Option<Reply> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => Wire::open(self.at).await,
        };
        wire.send(bytes).await.ok()?;
        let reply = wire.reply(bytes.starts_with(b"HEAD ")).await?;
        if !reply.closes() {
            self.wire = Some(wire);
        }
        Some(reply)
    }
}

/// A request by `key`, with no body.
pub(crate) fn request(method: &str, target: &str, key: &str, headers: &str) -> Vec<u8> {
    let length = match method {
        "GET" | "HEAD" => "",
        _ => "Content-Length: 0\r\n",
    };
    format!(
        "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: {key}\r\n{length}{headers}\r\n"
    )
    .into_bytes()
}

pub(crate) async fn get(at: SocketAddr, target: &str, key: &str) -> Reply {
    let mut wire = Wire::open(at).await;
    wire.send(&request("GET", target, key, "")).await.unwrap();
    wire.reply(false).await.expect("an answer")
}

pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
