//! What an HTTP/1.1 connection runs over: a socket, or TLS on one.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWrite, BufReader},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// A TLS connection that reads ahead: the TLS library asks for few bytes at a time.
pub type Tls = TlsStream<BufReader<TcpStream>>;

pub enum Transport {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

impl Transport {
    /// Appends what has come to the free room of `buffer`; 0 at the end of the stream.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => pin!(socket.read_buf(buffer)).poll(cx),
            Self::Tls(stream) => pin!(stream.read_buf(buffer)).poll(cx),
        }
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        }
    }

    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    /// Says that nothing more will be sent, as far as that can be said without waiting (RFC 8446 section 6.1).
    pub fn close(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        // Whether the server hears it changes nothing.
        let _ = match self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        };
    }
}
