//! Reads the body of the request under way and passes it to whoever receives it, or drops it.

use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use crate::net::{
    body::{
        channel::{self, BodyDemand, BodySender},
        incoming_body::IncomingBody,
    },
    http1::{
        buffer,
        chunked::DecodedBody,
        framing::{BodyDecoder, Framing},
    },
};

/// Most of an unwanted body that is read so that the connection can serve another request, in bytes.
pub(super) const DISCARDED_BYTES_MAX: u64 = 256 * 1024;

/// The body of the request under way.
pub struct RequestBodyReader {
    decoder: BodyDecoder,
    /// To its receiver, while somebody wants it.
    sender: Option<BodySender>,
    /// The caller holds it back until it is sent `100 Continue` (RFC 9110 section 10.1.1).
    expects_continue: bool,
    /// It is malformed: nobody can tell where it ends.
    is_broken: bool,
}

/// What came of dropping an unwanted body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardResult {
    /// It has been dropped to its end.
    Complete,
    /// More has to be read.
    NeedMore,
    /// It is too long, or malformed.
    LimitExceeded,
}

impl RequestBodyReader {
    /// A request without a body.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            decoder: BodyDecoder::Done,
            sender: None,
            expects_continue: false,
            is_broken: false,
        }
    }

    /// After malformed bytes: nothing that follows can be read.
    #[must_use]
    pub fn broken() -> Self {
        Self {
            is_broken: true,
            ..Self::empty()
        }
    }

    /// The body of a request whose head was just taken off `read`. One that has come already is handed over whole.
    #[must_use]
    pub fn begin(
        framing: Framing,
        expects_continue: bool,
        read: &mut BytesMut,
    ) -> (Self, IncomingBody) {
        let length = match framing {
            Framing::None | Framing::UntilClose => return (Self::empty(), IncomingBody::Empty),
            Framing::Chunked => None,
            Framing::Length(length) => Some(length),
        };
        if let Some(length) = length
            && let Ok(length) = usize::try_from(length)
            && length <= read.len()
        {
            return (
                Self::empty(),
                IncomingBody::Buffered(buffer::split_bytes(read, length)),
            );
        }
        let (sender, receiver) = channel::channel(length);
        let reader = Self {
            decoder: BodyDecoder::new(framing),
            sender: Some(sender),
            expects_continue,
            is_broken: false,
        };
        (reader, IncomingBody::Http1(receiver))
    }

    /// Whether it has been read to its end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.decoder.is_done() && !self.is_broken
    }

    /// Whether somebody waits for more of it.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.sender.is_some()
    }

    /// Whether reading the rest is not worth it or impossible, so that no other request can follow.
    #[must_use]
    pub fn prevents_keep_alive(&self) -> bool {
        let is_too_long =
            matches!(self.decoder, BodyDecoder::Length(left) if left > DISCARDED_BYTES_MAX);
        // A caller that waited for `100 Continue` and got a response may send the body or not.
        let is_unsure = self.expects_continue && !self.decoder.is_done();
        self.is_broken || is_too_long || is_unsure
    }

    /// Whether `100 Continue` is to be sent now; true once.
    pub fn should_send_continue(&mut self, has_come: bool, cx: &Context<'_>) -> bool {
        if !self.expects_continue {
            return false;
        }
        let is_wanted = self
            .sender
            .as_ref()
            .is_some_and(|it| it.poll_demand(cx) == Poll::Ready(BodyDemand::Chunk));
        // A caller that did not wait needs none.
        self.expects_continue = !(is_wanted || has_come);
        is_wanted && !has_come
    }

    /// Passes on what has come, as far as it is asked for. Ready when more bytes, or the end of the connection, would make a
    /// difference.
    pub fn poll_feed(&mut self, read: &mut BytesMut, cx: &Context<'_>) -> Poll<()> {
        while let Some(sender) = &self.sender {
            if ready!(sender.poll_demand(cx)) == BodyDemand::Cancelled {
                self.sender = None;
                break;
            }
            match self.decoder.decode(read) {
                Ok(DecodedBody::Data(data)) => {
                    sender.send(data);
                    if self.decoder.is_at_end(read) {
                        self.finish();
                    }
                }
                Ok(DecodedBody::End) => self.finish(),
                Ok(DecodedBody::NeedMore) => break,
                Err(_) => {
                    self.is_broken = true;
                    if let Some(sender) = self.sender.take() {
                        sender.fail_malformed();
                    }
                }
            }
        }
        Poll::Ready(())
    }

    /// The response has begun: a caller that waits for `100 Continue` gets that instead.
    pub fn response_started(&mut self) {
        self.expects_continue = false;
    }

    fn finish(&mut self) {
        self.decoder = BodyDecoder::Done;
        if let Some(sender) = self.sender.take() {
            sender.complete();
        }
    }

    /// Cancels it: nobody receives any more.
    pub fn abandon(&mut self) {
        self.sender = None;
    }

    /// Drops what has come, up to `left` bytes in all.
    pub fn discard(&mut self, read: &mut BytesMut, left: &mut u64) -> DiscardResult {
        loop {
            match self.decoder.decode(read) {
                Ok(DecodedBody::Data(data)) => match left.checked_sub(data.len() as u64) {
                    Some(rest) => *left = rest,
                    None => return DiscardResult::LimitExceeded,
                },
                Ok(DecodedBody::End) => {
                    self.decoder = BodyDecoder::Done;
                    return DiscardResult::Complete;
                }
                Ok(DecodedBody::NeedMore) => return DiscardResult::NeedMore,
                Err(_) => {
                    self.is_broken = true;
                    return DiscardResult::LimitExceeded;
                }
            }
        }
    }
}
