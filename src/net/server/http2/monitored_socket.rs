//! A caller's socket that reports whether writes go through.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection_activity::ConnectionActivity;

/// A socket that records in the connection's activity what becomes of its writes.
pub(super) struct MonitoredSocket<S> {
    socket: S,
    activity: Arc<ConnectionActivity>,
}

impl<S> MonitoredSocket<S> {
    /// Records in `activity` what becomes of writes to `socket`.
    pub(super) fn new(socket: S, activity: Arc<ConnectionActivity>) -> Self {
        Self { socket, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MonitoredSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S> MonitoredSocket<S> {
    fn record_write<T>(&self, polled: Poll<T>) -> Poll<T> {
        let blocked = polled.is_pending();
        if !blocked {
            self.activity.record_progress();
        }
        self.activity.write_blocked.set(blocked);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MonitoredSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.record_write(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_flush(cx);
        // Nothing to flush is no progress, but a flush that waits is a caller who does not read.
        let blocked = polled.is_pending();
        self.activity.write_blocked.set(blocked);
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.record_write(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
