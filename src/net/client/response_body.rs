//! The body of a server's response, whatever the protocol; at its end an HTTP/1.1 connection returns to its pool.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, SizeHint};
use tokio::time::Instant;

use super::{
    exchange_error::ExchangeError, http1::Http1ClientConnection,
    pooled_connections::PooledConnections,
};

/// The pool that an HTTP/1.1 connection returns to, and when its request was sent.
pub type ReturnTo = (Arc<PooledConnections>, Instant);

/// A response's body. Dropped before its end, an HTTP/1.1 connection is closed, so that no stray byte reaches another
/// caller.
pub struct ClientResponseBody(BodySource);

enum BodySource {
    /// The request owns the connection until the body has been read.
    Http1(Box<Http1ClientConnection>, Option<ReturnTo>),
    Http2(hyper::body::Incoming),
    /// An HTTP/1.1 body was read to its end or failed: the connection has gone back, or is closed.
    Done,
}

impl ClientResponseBody {
    /// The body of the response that `connection` has read the head of. Without a pool the connection is closed at its end.
    pub(in crate::net) fn http1(
        connection: Box<Http1ClientConnection>,
        pool: Option<ReturnTo>,
    ) -> Self {
        let mut body = Self(BodySource::Http1(connection, pool));
        body.return_connection_if_ended();
        body
    }

    pub(in crate::net) const fn http2(body: hyper::body::Incoming) -> Self {
        Self(BodySource::Http2(body))
    }

    fn return_connection_if_ended(&mut self) {
        if !matches!(&self.0, BodySource::Http1(connection, _) if connection.is_response_done()) {
            return;
        }
        if let BodySource::Http1(mut connection, Some((pool, sent_at))) =
            std::mem::replace(&mut self.0, BodySource::Done)
            && connection.prepare_for_reuse()
        {
            pool.return_connection(connection, sent_at);
        }
    }

    /// The next chunk; none at the end. Trailers end here.
    ///
    /// # Errors
    /// The connection broke, or what came is not HTTP.
    pub fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ExchangeError>>> {
        match &mut self.0 {
            BodySource::Http1(connection, _) => match ready!(connection.poll_data(cx)) {
                Some(Err(failure)) => {
                    self.0 = BodySource::Done;
                    Poll::Ready(Some(Err(failure.into())))
                }
                next => {
                    self.return_connection_if_ended();
                    Poll::Ready(next.map(|it| it.map_err(ExchangeError::from)))
                }
            },
            BodySource::Http2(body) => loop {
                match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(error)) => {
                        return Poll::Ready(Some(Err(ExchangeError::from_hyper(&error))));
                    }
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                    }
                }
            },
            BodySource::Done => Poll::Ready(None),
        }
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn is_end_stream(&self) -> bool {
        match &self.0 {
            BodySource::Http1(connection, _) => connection.is_response_done(),
            BodySource::Http2(body) => body.is_end_stream(),
            BodySource::Done => true,
        }
    }

    /// How many bytes are left, as far as the response's head declared it.
    #[must_use]
    pub fn size_hint(&self) -> SizeHint {
        match &self.0 {
            BodySource::Http1(connection, _) => connection.response_size_hint(),
            BodySource::Http2(body) => body.size_hint(),
            BodySource::Done => SizeHint::with_exact(0),
        }
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// [`ExchangeError::TooLong`]: it is longer than `bytes_max`. [`ExchangeError::Broken`]: it did not come to its end.
    pub async fn collect(mut self, bytes_max: usize) -> Result<Bytes, ExchangeError> {
        let mut all = BytesMut::new();
        while let Some(data) = poll_fn(|cx| self.poll_data(cx)).await {
            let data = data.map_err(|_| ExchangeError::Broken)?;
            if data.len() > bytes_max - all.len() {
                return Err(ExchangeError::TooLong);
            }
            all.extend_from_slice(&data);
        }
        Ok(all.freeze())
    }
}
