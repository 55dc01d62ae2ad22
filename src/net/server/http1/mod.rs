//! HTTP/1.1 towards callers (RFC 9112): one request at a time on a connection, read and responded to on the connection's own
//! task. An idle connection holds no buffers. Whatever comes gets a response and an audit line, malformed bytes too.

pub mod date;
pub mod request_body_reader;
pub mod request_head;
pub mod response_writer;
mod session;
mod stage;
#[cfg(test)]
mod tests;
pub mod write_buffer;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite};

use self::{
    session::Session,
    stage::{Stage, Step},
};

use super::{
    connection_control::ConnectionControl,
    handler::{ConnectionEnd, Handler, ServerOptions},
};

/// A caller's connection: a future that ends with it. What it is doing stands apart from what it does it with, so that a
/// stage can borrow both.
pub struct Http1ServerConnection<S, H: Handler> {
    stage: Stage<H::Body>,
    session: Session<S, H>,
}

impl<S, H> Http1ServerConnection<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    /// Serves `socket` when polled.
    pub fn new(
        socket: S,
        handler: H,
        control: Arc<ConnectionControl>,
        options: ServerOptions,
    ) -> Self {
        Self {
            stage: Stage::Head,
            session: Session::new(socket, handler, control, options),
        }
    }

    /// Goes on until there is nothing to do but wait.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let session = &mut self.session;
        loop {
            let step = match &mut self.stage {
                Stage::Head => session.poll_head(cx),
                Stage::Handling(response_future) => session.poll_handler(response_future, cx),
                Stage::Sending(writer) => session.poll_response(writer, cx),
                Stage::Discarding { left } => session.poll_discarding(left, cx),
                Stage::Lingering { left, is_shut } => {
                    session.poll_lingering_close(left, is_shut, cx)
                }
            };
            match ready!(step) {
                Step::Stay => {}
                Step::Enter(stage) => self.stage = stage,
                Step::End(ended) => return Poll::Ready(ended),
            }
        }
    }

    /// A timeout has passed. A handler whose response is under way is told that the caller read too slowly.
    fn abort_response(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Head);
        if let Stage::Sending(writer) = stage
            && let Some(body) = writer.into_body()
        {
            H::abort_response(body);
        }
    }
}

impl<S, H> Future for Http1ServerConnection<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    type Output = ConnectionEnd;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let this = self.get_mut();
        if let Poll::Ready(ended) = this.advance(cx) {
            return Poll::Ready(ended);
        }
        match this.session.timeout(&this.stage, cx) {
            Some(ConnectionEnd::TimedOut) => {
                this.abort_response();
                Poll::Ready(ConnectionEnd::TimedOut)
            }
            Some(end) => Poll::Ready(end),
            None => Poll::Pending,
        }
    }
}
