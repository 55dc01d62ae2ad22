//! Reads the body of the request under way and passes it to whoever receives it, or drops it.

use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use crate::net::{
    body::{
        channel::{self, Demand, Source},
        incoming_body::WireBody,
    },
    http1::{
        buffer,
        chunked::Piece,
        framing::{Framing, Unread},
    },
};

/// Most of an unwanted body that is read so that the connection can serve another request, in bytes.
pub(super) const DISCARDED_BYTES_MAX: u64 = 256 * 1024;

/// The body of the request under way.
pub struct Upload {
    unread: Unread,
    /// To its receiver, while somebody wants it.
    source: Option<Source>,
    /// The caller holds it back until it is sent `100 Continue` (RFC 9110 section 10.1.1).
    expects_continue: bool,
    /// It is malformed: nobody can tell where it ends.
    is_broken: bool,
}

/// What came of dropping an unwanted body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// It has been dropped to its end.
    All,
    /// More has to be read.
    More,
    /// It is too long, or malformed.
    TooMuch,
}

impl Upload {
    /// A request without a body.
    #[must_use]
    pub fn none() -> Self {
        Self {
            unread: Unread::Nothing,
            source: None,
            expects_continue: false,
            is_broken: false,
        }
    }

    /// After malformed bytes: nothing that follows can be read.
    #[must_use]
    pub fn unreadable() -> Self {
        Self {
            is_broken: true,
            ..Self::none()
        }
    }

    /// The body of a request whose head was just taken off `read`. One that has come already is handed over whole.
    #[must_use]
    pub fn begin(
        framing: Framing,
        expects_continue: bool,
        read: &mut BytesMut,
    ) -> (Self, WireBody) {
        let length = match framing {
            Framing::None | Framing::UntilClose => return (Self::none(), WireBody::Empty),
            Framing::Chunked => None,
            Framing::Length(length) => Some(length),
        };
        if let Some(length) = length
            && let Ok(length) = usize::try_from(length)
            && length <= read.len()
        {
            return (Self::none(), WireBody::Whole(buffer::take(read, length)));
        }
        let (source, inflow) = channel::channel(length);
        let upload = Self {
            unread: Unread::of(framing),
            source: Some(source),
            expects_continue,
            is_broken: false,
        };
        (upload, WireBody::Http1(inflow))
    }

    /// Whether it has been read to its end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.unread.is_nothing() && !self.is_broken
    }

    /// Whether reading the rest is not worth it or impossible, so that no other request can follow.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        let is_too_long = matches!(self.unread, Unread::Length(left) if left > DISCARDED_BYTES_MAX);
        // A caller that waited for `100 Continue` and got a response may send the body or not.
        let is_unsure = self.expects_continue && !self.unread.is_nothing();
        self.is_broken || is_too_long || is_unsure
    }

    /// Whether `100 Continue` is to be sent now; true once.
    pub fn wants_to_continue(&mut self, has_come: bool, cx: &Context<'_>) -> bool {
        if !self.expects_continue {
            return false;
        }
        let is_wanted = self
            .source
            .as_ref()
            .is_some_and(|it| it.poll_demand(cx) == Poll::Ready(Demand::Piece));
        // A caller that did not wait needs none.
        self.expects_continue = !(is_wanted || has_come);
        is_wanted && !has_come
    }

    /// Passes on what has come, as far as it is asked for. Ready when more bytes, or the end of the connection, would make a
    /// difference.
    pub fn poll_feed(&mut self, read: &mut BytesMut, cx: &Context<'_>) -> Poll<()> {
        while let Some(source) = &self.source {
            if ready!(source.poll_demand(cx)) == Demand::Nothing {
                self.source = None;
                break;
            }
            match self.unread.next(read) {
                Ok(Piece::Data(data)) => {
                    source.give(data);
                    if self.unread.is_at_end(read) {
                        self.end();
                    }
                }
                Ok(Piece::End) => self.end(),
                Ok(Piece::More) => break,
                Err(_) => {
                    self.is_broken = true;
                    if let Some(source) = self.source.take() {
                        source.reject();
                    }
                }
            }
        }
        Poll::Ready(())
    }

    /// The response has begun: a caller that waits for `100 Continue` gets that instead.
    pub fn answer(&mut self) {
        self.expects_continue = false;
    }

    fn end(&mut self) {
        self.unread = Unread::Nothing;
        if let Some(source) = self.source.take() {
            source.end();
        }
    }

    /// Cancels it: nobody receives any more.
    pub fn abandon(&mut self) {
        self.source = None;
    }

    /// Drops what has come, up to `left` bytes in all.
    pub fn discard(&mut self, read: &mut BytesMut, left: &mut u64) -> Discarded {
        loop {
            match self.unread.next(read) {
                Ok(Piece::Data(data)) => match left.checked_sub(data.len() as u64) {
                    Some(rest) => *left = rest,
                    None => return Discarded::TooMuch,
                },
                Ok(Piece::End) => {
                    self.unread = Unread::Nothing;
                    return Discarded::All;
                }
                Ok(Piece::More) => return Discarded::More,
                Err(_) => {
                    self.is_broken = true;
                    return Discarded::TooMuch;
                }
            }
        }
    }
}
