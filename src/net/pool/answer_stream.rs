//! The body of an answer on its way from a kept connection, and that connection's way back to its pool.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::net::{client::ExchangeError, http1::client::body::AnswerBody};

use super::Pool;

/// The body of an answer on its connection. Dropped before its end, an HTTP/1.1 connection is closed.
pub enum AnswerStream {
    Http1 {
        body: AnswerBody,
        pool: Arc<Pool>,
        /// When the request was sent.
        sent: Instant,
    },
    Http2(hyper::body::Incoming),
}

impl AnswerStream {
    pub(super) fn http1(body: AnswerBody, pool: Arc<Pool>, sent: Instant) -> Self {
        let mut stream = Self::Http1 { body, pool, sent };
        stream.give_back_if_ended();
        stream
    }

    fn give_back_if_ended(&mut self) {
        if let Self::Http1 { body, pool, sent } = self
            && let Some(connection) = body.take_connection()
        {
            pool.keep(connection, *sent);
        }
    }
}

impl Body for AnswerStream {
    type Data = Bytes;
    type Error = ExchangeError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ExchangeError>>> {
        let this = self.get_mut();
        match this {
            Self::Http1 { body, .. } => {
                let polled = Pin::new(body).poll_frame(cx);
                this.give_back_if_ended();
                polled.map_err(ExchangeError::from)
            }
            Self::Http2(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|error| ExchangeError::of_hyper(&error)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1 { body, .. } => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1 { body, .. } => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}
