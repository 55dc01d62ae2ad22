//! What waits to be written to a caller: heads and short chunks in one buffer, long chunks as they came.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Most that is gathered before it is written, in bytes.
pub const BUFFERED_BYTES_MAX: usize = 128 * 1024;
/// Chunks up to this long, in bytes, are copied behind what waits already: a slice of its own costs the kernel more.
const COPIED_BYTES_MAX: usize = 2 * 1024;
/// Most slices that one system call takes.
const SLICES_MAX: usize = 16;

/// Bytes on their way out: first those of `front` that are not written yet, then `segments`.
#[derive(Default)]
pub struct WriteBuffer {
    front: Vec<u8>,
    written: usize,
    segments: VecDeque<Bytes>,
    segments_bytes: usize,
}

impl WriteBuffer {
    /// How many bytes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.front.len() - self.written + self.segments_bytes
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer to write a head to. Only while no long chunk waits: those are written after it.
    pub fn front(&mut self) -> &mut Vec<u8> {
        &mut self.front
    }

    /// Appends bytes as they are.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= COPIED_BYTES_MAX && self.segments.is_empty() {
            self.front.extend_from_slice(&bytes);
        } else if !bytes.is_empty() {
            self.segments_bytes += bytes.len();
            self.segments.push_back(bytes);
        }
    }

    /// Appends one chunk in the chunked coding (RFC 9112 section 7.1).
    pub fn push_chunk(&mut self, chunk: Bytes) {
        // A chunk of no bytes would be the end.
        if chunk.is_empty() {
            return;
        }
        let mut size = Vec::with_capacity(2 * size_of::<usize>() + 2);
        // Writing to memory does not fail.
        let _ = write!(size, "{:x}\r\n", chunk.len());
        self.push(size.into());
        self.push(chunk);
        self.push(Bytes::from_static(b"\r\n"));
    }

    /// Ends a body in the chunked coding.
    pub fn push_last_chunk(&mut self) {
        self.push(Bytes::from_static(b"0\r\n\r\n"));
    }

    /// Writes until nothing waits any more. Adds the bytes written to `progress`.
    ///
    /// # Errors
    /// The caller takes no more.
    pub fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        socket: &mut S,
        cx: &mut Context<'_>,
        progress: &mut u64,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let socket = Pin::new(&mut *socket);
            let waiting = self.front.get(self.written..).unwrap_or_default();
            let length = if self.segments.is_empty() {
                ready!(socket.poll_write(cx, waiting))?
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let all = std::iter::once(waiting).chain(self.segments.iter().map(|it| &**it));
                let all = all.filter(|it| !it.is_empty());
                let mut count = 0;
                for (slice, bytes) in slices.iter_mut().zip(all) {
                    *slice = IoSlice::new(bytes);
                    count += 1;
                }
                ready!(socket.poll_write_vectored(cx, slices.get(..count).unwrap_or_default()))?
            };
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *progress += length as u64;
            self.advance(length);
        }
        self.front.clear();
        self.written = 0;
        Pin::new(socket).poll_flush(cx)
    }

    fn advance(&mut self, length: usize) {
        let of_front = length.min(self.front.len() - self.written);
        self.written += of_front;
        let mut left = length - of_front;
        self.segments_bytes -= left;
        while let Some(segment) = self.segments.front_mut()
            && left > 0
        {
            let of_segment = left.min(segment.len());
            segment.advance(of_segment);
            left -= of_segment;
            if segment.is_empty() {
                self.segments.pop_front();
            }
        }
    }

    /// Frees the buffers: an idle connection holds none.
    pub fn release(&mut self) {
        self.front = Vec::new();
        self.segments = VecDeque::new();
    }
}
