//! TLS towards a server for those who read into buffers of their own, such as the HTTP/2 library.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::worker_cell::WorkerCounter;

use super::tls_stream::TlsStream;

/// A [`TlsStream`] as an [`AsyncRead`] and [`AsyncWrite`].
pub struct TlsIo {
    stream: Box<TlsStream>,
    /// Decrypted and not read yet.
    plain: BytesMut,
    /// How often something has come.
    reads: Arc<WorkerCounter>,
}

impl TlsIo {
    /// `plain`: what came with the handshake, see [`TlsStream::connect`].
    #[must_use]
    pub fn new(stream: Box<TlsStream>, plain: BytesMut) -> Self {
        Self {
            stream,
            plain,
            reads: Arc::default(),
        }
    }

    /// Counts how often something comes, beside what came with the handshake.
    #[must_use]
    pub fn reads(&self) -> Arc<WorkerCounter> {
        Arc::clone(&self.reads)
    }
}

impl AsyncRead for TlsIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.plain.is_empty() {
            // Straight to the reader's buffer; what has no room there waits.
            let (stream, plain) = (&mut this.stream, &mut this.plain);
            ready!(stream.poll_decrypted(cx, |data, _| {
                let (fits, waits) = data.split_at(data.len().min(room.remaining()));
                room.put_slice(fits);
                plain.extend_from_slice(waits);
            }))?;
            this.reads.add(1);
            return Poll::Ready(Ok(()));
        }
        let length = this.plain.len().min(room.remaining());
        room.put_slice(this.plain.get(..length).unwrap_or_default());
        this.plain.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TlsIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, bytes)
    }

    /// One record for all slices: each record costs its reader a decryption.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [slice] = slices {
            return self.stream.poll_write(cx, slice);
        }
        let mut all = Vec::with_capacity(slices.iter().map(|it| it.len()).sum());
        for slice in slices {
            all.extend_from_slice(slice);
        }
        self.stream.poll_write(cx, &all)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.close();
        Poll::Ready(Ok(()))
    }
}
