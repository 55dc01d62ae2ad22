//! A raw client of HTTP/1.1: requests as they are written, answers as they came, over any stream.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{answer::Answer, wait::WAIT_MAX};

const PIECE_BYTES: usize = 64 * 1024;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The `x-request-id` of every answer that a world's clients were given.
#[derive(Clone, Default)]
pub(crate) struct Answered(Arc<Mutex<Vec<String>>>);

impl Answered {
    pub(crate) fn add(&self, id: &str) {
        self.0.lock().unwrap().push(id.to_owned());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// What is still to come of a body (RFC 9112 section 6).
enum Framing {
    Bytes(usize),
    /// The line that begins a chunk.
    ChunkLine,
    /// The rest of a chunk, without the end of its line.
    Chunk(usize),
    /// The end of a chunk's line; of the last one if true.
    ChunkEnd(bool),
    UntilClose,
}

/// An answer whose body is being read.
struct Coming {
    answer: Answer,
    framing: Framing,
}

impl Coming {
    fn new(answer: Answer, method: &str) -> Self {
        let without = method == "HEAD" || matches!(answer.status, 100..=199 | 204 | 304);
        let framing = if without {
            Framing::Bytes(0)
        } else if answer.header("transfer-encoding") == Some("chunked") {
            Framing::ChunkLine
        } else if let Some(length) = answer.header("content-length") {
            Framing::Bytes(length.parse().unwrap())
        } else {
            Framing::UntilClose
        };
        Self { answer, framing }
    }

    /// Takes what belongs to the body; true at its end.
    fn take(&mut self, from: &mut Vec<u8>) -> bool {
        let body = &mut self.answer.body;
        let mut some = |left: usize, from: &mut Vec<u8>| {
            let length = left.min(from.len());
            body.extend(from.drain(..length));
            left - length
        };
        loop {
            self.framing = match self.framing {
                Framing::Bytes(left) => {
                    let left = some(left, from);
                    self.framing = Framing::Bytes(left);
                    return left == 0;
                }
                Framing::UntilClose => {
                    some(usize::MAX, from);
                    return false;
                }
                Framing::ChunkLine => {
                    let Some(end) = find(from, b"\r\n") else {
                        return false;
                    };
                    let line = String::from_utf8_lossy(&from[..end]).into_owned();
                    from.drain(..end + 2);
                    match usize::from_str_radix(line.trim(), 16).unwrap() {
                        0 => Framing::ChunkEnd(true),
                        size => Framing::Chunk(size),
                    }
                }
                Framing::Chunk(left) => match some(left, from) {
                    0 => Framing::ChunkEnd(false),
                    left => {
                        self.framing = Framing::Chunk(left);
                        return false;
                    }
                },
                Framing::ChunkEnd(is_last) => {
                    if from.len() < 2 {
                        return false;
                    }
                    from.drain(..2);
                    if is_last {
                        return true;
                    }
                    Framing::ChunkLine
                }
            }
        }
    }
}

/// A connection on which bytes are sent as they are.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    /// Read and not yet used.
    rest: Vec<u8>,
    coming: Option<Coming>,
    answered: Answered,
    timeout: Duration,
}

impl Wire {
    pub(crate) async fn to(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    pub(crate) fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            rest: Vec::new(),
            coming: None,
            answered: Answered::default(),
            timeout: WAIT_MAX,
        }
    }

    /// Notes the id of each answer there.
    pub(crate) fn noting(mut self, answered: &Answered) -> Self {
        self.answered = answered.clone();
        self
    }

    /// Waits so long for each chunk of an answer.
    pub(crate) fn patient(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.write(bytes.as_ref()).await.expect("sent");
    }

    /// Whether the other end took it all: it may have had enough before.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.write(bytes.as_ref()).await.is_ok()
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next answer; none if the connection closes before its head is complete. May be given up and asked for again.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        while self.coming.is_none() {
            let answer = self.head().await?;
            if answer.status == 100 {
                continue;
            }
            if let Some(id) = answer.header("x-request-id") {
                self.answered.add(id);
            }
            self.coming = Some(Coming::new(answer, method));
        }
        let whole = self.body().await;
        let mut answer = self.coming.take()?.answer;
        answer.whole = whole;
        Some(answer)
    }

    /// The head of what comes next.
    pub(crate) async fn head(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = find(&self.rest, b"\r\n\r\n") {
                break end;
            }
            if !self.more().await {
                return None;
            }
        };
        let bytes: Vec<u8> = self.rest.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.get(9..12)?.parse().ok()?;
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Some(Answer {
            status,
            headers: headers.collect(),
            head,
            body: Vec::new(),
            whole: false,
        })
    }

    /// Reads the body of what comes; whether all of it came.
    async fn body(&mut self) -> bool {
        loop {
            let Some(coming) = &mut self.coming else {
                return false;
            };
            if coming.take(&mut self.rest) {
                return true;
            }
            let ends_with_it = matches!(coming.framing, Framing::UntilClose);
            if !self.more().await {
                return ends_with_it;
            }
        }
    }

    /// True once the other end has closed and nothing is left to read.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.rest.is_empty() && !self.more().await
    }

    /// Whether the other end closes within `longest`, whatever it says before.
    pub(crate) async fn closes_within(&mut self, longest: Duration) -> bool {
        self.drain(longest).await.1
    }

    /// Everything until the other end closes; and whether it did within `longest`.
    pub(crate) async fn drain(&mut self, longest: Duration) -> (Vec<u8>, bool) {
        let closing = async { while self.read().await {} };
        let closed = timeout(longest, closing).await.is_ok();
        (std::mem::take(&mut self.rest), closed)
    }

    /// Reads some of what has come: so many bytes at most, none at the end.
    pub(crate) async fn sip(&mut self, bytes: usize) -> usize {
        let mut room = vec![0; bytes];
        self.stream.read(&mut room).await.unwrap_or_default()
    }

    async fn more(&mut self) -> bool {
        timeout(self.timeout, self.read())
            .await
            .expect("an answer in time")
    }

    /// Reads once; false at the end.
    async fn read(&mut self) -> bool {
        let mut chunk = vec![0; PIECE_BYTES];
        // A reset ends what was sent, like a close.
        let length = self.stream.read(&mut chunk).await.unwrap_or(0);
        self.rest.extend_from_slice(&chunk[..length]);
        length > 0
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

    /// Sends a head and a body; none if the connection ends without a whole answer.
    pub(crate) async fn ask(&mut self, bytes: &[u8]) -> Option<Answer> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => Wire::to(self.at).await,
        };
        if !wire.try_send(bytes).await {
            return None;
        }
        let method = if bytes.starts_with(b"HEAD ") {
            "HEAD"
        } else {
            "GET"
        };
        let answer = wire.answer_to(method).await.filter(|it| it.whole)?;
        if !answer.closes() {
            self.wire = Some(wire);
        }
        Some(answer)
    }
}

/// A request by `key`, without a body.
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

pub(crate) async fn get(at: SocketAddr, target: &str, key: &str) -> Answer {
    let mut wire = Wire::to(at).await;
    wire.send(request("GET", target, key, "")).await;
    let answer = wire.answer().await.expect("an answer");
    assert!(answer.whole, "the answer was cut");
    answer
}

pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
