//! Tells HTTP/2 from HTTP/1.1 on a plain connection.

use std::{future::Future, io, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// The first bytes of an HTTP/2 connection with prior knowledge (RFC 9113 section 3.4); no HTTP/1 request begins so.
const PREFACE_START: &[u8] = b"PRI ";
/// How long to wait before looking again when fewer bytes than that have come.
const PEEK_AGAIN_MS: u64 = 100;

/// Tells HTTP/2 from HTTP/1 by the first bytes, without taking them off the socket.
///
/// # Errors
/// When the socket breaks or closes first.
pub async fn sniff<S: Peek>(socket: &S) -> io::Result<Protocol> {
    loop {
        let mut first = [0_u8; PREFACE_START.len()];
        let length = socket.peek(&mut first).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first.get(..length) != PREFACE_START.get(..length) {
            return Ok(Protocol::Http1);
        }
        if length == PREFACE_START.len() {
            return Ok(Protocol::Http2);
        }
        tokio::time::sleep(Duration::from_millis(PEEK_AGAIN_MS)).await;
    }
}

/// A socket whose first bytes can be looked at.
pub trait Peek {
    fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;
}

impl Peek for tokio::net::TcpStream {
    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Self::peek(self, buf).await
    }
}

impl Peek for tokio::net::UnixStream {
    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.async_io(tokio::io::Interest::READABLE, || {
            let (length, _) = rustix::net::recv(self, &mut *buf, rustix::net::RecvFlags::PEEK)?;
            Ok(length)
        })
        .await
    }
}
