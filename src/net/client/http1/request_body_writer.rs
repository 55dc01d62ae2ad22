//! Writes a request's body as its head declared it.

use std::{
    io::Write,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Body;

use crate::net::{body::request_body::RequestBody, http1::framing::Framing, method::Method};

use super::error::Http1ClientError;

/// What is left of a request's body.
pub struct RequestBodyWriter {
    body: RequestBody,
    framing: Framing,
    /// Bytes left of the declared length.
    remaining: u64,
}

impl RequestBodyWriter {
    /// Frames a body: by its length where that is known, else in chunks.
    pub fn new(body: RequestBody) -> Self {
        let framing = match body.size_hint().exact() {
            _ if body.is_empty() => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        let remaining = match framing {
            Framing::Length(length) => length,
            _ => 0,
        };
        Self {
            body,
            framing,
            remaining,
        }
    }

    /// How the request's head declares it: a request that could have a body and has none says so (RFC 9110 section 8.6).
    pub fn framing(&self, method: Method) -> Framing {
        match self.framing {
            Framing::None if !matches!(method, Method::Get | Method::Head) => Framing::Length(0),
            framing => framing,
        }
    }

    /// Whether the request has no body.
    pub fn is_empty(&self) -> bool {
        self.framing == Framing::None
    }

    /// Appends the next chunk to `out`; false when that was the last.
    pub fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Poll<Result<bool, Http1ClientError>> {
        if self.framing == Framing::None {
            return Poll::Ready(Ok(false));
        }
        let Poll::Ready(next) = Pin::new(&mut self.body).poll_frame(cx) else {
            return Poll::Pending;
        };
        match next {
            // Trailers are not sent.
            Some(Ok(frame)) => Poll::Ready(match frame.into_data() {
                Ok(data) => self.append(&data, out),
                Err(_) => Ok(true),
            }),
            Some(Err(_)) => Poll::Ready(Err(Http1ClientError::RequestBody)),
            None => Poll::Ready(self.finish(out)),
        }
    }

    fn append(&mut self, data: &Bytes, out: &mut Vec<u8>) -> Result<bool, Http1ClientError> {
        if data.is_empty() {
            return Ok(true);
        }
        if self.framing == Framing::Chunked {
            // Writing to memory does not fail.
            let _ = write!(out, "{:x}\r\n", data.len());
            out.extend_from_slice(data);
            out.extend_from_slice(b"\r\n");
            return Ok(true);
        }
        self.remaining = self
            .remaining
            .checked_sub(data.len() as u64)
            .ok_or(Http1ClientError::RequestBody)?;
        out.extend_from_slice(data);
        Ok(self.remaining > 0)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<bool, Http1ClientError> {
        match self.framing {
            Framing::Chunked => out.extend_from_slice(b"0\r\n\r\n"),
            _ if self.remaining > 0 => return Err(Http1ClientError::RequestBody),
            _ => {}
        }
        Ok(false)
    }
}

/// A response can come, and the connection end, before the caller has sent everything.
impl Drop for RequestBodyWriter {
    fn drop(&mut self) {
        self.body.take().abandon();
    }
}
