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

use crate::net::server::head_reservation::HeadReservation;

use super::{
    connection_activity::ConnectionActivity, hpack, request_head_validator::RequestHeadValidator,
};

/// "PRI * HTTP/2.0", and what follows (RFC 9113 section 3.4): the library looks at it.
const PREFACE_BYTES: usize = 24;
const FRAME_HEADER_BYTES: usize = 9;
/// Longest frame (RFC 9113 section 6.5.2: the default, which we leave as it is).
const FRAME_BYTES_MAX: usize = 16 * 1024;
/// Most frames of one header block.
const BLOCK_FRAMES_MAX: u32 = 64;
/// By how many bytes a compressed block may be longer than what it stands for.
const BLOCK_SLACK_BYTES: usize = 16 * 1024;
/// Bytes read at once. One buffer for each thread: a connection that waits needs none.
const READ_BYTES: usize = 16 * 1024;

/// Longest frame that carries neither headers nor a body, in bytes. The library holds a frame until it is complete.
const CONTROL_FRAME_BYTES_MAX: usize = 1024;

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
const PROTOCOL_ERROR_FRAME: [u8; FRAME_HEADER_BYTES] = [0, 0, 0, CONTINUATION, 0, 0, 0, 0, 1];

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
pub struct FrameFilter<S> {
    socket: S,
    head_bytes_max: usize,
    read_state: FrameReadState,
    /// The head of a frame, as far as it has come.
    frame_header: ([u8; FRAME_HEADER_BYTES], usize),
    /// An incomplete header block.
    header_block: Option<HeaderBlock>,
    head_reservation: HeadReservation,
    decoder: hpack::HpackDecoder,
    /// The latest stream that a request has come on.
    last_stream: u32,
    /// For the library to read.
    out: BytesMut,
    /// Set when the filter ends the connection.
    ended: Arc<OnceLock<FrameFilterEnd>>,
    activity: Arc<ConnectionActivity>,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameReadState {
    FrameHeader,
    /// A frame that passes as it is.
    PassThrough(usize),
    /// A frame of an unknown type, which is dropped (RFC 9113 section 4.1).
    Skipping(usize),
    HeaderBlock(usize),
    /// The connection has failed: nothing is read any more.
    Failed,
}

struct HeaderBlock {
    stream: u32,
    flags: u8,
    bytes: Vec<u8>,
    frames: u32,
    /// The frame that is being read is its last.
    is_last: bool,
}

/// The frame is malformed, or beyond a limit: the connection cannot go on.
struct FrameError;

impl<S> FrameFilter<S> {
    /// Filters what comes from `socket`. Heads may have `head_bytes_max` bytes. Why the filter ended the connection, if it did,
    /// is told in `ended`.
    pub fn new(
        socket: S,
        head_bytes_max: usize,
        ended: Arc<OnceLock<FrameFilterEnd>>,
        activity: Arc<ConnectionActivity>,
    ) -> Self {
        Self {
            socket,
            head_bytes_max,
            read_state: FrameReadState::PassThrough(PREFACE_BYTES),
            frame_header: ([0; FRAME_HEADER_BYTES], 0),
            header_block: None,
            head_reservation: HeadReservation::default(),
            decoder: hpack::HpackDecoder::default(),
            last_stream: 0,
            out: BytesMut::new(),
            ended,
            activity,
        }
    }

    fn fail(&mut self, why: FrameFilterEnd) {
        // The first reason stands.
        let _ = self.ended.set(why);
        self.read_state = FrameReadState::Failed;
        self.header_block = None;
        self.head_reservation.release();
        self.out.extend_from_slice(&PROTOCOL_ERROR_FRAME);
    }

    /// Processes what has come; `out` gets what passes.
    fn process(&mut self, mut came: &[u8]) {
        while !came.is_empty() {
            let taken = match self.read_state {
                FrameReadState::Failed => return,
                FrameReadState::FrameHeader => self.read_frame_header(came),
                FrameReadState::PassThrough(left) => {
                    let (passed, _) = came.split_at(left.min(came.len()));
                    self.out.extend_from_slice(passed);
                    self.read_state = FrameReadState::PassThrough(left - passed.len());
                    Ok(passed.len())
                }
                FrameReadState::Skipping(left) => {
                    let skipped = left.min(came.len());
                    self.read_state = FrameReadState::Skipping(left - skipped);
                    Ok(skipped)
                }
                FrameReadState::HeaderBlock(left) => {
                    let (part, _) = came.split_at(left.min(came.len()));
                    if let Some(block) = &mut self.header_block {
                        block.bytes.extend_from_slice(part);
                    }
                    self.read_state = FrameReadState::HeaderBlock(left - part.len());
                    Ok(part.len())
                }
            };
            let Ok(taken) = taken.and_then(|taken| self.end_frame().map(|()| taken)) else {
                self.fail(FrameFilterEnd::Malformed);
                return;
            };
            came.advance(taken);
        }
    }

    /// If the frame that was read is complete, turns to the next one.
    fn end_frame(&mut self) -> Result<(), FrameError> {
        match self.read_state {
            FrameReadState::PassThrough(0) | FrameReadState::Skipping(0) => {
                self.read_state = FrameReadState::FrameHeader;
            }
            FrameReadState::HeaderBlock(0) => {
                self.read_state = FrameReadState::FrameHeader;
                if self.header_block.as_ref().is_some_and(|it| it.is_last) {
                    self.end_block()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn read_frame_header(&mut self, came: &[u8]) -> Result<usize, FrameError> {
        let (head, filled) = &mut self.frame_header;
        let room = head.get_mut(*filled..).unwrap_or_default();
        let taken = room.len().min(came.len());
        let (part, _) = came.split_at(taken);
        room.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
        *filled += taken;
        if *filled == FRAME_HEADER_BYTES {
            *filled = 0;
            let head = *head;
            self.begin_frame(head)?;
        }
        Ok(taken)
    }

    fn begin_frame(&mut self, head: [u8; FRAME_HEADER_BYTES]) -> Result<(), FrameError> {
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let length = usize::try_from(length).map_err(|_| FrameError)?;
        // The highest bit means nothing (RFC 9113 section 4.1).
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        if length > FRAME_BYTES_MAX {
            return Err(FrameError);
        }
        match (kind, &mut self.header_block) {
            (HEADERS, None) if stream != 0 => {
                self.header_block = Some(HeaderBlock {
                    stream,
                    flags,
                    bytes: Vec::new(),
                    frames: 1,
                    is_last: flags & END_HEADERS != 0,
                });
                self.read_state = FrameReadState::HeaderBlock(length);
            }
            (CONTINUATION, Some(block)) if stream == block.stream => {
                let bytes_max = self.head_bytes_max + BLOCK_SLACK_BYTES;
                block.frames += 1;
                if block.frames > BLOCK_FRAMES_MAX || block.bytes.len() + length > bytes_max {
                    return Err(FrameError);
                }
                block.is_last = flags & END_HEADERS != 0;
                self.read_state = FrameReadState::HeaderBlock(length);
            }
            (HEADERS | CONTINUATION | PUSH_PROMISE, _) | (_, Some(_)) => return Err(FrameError),
            (kind, None) if kind > CONTINUATION => {
                self.read_state = FrameReadState::Skipping(length);
            }
            // RFC 9113 section 5.1: there is no body where no request has begun.
            (DATA, None) if stream == 0 || stream > self.last_stream => return Err(FrameError),
            (kind, None) if kind != DATA && length > CONTROL_FRAME_BYTES_MAX => {
                return Err(FrameError);
            }
            (_, None) => {
                self.out.extend_from_slice(&head);
                self.read_state = FrameReadState::PassThrough(length);
            }
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), FrameError> {
        let Some(block) = self.header_block.take() else {
            return Ok(());
        };
        self.head_reservation.release();
        let compressed = block.fragment().ok_or(FrameError)?;
        // A second block on a stream ends its body (RFC 9113 section 8.1).
        let is_trailers = block.stream <= self.last_stream;
        self.last_stream = self.last_stream.max(block.stream);
        let mut judge = RequestHeadValidator::new(self.head_bytes_max, is_trailers);
        let decoded = self
            .decoder
            .decode(compressed, |name, value| judge.add_field(name, value));
        decoded.map_err(|_| FrameError)?;
        let ends_stream = block.flags & END_STREAM;
        let judged = judge.finish(ends_stream != 0);
        write_header_block(block.stream, ends_stream, &judged, &mut self.out);
        Ok(())
    }

    /// Copies from `out` as much as there is room for.
    fn copy_out(&mut self, room: &mut ReadBuf<'_>) {
        let length = self.out.len().min(room.remaining());
        room.put_slice(self.out.get(..length).unwrap_or_default());
        self.out.advance(length);
        if self.out.is_empty() {
            self.out = BytesMut::new();
        }
    }
}

impl HeaderBlock {
    /// Without what HEADERS may have around it (RFC 9113 section 6.2); none if that is longer than the frame. A priority says
    /// nothing any more.
    fn fragment(&self) -> Option<&[u8]> {
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

fn write_header_block(stream: u32, ends_stream: u8, block: &[u8], out: &mut BytesMut) {
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

impl<S: AsyncRead + Unpin> AsyncRead for FrameFilter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.out.is_empty() {
                this.copy_out(room);
                return Poll::Ready(Ok(()));
            }
            if this.read_state == FrameReadState::Failed {
                return Poll::Ready(Ok(()));
            }
            let polled = READ.with_borrow_mut(|read| {
                let mut read = ReadBuf::new(read);
                ready!(Pin::new(&mut this.socket).poll_read(cx, &mut read))?;
                this.process(read.filled());
                Poll::Ready(Ok::<_, io::Error>(read.filled().len()))
            });
            match polled {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    this.activity.set_in_head(this.header_block.is_some());
                    let held = this.header_block.as_ref().map(|it| it.bytes.capacity());
                    match held {
                        Some(bytes) if !this.head_reservation.reserve(bytes, cx.waker()) => {
                            this.fail(FrameFilterEnd::HeadEvicted);
                        }
                        _ => return Poll::Pending,
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameFilter<S> {
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
