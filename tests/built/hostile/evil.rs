//! A NinjaOne that sends whatever it is told to, byte for byte.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::wire::find;

/// A request's head, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) head: String,
    /// The connection that it came on, counted from 1.
    pub(crate) connection: usize,
}

impl Asked {
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target().split_once('?')?;
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// What to send back.
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Bytes without end, this one again and again, until the other end hangs up.
    Flood(Vec<u8>),
    /// Read the request's body, of the length that the head announced.
    ReadBody,
    Close,
}

type Script = Arc<dyn Fn(&Asked) -> Vec<Step> + Send + Sync>;

pub(crate) struct Evil {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Evil {
    pub(crate) async fn start(
        script: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (noted, script): (_, Script) = (Arc::clone(&asked), Arc::new(script));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            let mut count = 0;
            while let Ok((socket, _)) = listener.accept().await {
                count += 1;
                let (noted, script) = (Arc::clone(&noted), Arc::clone(&script));
                connections.spawn(async move {
                    let _ = serve(socket, count, &noted, &script).await;
                });
            }
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }

    /// What was asked, less the calls for tokens.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

const TOKEN: &str = r#"{"access_token":"CANARY-access-token","token_type":"Bearer","expires_in":3600,"scope":"monitoring management control"}"#;

async fn serve(
    mut socket: TcpStream,
    connection: usize,
    noted: &Mutex<Vec<Asked>>,
    script: &Script,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = find(&read, b"\r\n\r\n") {
                break at + 4;
            }
            let mut buffer = vec![0; 16 * 1024];
            let length = socket.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            read.extend_from_slice(&buffer[..length]);
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        read.drain(..end);
        let asked = Asked { head, connection };
        if asked.target() == "/ws/oauth/token" {
            read_body(&mut socket, &mut read, &asked).await?;
            socket.write_all(&ok("application/json", TOKEN)).await?;
            continue;
        }
        noted.lock().unwrap().push(asked.clone());
        for step in script(&asked) {
            match step {
                Step::Send(bytes) => socket.write_all(&bytes).await?,
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Flood(bytes) => loop {
                    socket.write_all(&bytes).await?;
                },
                Step::ReadBody => read_body(&mut socket, &mut read, &asked).await?,
                Step::Close => return socket.shutdown().await,
            }
        }
    }
}

async fn read_body(
    socket: &mut TcpStream,
    read: &mut Vec<u8>,
    asked: &Asked,
) -> std::io::Result<()> {
    let length = asked
        .header("content-length")
        .and_then(|it| it.parse().ok());
    let length: usize = length.unwrap_or_default();
    while read.len() < length {
        let mut buffer = vec![0; 16 * 1024];
        let more = socket.read(&mut buffer).await?;
        if more == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&buffer[..more]);
    }
    read.drain(..length);
    Ok(())
}

/// A plain answer with this body.
pub(crate) fn ok(content_type: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
