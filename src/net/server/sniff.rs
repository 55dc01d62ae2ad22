//! Tells HTTP/2 from HTTP/1.1 on a plain connection.

use std::{future::Future, io, time::Duration};

use tokio::time::timeout;

/// What a caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// The first bytes of an HTTP/2 connection with prior knowledge (RFC 9113 section 3.4); no HTTP/1 request begins so.
const PREFACE_START: &[u8] = b"PRI ";
/// How long to wait before peeking again when fewer bytes than that have come, in milliseconds.
const PEEK_RETRY_MS: u64 = 100;

/// Tells HTTP/2 from HTTP/1 by the first bytes, without taking them off the socket. Waits `silence` for the first one, and
/// `rest` for the others.
///
/// # Errors
/// When the socket breaks or closes first; `TimedOut` when it says nothing, or not enough.
pub async fn sniff<S: Peek>(socket: &S, silence: Duration, rest: Duration) -> io::Result<Protocol> {
    let mut first = [0_u8; PREFACE_START.len()];
    let length = timeout(silence, socket.peek(&mut first)).await??;
    if let Some(protocol) = detect(&first, length)? {
        return Ok(protocol);
    }
    timeout(rest, async {
        loop {
            tokio::time::sleep(Duration::from_millis(PEEK_RETRY_MS)).await;
            let length = socket.peek(&mut first).await?;
            if let Some(protocol) = detect(&first, length)? {
                return Ok(protocol);
            }
        }
    })
    .await?
}

/// None while too few bytes have come.
fn detect(first: &[u8], length: usize) -> io::Result<Option<Protocol>> {
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if first.get(..length) != PREFACE_START.get(..length) {
        return Ok(Some(Protocol::Http1));
    }
    Ok((length == PREFACE_START.len()).then_some(Protocol::Http2))
}

/// A socket whose first bytes can be read without taking them off.
pub trait Peek {
    /// Waits for bytes and copies them to `buf`; 0 at the end.
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
