//! A NinjaOne that sends at the pace of a test: the sandbox's responses are short and come at once.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// Longer than all that lies between it and a caller that does not read.
pub(crate) const LONG_BYTES: usize = 64 << 20;

pub(crate) struct Behind {
    pub(crate) address: SocketAddr,
}

impl Behind {
    /// Answers when all of a body is there: `/v2/devices` with [`LONG_BYTES`], `/v2/organizations` with a byte a second, and
    /// everything else with a list of nothing.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        Self { address }
    }
}

async fn serve(mut stream: TcpStream) {
    // Whoever hangs up ends it.
    while let Some(head) = request(&mut stream).await {
        let told = if head.starts_with("POST /ws/oauth/token") {
            let token = r#"{"access_token":"a-token-of-the-tests","token_type":"Bearer","expires_in":3600,"scope":"monitoring management control"}"#;
            say(&mut stream, token.as_bytes()).await
        } else if head.contains("/v2/devices") {
            say(&mut stream, &vec![b'x'; LONG_BYTES]).await
        } else if head.contains("/v2/organizations") {
            drip(&mut stream).await
        } else {
            say(&mut stream, b"[]").await
        };
        if told.is_err() {
            return;
        }
    }
}

async fn say(stream: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await
}

async fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..1_000_000 {
        stream.write_all(b"x").await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// A head whose body has come; none at the connection's end.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut room = vec![0; 64 * 1024];
    let end = loop {
        if let Some(at) = read.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        let length = stream.read(&mut room).await.ok().filter(|it| *it > 0)?;
        read.extend_from_slice(&room[..length]);
    };
    let mut body = read.split_off(end);
    let head = String::from_utf8(read).ok()?;
    let lower = head.to_ascii_lowercase();
    let length = lower
        .lines()
        .find_map(|it| it.strip_prefix("content-length:"))
        .map_or(0, |it| it.trim().parse::<usize>().unwrap());
    let chunked = lower.contains("transfer-encoding: chunked");
    while (chunked && !body.ends_with(b"0\r\n\r\n")) || body.len() < length {
        let length = stream.read(&mut room).await.ok().filter(|it| *it > 0)?;
        body.extend_from_slice(&room[..length]);
    }
    Some(head)
}
