//! What an HTTP/1.1 connection runs over: a socket, or TLS on one.

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

use crate::net::tls_stream::TlsStream;

pub enum Transport {
    Plain(TcpStream),
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

    /// Whether nothing that was read or is to be written stays with us, and neither side has ended the stream.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(stream) => stream.is_settled(),
        }
    }

    /// Whether nothing is left in any layer, and both sides are open. The kernel is asked itself: the runtime learns of what
    /// has come only when it looks next. A transport that is not quiet is fit for nothing but to be closed.
    #[must_use]
    pub fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Plain(socket) => {
                let looked = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                matches!(recv(&*socket, &mut [0; 1], looked), Err(Errno::AGAIN))
            }
            Self::Tls(stream) => stream.is_quiet(cx),
        }
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(stream) => stream.poll_write(cx, bytes),
        }
    }

    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => stream.poll_flush(cx),
        }
    }

    /// Says that nothing more will be sent, as far as that can be said without waiting.
    pub fn close(&mut self) {
        match self {
            Self::Plain(socket) => {
                let cx = &mut Context::from_waker(Waker::noop());
                // Whether the server hears it changes nothing.
                let _ = Pin::new(socket).poll_shutdown(cx);
            }
            Self::Tls(stream) => stream.close(),
        }
    }
}
