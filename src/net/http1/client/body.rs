//! The body of an answer while it is read off its connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::net::http1::{
    buffer,
    chunked::{Chunks, Piece},
};

use super::{Connection, Failure, Framing};

/// Read at once of a long body.
const BODY_READ_BYTES: usize = 64 * 1024;

/// What is still to come.
enum Rest {
    Nothing,
    Length(u64),
    Chunks(Chunks),
    UntilClose,
}

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
    rest: Rest,
    inflow: Inflow,
    persists: bool,
}

impl AnswerBody {
    pub(super) fn new(connection: Box<Connection>, framing: Framing, persists: bool) -> Self {
        let rest = match framing {
            Framing::None => Rest::Nothing,
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunks(Chunks::default()),
            Framing::UntilClose => Rest::UntilClose,
        };
        let mut body = Self {
            connection: Some(connection),
            rest,
            inflow: Inflow::Open,
            persists,
        };
        if matches!(body.rest, Rest::Nothing) {
            body.end();
        }
        body
    }

    /// The connection, once the body is read to its end and if another request may follow: unless the server said
    /// otherwise, sent more than its answer, or answered before the request had gone out.
    pub fn take_connection(&mut self) -> Option<Box<Connection>> {
        if matches!(self.rest, Rest::Nothing) {
            self.connection.take()
        } else {
            None
        }
    }

    fn end(&mut self) {
        self.rest = Rest::Nothing;
        let is_fit = self.persists && self.connection.as_mut().is_some_and(|it| it.rest());
        if !is_fit {
            self.connection = None;
        }
    }

    fn fail(&mut self, failure: Failure) -> Failure {
        self.rest = Rest::Nothing;
        self.connection = None;
        failure
    }

    /// The next piece of what was read already.
    fn next_piece(&mut self) -> Result<Piece, Failure> {
        let Some(connection) = &mut self.connection else {
            return Ok(Piece::End);
        };
        let read = &mut connection.read;
        match &mut self.rest {
            Rest::Nothing => Ok(Piece::End),
            Rest::Chunks(chunks) => chunks.next(read).map_err(|_| Failure::NotHttp),
            _ if read.is_empty() => Ok(Piece::More),
            Rest::Length(left) => {
                let length = buffer::within(*left, read.len());
                *left -= length as u64;
                Ok(Piece::Data(buffer::take(read, length)))
            }
            Rest::UntilClose => {
                let length = read.len();
                Ok(Piece::Data(buffer::take(read, length)))
            }
        }
    }

    /// Whether the piece before was the last, as far as can be told without reading.
    fn is_at_end(&mut self) -> bool {
        match (&mut self.rest, &mut self.connection) {
            (Rest::Nothing | Rest::Length(0), _) => true,
            // What is wrong with the framing is told in its turn, after the data before it.
            (Rest::Chunks(chunks), Some(connection)) => {
                chunks.is_at_end(&mut connection.read).unwrap_or(false)
            }
            _ => false,
        }
    }

    /// Reads what is there, up to a bufferful. Ready: something came, or nothing will.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wanted = match self.rest {
            Rest::Length(left) => buffer::within(left, BODY_READ_BYTES),
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
            match (this.inflow, &this.rest) {
                (Inflow::Open, _) => ready!(this.poll_read(cx)),
                (Inflow::Ended, Rest::UntilClose) => this.end(),
                _ => return Poll::Ready(Some(Err(this.fail(Failure::Broken)))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match self.rest {
            Rest::Nothing => SizeHint::with_exact(0),
            Rest::Length(left) => SizeHint::with_exact(left),
            Rest::Chunks(_) | Rest::UntilClose => SizeHint::default(),
        }
    }
}
