//! A connection on which bytes are sent as they are.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// For an answer that is known to come.
const PATIENCE: Duration = Duration::from_mins(1);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
    /// As long as its head says.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn id(&self) -> String {
        header(&self.head, "x-request-id").expect("an x-request-id")
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

impl Wire {
    pub(crate) async fn to(at: SocketAddr) -> Self {
        Self::over(TcpStream::connect(at).await.unwrap())
    }

    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            read: Vec::new(),
        }
    }

    /// False if the other end takes no more.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Reads once; false at the end.
    async fn more(&mut self) -> bool {
        let mut room = vec![0; 64 * 1024];
        match self.stream.read(&mut room).await {
            Ok(length @ 1..) => {
                self.read.extend_from_slice(&room[..length]);
                true
            }
            _ => false,
        }
    }

    /// The next answer with a length; none if the connection ends before its head. May be given up and asked for again.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let answer = timeout(PATIENCE, self.answer_at_leisure());
        answer.await.expect("an answer, or the connection's end")
    }

    async fn answer_at_leisure(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|it| it == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.read[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length: usize = header(&head, "content-length").map_or(0, |it| it.parse().unwrap());
        while self.read.len() < end + length && self.more().await {}
        let all = self.read.len().min(end + length);
        let body = self.read.drain(..all).skip(end).collect::<Vec<u8>>();
        Some(Answer {
            status,
            head,
            whole: body.len() == length,
            body,
        })
    }

    /// Whether the other end closes within `patience`, whatever it says before.
    pub(crate) async fn closes_within(&mut self, patience: Duration) -> bool {
        let closing = async { while self.more().await {} };
        timeout(patience, closing).await.is_ok()
    }

    /// Reads some of what has come: so many bytes at most, none at the end.
    pub(crate) async fn sip(&mut self, bytes: usize) -> usize {
        let mut room = vec![0; bytes];
        self.stream.read(&mut room).await.unwrap_or_default()
    }
}
