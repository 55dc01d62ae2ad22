//! The body of an answer while it is read off its connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::net::http1::{
    buffer,
    chunked::Piece,
    framing::{Framing, Unread},
};

use super::{Connection, Failure};

/// Read at once of a long body.
const BODY_READ_BYTES: usize = 64 * 1024;

/// How reading from the connection ended, if it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inflow {
    Open,
    Ended,
    Broken,
}

/// An answer's body. Dropped before its end: the connection is closed, so that no other request reads what is left.
pub struct AnswerBody {
    /// None when it is given back or closed.
    connection: Option<Box<Connection>>,
    unread: Unread,
    inflow: Inflow,
    persists: bool,
}

impl AnswerBody {
    pub(super) fn new(connection: Box<Connection>, framing: Framing, persists: bool) -> Self {
        let mut body = Self {
            connection: Some(connection),
            unread: Unread::of(framing),
            inflow: Inflow::Open,
            persists,
        };
        if body.unread.is_nothing() {
            body.end();
        }
        body
    }

    /// The connection, once the body is read to its end and if another request may follow: unless the server said
    /// otherwise, sent more than its answer, or answered before the request had gone out.
    pub fn take_connection(&mut self) -> Option<Box<Connection>> {
        if self.unread.is_nothing() {
            self.connection.take()
        } else {
            None
        }
    }

    fn end(&mut self) {
        self.unread = Unread::Nothing;
        let is_fit = self.persists && self.connection.as_mut().is_some_and(|it| it.rest());
        if !is_fit {
            self.connection = None;
        }
    }

    fn fail(&mut self, failure: Failure) -> Failure {
        self.unread = Unread::Nothing;
        self.connection = None;
        failure
    }

    /// The next piece of what was read already.
    fn next_piece(&mut self) -> Result<Piece, Failure> {
        let Some(connection) = &mut self.connection else {
            return Ok(Piece::End);
        };
        self.unread
            .next(&mut connection.read)
            .map_err(|_| Failure::NotHttp)
    }

    fn is_at_end(&mut self) -> bool {
        match &mut self.connection {
            Some(connection) => self.unread.is_at_end(&mut connection.read),
            None => true,
        }
    }

    /// Reads what is there, up to a bufferful. Ready: something came, or nothing will.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wanted = match self.unread {
            Unread::Length(left) => buffer::within(left, BODY_READ_BYTES),
            _ => BODY_READ_BYTES,
        };
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(());
        };
        while connection.read.len() < wanted {
            let room = wanted - connection.read.len();
            match connection.poll_fill(cx, room) {
                Poll::Pending if connection.read.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => {
                    self.inflow = Inflow::Ended;
                    break;
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => {
                    self.inflow = Inflow::Broken;
                    break;
                }
            }
        }
        Poll::Ready(())
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = self.get_mut();
        if let Some(connection) = &mut this.connection
            && let Err(failure) = connection.drive(cx)
        {
            return Poll::Ready(Some(Err(this.fail(failure))));
        }
        loop {
            match this.next_piece() {
                Ok(Piece::Data(data)) => {
                    if this.is_at_end() {
                        this.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Piece::End) => {
                    this.end();
                    return Poll::Ready(None);
                }
                Ok(Piece::More) => {}
                Err(failure) => return Poll::Ready(Some(Err(this.fail(failure)))),
            }
            match (this.inflow, &this.unread) {
                (Inflow::Open, _) => ready!(this.poll_read(cx)),
                (Inflow::Ended, Unread::UntilClose) => this.end(),
                _ => return Poll::Ready(Some(Err(this.fail(Failure::Broken)))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.unread.is_nothing()
    }

    fn size_hint(&self) -> SizeHint {
        match self.unread {
            Unread::Nothing => SizeHint::with_exact(0),
            Unread::Length(left) => SizeHint::with_exact(left),
            Unread::Chunks(_) | Unread::UntilClose => SizeHint::default(),
        }
    }
}
