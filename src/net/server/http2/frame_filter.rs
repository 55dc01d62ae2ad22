//! Filters the frames that a caller sends before the library reads them. Most pass as they are. Header blocks (RFC 9113
//! sections 6.2 and 6.10) are put together, decompressed, validated and written anew, so that one reader decides what a
//! request is, and that reader is ours.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::server::head_reservation::Share;

use super::{connection_activity::Vigil, hpack, request_head_validator::Judge};

/// "PRI * HTTP/2.0", and what follows (RFC 9113 section 3.4): the library looks at it.
const PREFACE_BYTES: usize = 24;
const FRAME_HEAD_BYTES: usize = 9;
/// Longest frame (RFC 9113 section 6.5.2: the default, which we leave as it is).
const FRAME_BYTES_MAX: usize = 16 * 1024;
/// Most frames of one header block.
const BLOCK_FRAMES_MAX: u32 = 64;
/// By how many bytes a compressed block may be longer than what it stands for.
const BLOCK_BYTES_MORE: usize = 16 * 1024;
/// Bytes read at once. One buffer for each thread: a connection that waits needs none.
const READ_BYTES: usize = 16 * 1024;

/// Longest frame that carries neither headers nor a body, in bytes. The library holds a frame until it is complete.
const CONTROL_BYTES_MAX: usize = 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PUSH_PROMISE: u8 = 5;
/// The last of those that RFC 9113 knows.
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// A frame that makes the library end the connection with a protocol error: CONTINUATION without HEADERS.
const RUIN: [u8; FRAME_HEAD_BYTES] = [0, 0, 0, CONTINUATION, 0, 0, 0, 0, 1];

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// Why the frame filter ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFilterEnd {
    /// What the caller sent is not HTTP/2.
    Malformed,
    /// A header block was incomplete, and its memory was needed for others.
    HeadEvicted,
}

/// A caller's socket behind the filter.
pub struct Gate<S> {
    socket: S,
    head_bytes_max: usize,
    reading: Reading,
    /// The head of a frame, as far as it has come.
    head: ([u8; FRAME_HEAD_BYTES], usize),
    /// An incomplete header block.
    block: Option<Block>,
    share: Share,
    decoder: hpack::Decoder,
    /// The latest stream that a request has come on.
    youngest: u32,
    /// For the library to read.
    out: BytesMut,
    /// Set when the filter ends the connection.
    ended: Arc<OnceLock<FrameFilterEnd>>,
    vigil: Arc<Vigil>,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Head,
    /// A frame that passes as it is.
    Passing(usize),
    /// A frame of an unknown type, which is dropped (RFC 9113 section 4.1).
    Skipping(usize),
    Block(usize),
    /// The connection has failed: nothing is read any more.
    Ruined,
}

struct Block {
    stream: u32,
    flags: u8,
    bytes: Vec<u8>,
    frames: u32,
    /// The frame that is being read is its last.
    is_last: bool,
}

/// The frame is malformed, or beyond a limit: the connection cannot go on.
struct Garbage;

impl<S> Gate<S> {
    /// Filters what comes from `socket`. Heads may have `head_bytes_max` bytes. Why the filter ended the connection, if it did,
    /// is told in `ended`.
    pub fn new(
        socket: S,
        head_bytes_max: usize,
        ended: Arc<OnceLock<FrameFilterEnd>>,
        vigil: Arc<Vigil>,
    ) -> Self {
        Self {
            socket,
            head_bytes_max,
            reading: Reading::Passing(PREFACE_BYTES),
            head: ([0; FRAME_HEAD_BYTES], 0),
            block: None,
            share: Share::default(),
            decoder: hpack::Decoder::default(),
            youngest: 0,
            out: BytesMut::new(),
            ended,
            vigil,
        }
    }

    fn end(&mut self, why: FrameFilterEnd) {
        // The first reason stands.
        let _ = self.ended.set(why);
        self.reading = Reading::Ruined;
        self.block = None;
        self.share.release();
        self.out.extend_from_slice(&RUIN);
    }

    /// Processes what has come; `out` gets what passes.
    fn take(&mut self, mut came: &[u8]) {
        while !came.is_empty() {
            let taken = match self.reading {
                Reading::Ruined => return,
                Reading::Head => self.take_head(came),
                Reading::Passing(left) => {
                    let (passed, _) = came.split_at(left.min(came.len()));
                    self.out.extend_from_slice(passed);
                    self.reading = Reading::Passing(left - passed.len());
                    Ok(passed.len())
                }
                Reading::Skipping(left) => {
                    let skipped = left.min(came.len());
                    self.reading = Reading::Skipping(left - skipped);
                    Ok(skipped)
                }
                Reading::Block(left) => {
                    let (part, _) = came.split_at(left.min(came.len()));
                    if let Some(block) = &mut self.block {
                        block.bytes.extend_from_slice(part);
                    }
                    self.reading = Reading::Block(left - part.len());
                    Ok(part.len())
                }
            };
            let Ok(taken) = taken.and_then(|taken| self.end_frame().map(|()| taken)) else {
                self.end(FrameFilterEnd::Malformed);
                return;
            };
            came.advance(taken);
        }
    }

    /// If the frame that was read is complete, turns to the next one.
    fn end_frame(&mut self) -> Result<(), Garbage> {
        match self.reading {
            Reading::Passing(0) | Reading::Skipping(0) => self.reading = Reading::Head,
            Reading::Block(0) => {
                self.reading = Reading::Head;
                if self.block.as_ref().is_some_and(|it| it.is_last) {
                    self.end_block()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_head(&mut self, came: &[u8]) -> Result<usize, Garbage> {
        let (head, filled) = &mut self.head;
        let room = head.get_mut(*filled..).unwrap_or_default();
        let taken = room.len().min(came.len());
        let (part, _) = came.split_at(taken);
        room.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
        *filled += taken;
        if *filled == FRAME_HEAD_BYTES {
            *filled = 0;
            let head = *head;
            self.begin_frame(head)?;
        }
        Ok(taken)
    }

    fn begin_frame(&mut self, head: [u8; FRAME_HEAD_BYTES]) -> Result<(), Garbage> {
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let length = usize::try_from(length).map_err(|_| Garbage)?;
        // The highest bit means nothing (RFC 9113 section 4.1).
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        if length > FRAME_BYTES_MAX {
            return Err(Garbage);
        }
        match (kind, &mut self.block) {
            (HEADERS, None) if stream != 0 => {
                self.block = Some(Block {
                    stream,
                    flags,
                    bytes: Vec::new(),
                    frames: 1,
                    is_last: flags & END_HEADERS != 0,
                });
                self.reading = Reading::Block(length);
            }
            (CONTINUATION, Some(block)) if stream == block.stream => {
                let bytes_max = self.head_bytes_max + BLOCK_BYTES_MORE;
                block.frames += 1;
                if block.frames > BLOCK_FRAMES_MAX || block.bytes.len() + length > bytes_max {
                    return Err(Garbage);
                }
                block.is_last = flags & END_HEADERS != 0;
                self.reading = Reading::Block(length);
            }
            (HEADERS | CONTINUATION | PUSH_PROMISE, _) | (_, Some(_)) => return Err(Garbage),
            (kind, None) if kind > CONTINUATION => self.reading = Reading::Skipping(length),
            // RFC 9113 section 5.1: there is no body where no request has begun.
            (DATA, None) if stream == 0 || stream > self.youngest => return Err(Garbage),
            (kind, None) if kind != DATA && length > CONTROL_BYTES_MAX => return Err(Garbage),
            (_, None) => {
                self.out.extend_from_slice(&head);
                self.reading = Reading::Passing(length);
            }
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), Garbage> {
        let Some(block) = self.block.take() else {
            return Ok(());
        };
        self.share.release();
        let compressed = block.compressed().ok_or(Garbage)?;
        // A second block on a stream ends its body (RFC 9113 section 8.1).
        let is_trailers = block.stream <= self.youngest;
        self.youngest = self.youngest.max(block.stream);
        let mut judge = Judge::new(self.head_bytes_max, is_trailers);
        let decoded = self
            .decoder
            .decode(compressed, |name, value| judge.take(name, value));
        decoded.map_err(|_| Garbage)?;
        let ends_stream = block.flags & END_STREAM;
        let judged = judge.finish(ends_stream != 0);
        write_block(block.stream, ends_stream, &judged, &mut self.out);
        Ok(())
    }

    /// Copies from `out` as much as there is room for.
    fn give(&mut self, room: &mut ReadBuf<'_>) {
        let length = self.out.len().min(room.remaining());
        room.put_slice(self.out.get(..length).unwrap_or_default());
        self.out.advance(length);
        if self.out.is_empty() {
            self.out = BytesMut::new();
        }
    }
}

impl Block {
    /// Without what HEADERS may have around it (RFC 9113 section 6.2); none if that is longer than the frame. A priority says
    /// nothing any more.
    fn compressed(&self) -> Option<&[u8]> {
        let mut bytes = self.bytes.as_slice();
        let mut padding = 0;
        if self.flags & PADDED != 0 {
            let (length, rest) = bytes.split_first()?;
            (padding, bytes) = (usize::from(*length), rest);
        }
        if self.flags & PRIORITY != 0 {
            bytes = bytes.get(5..)?;
        }
        bytes.get(..bytes.len().checked_sub(padding)?)
    }
}

fn write_block(stream: u32, ends_stream: u8, block: &[u8], out: &mut BytesMut) {
    let mut kind = HEADERS;
    let mut rest = block;
    loop {
        let (part, after) = rest.split_at(rest.len().min(FRAME_BYTES_MAX));
        let mut flags = if after.is_empty() { END_HEADERS } else { 0 };
        if kind == HEADERS {
            flags |= ends_stream;
        }
        let [_, length @ ..] = u32::try_from(part.len()).unwrap_or_default().to_be_bytes();
        out.extend_from_slice(&length);
        out.extend_from_slice(&[kind, flags]);
        out.extend_from_slice(&stream.to_be_bytes());
        out.extend_from_slice(part);
        if after.is_empty() {
            return;
        }
        (kind, rest) = (CONTINUATION, after);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.out.is_empty() {
                this.give(room);
                return Poll::Ready(Ok(()));
            }
            if this.reading == Reading::Ruined {
                return Poll::Ready(Ok(()));
            }
            let polled = READ.with_borrow_mut(|read| {
                let mut read = ReadBuf::new(read);
                ready!(Pin::new(&mut this.socket).poll_read(cx, &mut read))?;
                this.take(read.filled());
                Poll::Ready(Ok::<_, io::Error>(read.filled().len()))
            });
            match polled {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    this.vigil.note_head(this.block.is_some());
                    let held = this.block.as_ref().map(|it| it.bytes.capacity());
                    match held {
                        Some(bytes) if !this.share.keep(bytes, cx.waker()) => {
                            this.end(FrameFilterEnd::HeadEvicted);
                        }
                        _ => return Poll::Pending,
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
