//! A request's body as it comes off a caller's connection, whatever the protocol.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{channel::BodyReceiver, incoming_body_error::IncomingBodyError};

/// A request's body as the server side of a connection reads it. Yields data frames; those of HTTP/2 may be followed by
/// trailers. Ends early with a [`IncomingBodyError`].
pub enum IncomingBody {
    /// There is none.
    Empty,
    /// All of it came with the head.
    Buffered(Bytes),
    /// Read by an HTTP/1.1 connection's task, chunk by chunk.
    Http1(BodyReceiver),
    /// Read by the HTTP/2 library. Behind a trait object, so that bodies know neither library nor server.
    Http2(Box<dyn Body<Data = Bytes, Error = IncomingBodyError> + Send + Sync + Unpin>),
}

impl Body for IncomingBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Buffered(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Http1(body) => Pin::new(body).poll_frame(cx),
            Self::Http2(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Buffered(bytes) => bytes.is_empty(),
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Buffered(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}
