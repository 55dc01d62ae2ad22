//! A request's body as it comes over HTTP/2.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::net::body::incoming_body_error::IncomingBodyError;

use super::request_head_validator;

/// A request's body. One whose length was declared yields its last chunk only when its stream has ended: what follows it may
/// show that the request is malformed (RFC 9113 section 8.1.1), and then nobody must have got all of it.
pub struct Http2RequestBody {
    incoming: Incoming,
    /// Bytes still to come, if the length was declared.
    remaining: Option<u64>,
    held_back: Option<Bytes>,
}

impl Http2RequestBody {
    /// Reads the library's body.
    #[must_use]
    pub fn new(incoming: Incoming) -> Self {
        let remaining = incoming.size_hint().exact();
        Self {
            incoming,
            remaining,
            held_back: None,
        }
    }
}

impl Body for Http2RequestBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        let this = self.get_mut();
        loop {
            let frame = match ready!(Pin::new(&mut this.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Some(Err(IncomingBodyError::Disconnected))),
                None => return Poll::Ready(this.held_back.take().map(|it| Ok(Frame::data(it)))),
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => {
                    if let Some(left) = &mut this.remaining {
                        *left = left.saturating_sub(data.len() as u64);
                    }
                    if this.remaining != Some(0) || this.incoming.is_end_stream() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                    this.held_back = Some(data);
                }
                Err(trailers) => {
                    let trailers = trailers.trailers_ref();
                    if trailers.is_some_and(request_head_validator::is_refused) {
                        return Poll::Ready(Some(Err(IncomingBodyError::Malformed)));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held_back.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match (self.remaining, &self.held_back) {
            (Some(_), Some(last)) => SizeHint::with_exact(last.len() as u64),
            (Some(left), None) => SizeHint::with_exact(left),
            (None, _) => self.incoming.size_hint(),
        }
    }
}
