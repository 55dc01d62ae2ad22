//! A client that sees every byte: requests as they are written, answers as they came.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

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

/// An answer as it came over the wire.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body came to the end that its framing announced.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn id(&self) -> &str {
        self.header("x-request-id").expect("an x-request-id")
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.whole, "the answer was cut");
        self
    }

    /// An answer of ours: problem+json and NinjaOne-shaped, with all that the contract promises.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str) -> &Self {
        self.is(status);
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], format!("urn:ninjaone-proxy:error:{code}"));
        assert_eq!(body["instance"], format!("/requests/{}", self.id()));
        for text in ["title", "detail", "error", "error_description"] {
            let said = body[text].as_str().unwrap_or_default();
            assert!(!said.is_empty(), "no {text} in {body}");
        }
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"));
        let proxy_status = self.header("proxy-status").unwrap_or_default();
        assert!(
            proxy_status.starts_with("ninjaone-proxy; error="),
            "{proxy_status}"
        );
        self
    }

    /// The integer in `Retry-After`, which is from 1 to 300.
    #[track_caller]
    pub(crate) fn retry_after(&self) -> u64 {
        let seconds = self.header("retry-after").expect("a Retry-After");
        let seconds: u64 = seconds.parse().expect("an integer");
        assert!((1..=300).contains(&seconds), "{seconds}");
        seconds
    }
}

/// A connection on which bytes are sent as they are.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    /// Read and not yet used.
    rest: Vec<u8>,
    answered: Answered,
}

impl Wire {
    pub(crate) fn over(stream: impl Stream + 'static, answered: &Answered) -> Self {
        Self {
            stream: Box::new(stream),
            rest: Vec::new(),
            answered: answered.clone(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("sent");
    }

    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// The next answer; none if the connection closes before its head is complete.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        loop {
            let (status, headers) = self.head().await?;
            if status == 100 {
                continue;
            }
            let mut answer = Answer {
                status,
                headers,
                body: Vec::new(),
                whole: true,
            };
            if let Some(id) = answer.header("x-request-id") {
                self.answered.add(id);
            }
            let without = method == "HEAD" || matches!(status, 204 | 304);
            if !without {
                self.body(&mut answer).await;
            }
            return Some(answer);
        }
    }

    /// Status and headers of what comes next.
    pub(crate) async fn head(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        let end = self.until(b"\r\n\r\n").await?;
        let head: Vec<u8> = self.rest.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.get(9..12)?.parse().ok()?;
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Some((status, headers.collect()))
    }

    async fn body(&mut self, answer: &mut Answer) {
        if answer.header("transfer-encoding") == Some("chunked") {
            self.chunks(answer).await;
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            answer.whole = self.at_least(length).await;
            let length = length.min(self.rest.len());
            answer.body = self.rest.drain(..length).collect();
        } else {
            while self.more().await {}
            answer.body = std::mem::take(&mut self.rest);
        }
    }

    async fn chunks(&mut self, answer: &mut Answer) {
        answer.whole = false;
        while let Some(end) = self.until(b"\r\n").await {
            let line = String::from_utf8_lossy(&self.rest[..end]).into_owned();
            let size = usize::from_str_radix(line.trim(), 16).unwrap();
            self.rest.drain(..end + 2);
            let arrived = self.at_least(size + 2).await;
            let length = size.min(self.rest.len());
            answer.body.extend(self.rest.drain(..length));
            if !arrived {
                return;
            }
            self.rest.drain(..2);
            if size == 0 {
                answer.whole = true;
                return;
            }
        }
    }

    /// True once the other end has closed and nothing is left to read.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.rest.is_empty() && !self.more().await
    }

    async fn until(&mut self, mark: &[u8]) -> Option<usize> {
        loop {
            let found = self.rest.windows(mark.len()).position(|it| it == mark);
            if found.is_some() {
                return found;
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn at_least(&mut self, length: usize) -> bool {
        while self.rest.len() < length {
            if !self.more().await {
                return false;
            }
        }
        true
    }

    async fn more(&mut self) -> bool {
        let mut piece = vec![0; 64 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut piece)).await;
        // A reset ends what was sent, like a close.
        let length = read.expect("an answer in time").unwrap_or(0);
        self.rest.extend_from_slice(&piece[..length]);
        length > 0
    }
}
