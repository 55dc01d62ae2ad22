//! A NinjaOne that follows a script, byte for byte, and sends what no honest server would.

use crate::wait::WAIT_MAX;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use ninjaone_proxy::tasks::Tasks;

/// Longest that a connection is held.
const HELD: Duration = Duration::from_secs(30);

/// A request that arrived.
#[derive(Clone)]
pub(crate) struct Got {
    /// Counts from 1, token requests apart.
    pub(crate) number: usize,
    pub(crate) head: String,
}

impl Got {
    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let lines = self.head.split("\r\n").skip(1);
        let pairs = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        pairs.collect()
    }
}

/// What to do with a request.
pub(crate) enum Act {
    /// Say this and close.
    Say(Vec<u8>),
    /// Say this and take the next request.
    Keep(Vec<u8>),
    /// Say this and then nothing, until the other end gives up.
    Hold(Vec<u8>),
    /// Say this and hear the other end out: for one that does not wait for bodies.
    Hear(Vec<u8>),
}

type Script = dyn Fn(&Got) -> Act + Send + Sync;

struct Stage {
    script: Box<Script>,
    /// Answers before the body has come.
    is_hasty: bool,
    got: Mutex<Vec<Got>>,
}

/// The running server; it ends when dropped.
pub(crate) struct Hostile {
    stage: Arc<Stage>,
    pub(crate) address: SocketAddr,
    tasks: Tasks,
}

impl Hostile {
    pub(crate) async fn start(script: impl Fn(&Got) -> Act + Send + Sync + 'static) -> Self {
        Self::launch(script, false).await
    }

    /// One that answers as soon as it knows what is asked; each connection serves one request.
    pub(crate) async fn hasty(script: impl Fn(&Got) -> Act + Send + Sync + 'static) -> Self {
        Self::launch(script, true).await
    }

    async fn launch(script: impl Fn(&Got) -> Act + Send + Sync + 'static, is_hasty: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stage = Arc::new(Stage {
            script: Box::new(script),
            is_hasty,
            got: Mutex::default(),
        });
        let tasks = Tasks::new();
        let (shared, connections) = (Arc::clone(&stage), tasks.clone());
        tasks.spawn_until_shutdown(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stage = Arc::clone(&shared);
                connections.spawn_until_shutdown(async move {
                    // A connection that breaks is what some scripts want.
                    let _ = serve(stream, &stage).await;
                });
            }
        });
        Self {
            stage,
            address,
            tasks,
        }
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.stage.got.lock().unwrap().clone()
    }
}

impl Hostile {
    /// Nobody listens any more when this returns.
    pub(crate) async fn close(&self) {
        self.tasks.request_shutdown();
        self.tasks.join_timeout(WAIT_MAX).await;
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.tasks.request_shutdown();
    }
}

async fn serve(mut stream: TcpStream, stage: &Stage) -> std::io::Result<()> {
    let mut rest = Vec::new();
    while let Some(head) = request(&mut stream, &mut rest, stage.is_hasty).await? {
        if head.starts_with("POST /ws/oauth/token ") {
            let token = r#"{"access_token":"hostile-upstream-token-canary","token_type":"Bearer","expires_in":3600,"scope":"monitoring management control"}"#;
            let length = token.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{token}"
            );
            stream.write_all(answer.as_bytes()).await?;
            continue;
        }
        let got = {
            let mut all = stage.got.lock().unwrap();
            let number = all.len() + 1;
            all.push(Got { number, head });
            all.last().unwrap().clone()
        };
        let act = (stage.script)(&got);
        match act {
            Act::Say(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Act::Keep(bytes) => stream.write_all(&bytes).await?,
            Act::Hear(bytes) => {
                stream.write_all(&bytes).await?;
                while more(&mut stream, &mut rest).await? {}
                return Ok(());
            }
            Act::Hold(bytes) => {
                stream.write_all(&bytes).await?;
                let _ = timeout(HELD, stream.read(&mut [0])).await;
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn request(
    stream: &mut TcpStream,
    rest: &mut Vec<u8>,
    is_hasty: bool,
) -> std::io::Result<Option<String>> {
    let Some(end) = until(stream, rest, b"\r\n\r\n").await? else {
        return Ok(None);
    };
    let head: Vec<u8> = rest.drain(..end + 4).take(end).collect();
    let head = String::from_utf8_lossy(&head).into_owned();
    let lower = head.to_ascii_lowercase();
    if is_hasty && !head.starts_with("POST /ws/") {
        return Ok(Some(head));
    }
    if lower.contains("transfer-encoding: chunked") {
        let Some(end) = until(stream, rest, b"0\r\n\r\n").await? else {
            return Ok(None);
        };
        rest.drain(..end + 5);
    } else if let Some(at) = lower.find("content-length: ") {
        let digits = lower[at + 16..].split("\r\n").next().unwrap_or("0");
        let length: usize = digits.trim().parse().unwrap();
        while rest.len() < length {
            if !more(stream, rest).await? {
                return Ok(None);
            }
        }
        rest.drain(..length);
    }
    Ok(Some(head))
}

async fn until(
    stream: &mut TcpStream,
    rest: &mut Vec<u8>,
    mark: &[u8],
) -> std::io::Result<Option<usize>> {
    loop {
        if let Some(at) = rest.windows(mark.len()).position(|it| it == mark) {
            return Ok(Some(at));
        }
        if !more(stream, rest).await? {
            return Ok(None);
        }
    }
}

async fn more(stream: &mut TcpStream, rest: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut chunk = vec![0; 16 * 1024];
    let length = stream.read(&mut chunk).await?;
    rest.extend_from_slice(&chunk[..length]);
    Ok(length > 0)
}
