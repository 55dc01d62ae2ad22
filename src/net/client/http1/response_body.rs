//! Reads a response's body off its connection (RFC 9112 section 6.3).

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::SizeHint;

use crate::net::http1::{
    buffer,
    chunked::DecodedBody,
    framing::{BodyDecoder, Framing},
};

use super::{error::Http1ClientError, transport::Transport};

/// Read at once of a long body.
const BODY_READ_BYTES: usize = 64 * 1024;

/// How reading from the connection ended, if it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadState {
    Open,
    Ended,
    Broken,
}

/// How far the body of the current response has been read.
pub struct ResponseBodyReader {
    decoder: BodyDecoder,
    read_state: ReadState,
    /// Another request may follow on the connection when this body has been read.
    keep_alive: bool,
}

impl ResponseBodyReader {
    /// No body is expected.
    #[must_use]
    pub const fn done() -> Self {
        Self {
            decoder: BodyDecoder::Done,
            read_state: ReadState::Open,
            keep_alive: true,
        }
    }

    /// For a body as the response's head framed it.
    #[must_use]
    pub fn new(framing: Framing, keep_alive: bool) -> Self {
        Self {
            decoder: BodyDecoder::new(framing),
            read_state: ReadState::Open,
            keep_alive,
        }
    }

    /// Whether the body has been read to its end.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Whether the body was read to its end, and its head said that another response may follow.
    #[must_use]
    pub const fn allows_reuse(&self) -> bool {
        self.is_done() && self.keep_alive
    }

    /// What is left, as far as the head declared it.
    #[must_use]
    pub fn size_hint(&self) -> SizeHint {
        match self.decoder {
            BodyDecoder::Done => SizeHint::with_exact(0),
            BodyDecoder::Length(left) => SizeHint::with_exact(left),
            BodyDecoder::Chunked(_) | BodyDecoder::UntilClose => SizeHint::default(),
        }
    }

    /// The next chunk; none at the end.
    ///
    /// # Errors
    /// The connection ended within the body, or its coding is malformed.
    pub fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut Transport,
        read: &mut BytesMut,
    ) -> Poll<Option<Result<Bytes, Http1ClientError>>> {
        loop {
            match self.decoder.decode(read) {
                Ok(DecodedBody::Data(data)) => {
                    if self.decoder.is_at_end(read) {
                        self.decoder = BodyDecoder::Done;
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
                Ok(DecodedBody::End) => {
                    self.decoder = BodyDecoder::Done;
                    return Poll::Ready(None);
                }
                Ok(DecodedBody::NeedMore) => {}
                Err(_) => return Poll::Ready(Some(Err(Http1ClientError::NotHttp))),
            }
            match (self.read_state, &self.decoder) {
                (ReadState::Open, _) => ready!(self.poll_read(cx, transport, read)),
                (ReadState::Ended, BodyDecoder::UntilClose) => self.decoder = BodyDecoder::Done,
                _ => return Poll::Ready(Some(Err(Http1ClientError::Broken))),
            }
        }
    }

    /// Reads what is there, up to a bufferful. Ready: something came, or nothing will.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut Transport,
        read: &mut BytesMut,
    ) -> Poll<()> {
        let wanted = match self.decoder {
            BodyDecoder::Length(left) => buffer::clamp_len(left, BODY_READ_BYTES),
            _ => BODY_READ_BYTES,
        };
        while read.len() < wanted {
            let room = wanted - read.len();
            match transport.poll_fill(cx, read, room) {
                Poll::Pending if read.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => {
                    self.read_state = ReadState::Ended;
                    break;
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => {
                    self.read_state = ReadState::Broken;
                    break;
                }
            }
        }
        Poll::Ready(())
    }
}
