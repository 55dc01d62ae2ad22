//! What an HTTP/1.1 connection runs over: a TCP socket, or TLS on one.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::TcpStream,
};

use crate::net::client::tls_stream::TlsStream;

/// An open connection to a server.
pub enum Transport {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS whose handshake is done.
    Tls(Box<TlsStream>),
}

impl Transport {
    /// Appends what has come to `buffer`, of which `room` bytes are read at once from a plain socket; 0 at the end of the
    /// stream.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => {
                if buffer.spare_capacity_mut().len() < room {
                    buffer.reserve(room);
                }
                pin!(socket.read_buf(buffer)).poll(cx)
            }
            Self::Tls(stream) => stream.poll_fill(cx, buffer),
        }
    }

    /// Whether no layer of ours holds bytes that were read or are to be written, and neither side has ended the stream.
    #[must_use]
    pub fn has_no_pending_data(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(stream) => stream.has_no_pending_data(),
        }
    }

    /// Whether no bytes are left in any layer, the kernel's included, and both sides are open. The kernel is asked directly:
    /// the runtime learns of what has come only when it polls next. If not, the transport must be closed.
    #[must_use]
    pub fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Plain(socket) => {
                let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                matches!(recv(&*socket, &mut [0; 1], peek), Err(Errno::AGAIN))
            }
            Self::Tls(stream) => stream.is_reusable(cx),
        }
    }

    /// Writes some bytes; what TLS has encrypted may leave later.
    ///
    /// # Errors
    /// The server takes no more.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(stream) => stream.poll_write(cx, bytes),
        }
    }

    /// Writes what TLS has encrypted.
    ///
    /// # Errors
    /// The server takes no more.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => stream.poll_flush(cx),
        }
    }

    /// Ends our side of the connection, as far as that can be done without waiting.
    pub fn close(&mut self) {
        match self {
            Self::Plain(socket) => {
                let cx = &mut Context::from_waker(Waker::noop());
                // An error changes nothing: the connection ends either way.
                let _ = Pin::new(socket).poll_shutdown(cx);
            }
            Self::Tls(stream) => stream.close(),
        }
    }
}
