//! HTTP/1.1 towards a server (RFC 9112): one request at a time on a connection, which the request owns until its response has
//! been read. No task runs beside it, and an idle connection is read only to see whether it can be used again.

pub mod error;
pub mod head;
pub mod request_body_writer;
pub mod response_body;
pub mod response_head_reader;
#[cfg(test)]
mod tests;
pub mod transport;

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::SizeHint;

use crate::net::{body::request_body::RequestBody, response::Fields};

use self::{
    head::AnswerHead, request_body_writer::Upload, response_body::ResponseBodyReader,
    response_head_reader::Wait, transport::Transport,
};

pub use self::{error::Failure, head::RequestHead};

/// Bytes read at once of a head; nearly every response fits one read.
const HEAD_READ_BYTES: usize = 16 * 1024;
/// Most of a request's body that waits to be written, in bytes.
const UNWRITTEN_BYTES_MAX: usize = 64 * 1024;
/// Buffer that an idle connection keeps in each direction, in bytes.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// A response whose body is still to be read.
pub struct Answer {
    /// One of HTTP's, not interim.
    pub status: StatusCode,
    /// Those that may reach a caller, and no others.
    pub fields: Fields,
    /// To read the body off.
    pub connection: Box<Connection>,
}

/// How much of a request has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// Nothing of it has been sent.
    Waiting,
    Begun,
    Done,
    /// The server takes no more of it. A response may come all the same, and ends the connection.
    Refused,
}

/// A connection to a server.
pub struct Connection {
    transport: Transport,
    /// What has come and is not used yet.
    read: BytesMut,
    /// What is to be written, and how much of it has been.
    out: Vec<u8>,
    written: usize,
    upload: Option<Upload>,
    sending: Sending,
    response_body: ResponseBodyReader,
}

impl Connection {
    /// A connection that has just been made.
    #[must_use]
    pub fn new(transport: Transport) -> Box<Self> {
        Box::new(Self {
            transport,
            read: BytesMut::new(),
            out: Vec::new(),
            written: 0,
            upload: None,
            sending: Sending::Done,
            response_body: ResponseBodyReader::done(),
        })
    }

    /// Whether an idle connection can be used again: it is open, and nothing has come on it, in whichever layer. Unsolicited
    /// bytes would be taken for the next request's response. If not, it must be closed.
    pub fn is_fit(&mut self, cx: &mut Context<'_>) -> bool {
        self.read.is_empty() && self.transport.is_quiet(cx)
    }

    /// Sends the request and waits for the head of the response. It is read while the body is still being sent: one that
    /// comes early is passed on, and the connection serves no other request.
    ///
    /// # Errors
    /// See [`Failure`]. The connection is closed.
    pub async fn send(
        mut self: Box<Self>,
        head: &RequestHead<'_>,
        body: RequestBody,
    ) -> Result<Answer, Failure> {
        let upload = Upload::new(body);
        head::write_request(&mut self.out, head, upload.framing(head.method));
        self.upload = Some(upload);
        self.sending = Sending::Waiting;
        let mut wait = Wait::new(head.method);
        let head = poll_fn(|cx| self.poll_answer(cx, &mut wait)).await?;
        self.response_body = ResponseBodyReader::new(head.framing, head.persists);
        Ok(Answer {
            status: head.status,
            fields: head.fields,
            connection: self,
        })
    }

    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        wait: &mut Wait,
    ) -> Poll<Result<AnswerHead, Failure>> {
        self.drive(cx)?;
        loop {
            let broken = if self.read.is_empty() && !wait.has_interim() {
                Failure::Unanswered
            } else {
                Failure::Broken
            };
            match ready!(self.poll_fill(cx, HEAD_READ_BYTES)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(broken)),
                Ok(_) => {}
            }
            if let Some(head) = wait.look(&mut self.read)? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        self.transport.poll_fill(cx, &mut self.read, room)
    }

    /// Sends what can be sent now. A server that takes no more of a request may have responded already.
    fn drive(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if matches!(self.sending, Sending::Done | Sending::Refused) {
            return Ok(());
        }
        match self.poll_send(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(())) => {
                self.sending = Sending::Done;
                Ok(())
            }
            Poll::Ready(Err(Failure::Unanswered)) if self.sending == Sending::Begun => {
                self.sending = Sending::Refused;
                self.upload = None;
                Ok(())
            }
            Poll::Ready(Err(error)) => Err(error),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            self.gather(cx)?;
            while let Some(rest) = self.out.get(self.written..)
                && !rest.is_empty()
            {
                match ready!(self.transport.poll_write(cx, rest)) {
                    Ok(0) | Err(_) => return Poll::Ready(Err(Failure::Unanswered)),
                    Ok(length) => {
                        self.written += length;
                        self.sending = Sending::Begun;
                    }
                }
            }
            let wrote = !self.out.is_empty();
            self.out.clear();
            self.written = 0;
            if self.upload.is_some() && wrote {
                continue;
            }
            ready!(self.transport.poll_flush(cx)).map_err(|_| Failure::Unanswered)?;
            return match &self.upload {
                Some(_) => Poll::Pending,
                None => Poll::Ready(Ok(())),
            };
        }
    }

    /// Takes what there is of the request's body, to be written with what is written anyway.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        while self.out.len() < UNWRITTEN_BYTES_MAX
            && let Some(upload) = &mut self.upload
        {
            match upload.poll_append(cx, &mut self.out) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => self.upload = None,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// The next chunk of the response's body. The rest of the request goes out meanwhile.
    ///
    /// # Errors
    /// See [`Failure`]. The connection is fit for nothing but to be closed.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        if let Err(failure) = self.drive(cx) {
            return Poll::Ready(Some(Err(failure)));
        }
        self.response_body
            .poll_data(cx, &mut self.transport, &mut self.read)
    }

    /// Whether the response's body has been read to its end.
    #[must_use]
    pub const fn is_response_done(&self) -> bool {
        self.response_body.is_done()
    }

    /// What is left of the response's body, as far as its head declared it.
    #[must_use]
    pub fn response_size_hint(&self) -> SizeHint {
        self.response_body.size_hint()
    }

    /// After a response: whether another request may follow on this connection. Not if the server said otherwise, sent more
    /// than its response, or responded before the request had gone out. If so, the connection is made ready to be idle.
    pub fn rest(&mut self) -> bool {
        let is_settled = self.read.is_empty() && self.transport.is_settled();
        if !self.response_body.allows_reuse() || self.sending != Sending::Done || !is_settled {
            return false;
        }
        if self.read.capacity() > KEPT_BYTES_MAX {
            self.read = BytesMut::new();
        }
        self.out.shrink_to(KEPT_BYTES_MAX);
        true
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.transport.close();
    }
}
