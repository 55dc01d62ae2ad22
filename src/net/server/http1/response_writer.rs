//! Writes a response to a caller: its head, then its body as it comes, framed (RFC 9112 section 6).

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{StatusCode, header};
use http_body::Body;

use crate::net::{
    http1::framing::Framing,
    response::{Response, ResponseHeaders},
};

use super::{
    date,
    write_buffer::{BUFFERED_BYTES_MAX, WriteBuffer},
};

/// Room for a head and a short body, in bytes.
const HEAD_ROOM_BYTES: usize = 1024;

/// What a request says about how its response is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResponseContext {
    /// The response has no body (RFC 9110 section 9.3.2).
    pub is_head: bool,
    /// The caller understands chunks.
    pub is_http11: bool,
    /// Another request may follow.
    pub keep_alive: bool,
}

/// A response whose head has been written.
pub struct ResponseWriter<B> {
    /// None: all of it was gathered, or it ended early.
    body: Option<B>,
    framing: Framing,
    is_aborted: bool,
}

/// What filling the write buffer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillResult {
    /// The response is complete.
    Complete,
    /// There may be more, and the buffer is full.
    BufferFull,
    /// The next chunk has not come yet.
    Pending,
    /// It ended early: the caller must not take it for complete.
    Aborted,
}

impl<B> ResponseWriter<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Writes the head. Clears `context.keep_alive` where no other request may follow.
    pub(super) fn begin(
        response: Response<B>,
        context: &mut ResponseContext,
        buffer: &mut WriteBuffer,
    ) -> Self {
        let Response {
            status,
            headers: fields,
            body,
        } = response;
        let has_none = context.is_head || is_bodiless(status);
        let framing = match body.size_hint().exact() {
            _ if has_none => Framing::None,
            Some(length) => Framing::Length(length),
            None if context.is_http11 => Framing::Chunked,
            None => Framing::UntilClose,
        };
        context.keep_alive &=
            framing != Framing::UntilClose && !fields.contains(&header::CONNECTION);
        let out = buffer.front();
        out.reserve(HEAD_ROOM_BYTES);
        write_head(out, status, &fields, framing, context.keep_alive);
        let is_empty = matches!(framing, Framing::None | Framing::Length(0));
        Self {
            body: (!is_empty).then_some(body),
            framing,
            is_aborted: false,
        }
    }

    /// What is left of the body.
    pub(super) fn into_body(self) -> Option<B> {
        self.body
    }

    /// Moves what there is of the body to the write buffer.
    pub(super) fn fill(&mut self, cx: &mut Context<'_>, buffer: &mut WriteBuffer) -> FillResult {
        while let Some(body) = &mut self.body {
            if buffer.len() >= BUFFERED_BYTES_MAX {
                return FillResult::BufferFull;
            }
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return FillResult::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    let is_end = body.is_end_stream();
                    // Trailers end here (RFC 9110 section 6.5.1).
                    if let Ok(data) = frame.into_data() {
                        self.push(data, buffer);
                    }
                    if is_end && self.body.is_some() {
                        self.finish(buffer);
                    }
                }
                Poll::Ready(Some(Err(_))) => self.abort(),
                Poll::Ready(None) => self.finish(buffer),
            }
        }
        if self.is_aborted {
            FillResult::Aborted
        } else {
            FillResult::Complete
        }
    }

    fn push(&mut self, data: Bytes, buffer: &mut WriteBuffer) {
        match &mut self.framing {
            Framing::Length(left) => match left.checked_sub(data.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    buffer.push(data);
                }
                None => self.abort(),
            },
            Framing::Chunked => buffer.push_chunk(data),
            Framing::None | Framing::UntilClose => buffer.push(data),
        }
    }

    fn finish(&mut self, buffer: &mut WriteBuffer) {
        match self.framing {
            Framing::Length(left) if left > 0 => return self.abort(),
            Framing::Chunked => buffer.push_last_chunk(),
            _ => {}
        }
        self.body = None;
    }

    fn abort(&mut self) {
        self.is_aborted = true;
        self.body = None;
    }
}

/// RFC 9110 section 6.4.1.
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn write_head(
    out: &mut Vec<u8>,
    status: StatusCode,
    headers: &ResponseHeaders,
    framing: Framing,
    keep_alive: bool,
) {
    let mut put = |part: &[u8]| out.extend_from_slice(part);
    put(b"HTTP/1.1 ");
    put(status.as_str().as_bytes());
    put(b" ");
    put(status.canonical_reason().unwrap_or_default().as_bytes());
    put(b"\r\n");
    // The length in a response without a body is that of another one (RFC 9110 section 8.6).
    let keeps_length = framing == Framing::None && status != StatusCode::NO_CONTENT;
    let mut has_date = false;
    for (name, value) in headers.iter() {
        if *name == header::CONNECTION
            || *name == header::TRANSFER_ENCODING
            || (*name == header::CONTENT_LENGTH && !keeps_length)
        {
            continue;
        }
        has_date |= *name == header::DATE;
        put(name.as_str().as_bytes());
        put(b": ");
        put(value.as_bytes());
        put(b"\r\n");
    }
    match framing {
        Framing::Length(length) => {
            put(b"content-length: ");
            put(length.to_string().as_bytes());
            put(b"\r\n");
        }
        Framing::Chunked => put(b"transfer-encoding: chunked\r\n"),
        Framing::None | Framing::UntilClose => {}
    }
    if !has_date {
        out.extend_from_slice(b"date: ");
        date::write(out);
        out.extend_from_slice(b"\r\n");
    }
    if !keep_alive {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
