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

use crate::net::{body::request_body::RequestBody, response::ResponseHeaders};

use self::{
    head::ResponseHead, request_body_writer::RequestBodyWriter, response_body::ResponseBodyReader,
    response_head_reader::ResponseHeadReader, transport::Transport,
};

pub use self::{error::Http1ClientError, head::OutgoingRequestHead};

/// Bytes read at once of a head; nearly every response fits one read.
const HEAD_READ_BYTES: usize = 16 * 1024;
/// Most of a request's body that waits to be written, in bytes.
const UNWRITTEN_BYTES_MAX: usize = 64 * 1024;
/// Buffer that an idle connection keeps in each direction, in bytes.
const IDLE_BUFFER_BYTES_MAX: usize = 16 * 1024;

/// A response whose body is still to be read.
pub struct Http1Response {
    /// One of HTTP's, not interim.
    pub status: StatusCode,
    /// Those that may reach a caller, and no others.
    pub headers: ResponseHeaders,
    /// To read the body off.
    pub connection: Box<Http1ClientConnection>,
}

/// How much of a request has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SendState {
    /// Nothing of it has been sent.
    NotStarted,
    Started,
    Done,
    /// The server takes no more of it. A response may come all the same, and ends the connection.
    Rejected,
}

/// A connection to a server.
pub struct Http1ClientConnection {
    transport: Transport,
    /// What has come and is not used yet.
    read_buffer: BytesMut,
    /// What is to be written, and how much of it has been.
    write_buffer: Vec<u8>,
    written: usize,
    request_body: Option<RequestBodyWriter>,
    send_state: SendState,
    response_body: ResponseBodyReader,
}

impl Http1ClientConnection {
    /// A connection that has just been made.
    #[must_use]
    pub fn new(transport: Transport) -> Box<Self> {
        Box::new(Self {
            transport,
            read_buffer: BytesMut::new(),
            write_buffer: Vec::new(),
            written: 0,
            request_body: None,
            send_state: SendState::Done,
            response_body: ResponseBodyReader::done(),
        })
    }

    /// Whether an idle connection can be used again: it is open, and nothing has come on it, in whichever layer. Unsolicited
    /// bytes would be taken for the next request's response. If not, it must be closed.
    pub fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        self.read_buffer.is_empty() && self.transport.is_reusable(cx)
    }

    /// Sends the request and waits for the head of the response. It is read while the body is still being sent: one that
    /// comes early is passed on, and the connection serves no other request.
    ///
    /// # Errors
    /// See [`Http1ClientError`]. The connection is closed.
    pub async fn send(
        mut self: Box<Self>,
        head: &OutgoingRequestHead<'_>,
        body: RequestBody,
    ) -> Result<Http1Response, Http1ClientError> {
        let writer = RequestBodyWriter::new(body);
        head::write_request_head(&mut self.write_buffer, head, writer.framing(head.method));
        self.request_body = Some(writer);
        self.send_state = SendState::NotStarted;
        let mut reader = ResponseHeadReader::new(head.method);
        let head = poll_fn(|cx| self.poll_response_head(cx, &mut reader)).await?;
        self.response_body = ResponseBodyReader::new(head.framing, head.keep_alive);
        Ok(Http1Response {
            status: head.status,
            headers: head.headers,
            connection: self,
        })
    }

    fn poll_response_head(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut ResponseHeadReader,
    ) -> Poll<Result<ResponseHead, Http1ClientError>> {
        self.drive_send(cx)?;
        loop {
            let broken = if self.read_buffer.is_empty() && !reader.has_interim() {
                Http1ClientError::NoResponse
            } else {
                Http1ClientError::Broken
            };
            match ready!(self.poll_fill(cx, HEAD_READ_BYTES)) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Poll::Ready(Err(Http1ClientError::Silent));
                }
                Ok(0) | Err(_) => return Poll::Ready(Err(broken)),
                Ok(_) => {}
            }
            if let Some(head) = reader.read(&mut self.read_buffer)? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        self.transport.poll_fill(cx, &mut self.read_buffer, room)
    }

    /// Sends what can be sent now. A server that takes no more of a request may have responded already.
    fn drive_send(&mut self, cx: &mut Context<'_>) -> Result<(), Http1ClientError> {
        if matches!(self.send_state, SendState::Done | SendState::Rejected) {
            return Ok(());
        }
        match self.poll_send(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(())) => {
                self.send_state = SendState::Done;
                Ok(())
            }
            Poll::Ready(Err(Http1ClientError::NoResponse))
                if self.send_state == SendState::Started =>
            {
                self.send_state = SendState::Rejected;
                self.request_body = None;
                Ok(())
            }
            Poll::Ready(Err(error)) => Err(error),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Http1ClientError>> {
        loop {
            self.fill_write_buffer(cx)?;
            while let Some(rest) = self.write_buffer.get(self.written..)
                && !rest.is_empty()
            {
                match ready!(self.transport.poll_write(cx, rest)) {
                    Ok(0) | Err(_) => return Poll::Ready(Err(Http1ClientError::NoResponse)),
                    Ok(length) => {
                        self.written += length;
                        self.send_state = SendState::Started;
                    }
                }
            }
            let wrote = !self.write_buffer.is_empty();
            self.write_buffer.clear();
            self.written = 0;
            if self.request_body.is_some() && wrote {
                continue;
            }
            ready!(self.transport.poll_flush(cx)).map_err(|_| Http1ClientError::NoResponse)?;
            return match &self.request_body {
                Some(_) => Poll::Pending,
                None => Poll::Ready(Ok(())),
            };
        }
    }

    /// Takes what there is of the request's body, to be written with what is written anyway.
    fn fill_write_buffer(&mut self, cx: &mut Context<'_>) -> Result<(), Http1ClientError> {
        while self.write_buffer.len() < UNWRITTEN_BYTES_MAX
            && let Some(writer) = &mut self.request_body
        {
            match writer.poll_append(cx, &mut self.write_buffer) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => self.request_body = None,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// The next chunk of the response's body. The rest of the request goes out meanwhile.
    ///
    /// # Errors
    /// See [`Http1ClientError`]. The connection is fit for nothing but to be closed.
    pub fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Http1ClientError>>> {
        if let Err(failure) = self.drive_send(cx) {
            return Poll::Ready(Some(Err(failure)));
        }
        self.response_body
            .poll_data(cx, &mut self.transport, &mut self.read_buffer)
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
    pub fn prepare_for_reuse(&mut self) -> bool {
        let is_settled = self.read_buffer.is_empty() && self.transport.has_no_pending_data();
        if !self.response_body.allows_reuse() || self.send_state != SendState::Done || !is_settled {
            return false;
        }
        if self.read_buffer.capacity() > IDLE_BUFFER_BYTES_MAX {
            self.read_buffer = BytesMut::new();
        }
        self.write_buffer.shrink_to(IDLE_BUFFER_BYTES_MAX);
        true
    }
}

impl Drop for Http1ClientConnection {
    fn drop(&mut self) {
        self.transport.close();
    }
}
