//! The body of NinjaOne's response under the tenant's timeouts: what `net` reads, with the tenant's permit held until its
//! end, and its bytes counted.

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::SizeHint;
use tokio::time::timeout;

use crate::{
    limits::budget::Permit,
    net::{
        body::{
            timeouts::BodyTimeouts,
            timer::{BodyTimeout, BodyTimer},
        },
        client::response_body::ClientResponseBody,
    },
};

/// Why a response's body ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UpstreamBodyError {
    #[error("NinjaOne stopped sending")]
    Stalled,
    #[error("NinjaOne sends too slowly")]
    Slow,
    #[error("NinjaOne takes too long to send it")]
    Overdue,
    #[error("the connection to NinjaOne broke")]
    Broken,
}

impl From<BodyTimeout> for UpstreamBodyError {
    fn from(lateness: BodyTimeout) -> Self {
        match lateness {
            BodyTimeout::Idle => Self::Stalled,
            BodyTimeout::TooSlow => Self::Slow,
            BodyTimeout::Total => Self::Overdue,
        }
    }
}

impl UpstreamBodyError {
    /// The code in the audit line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stalled | Self::Broken => "cut",
            Self::Slow => "upstream-slow",
            Self::Overdue => "upstream-overdue",
        }
    }
}

/// The body of NinjaOne's response.
pub struct UpstreamBody {
    inner: ClientResponseBody,
    /// The tenant's concurrency, held until the last byte has come.
    permit: Option<Permit>,
    timer: BodyTimer,
    bytes: u64,
    ended: bool,
    /// Chunks that were read before the caller asked for them.
    prefetched: VecDeque<Bytes>,
    /// Why it ended early, to be returned after what came before.
    error: Option<UpstreamBodyError>,
}

impl UpstreamBody {
    /// Times `inner`, and gives `permit` back at its end.
    #[must_use]
    pub fn new(inner: ClientResponseBody, permit: Permit, timeouts: BodyTimeouts) -> Self {
        let mut body = Self {
            inner,
            permit: Some(permit),
            timer: BodyTimer::new(timeouts),
            bytes: 0,
            ended: false,
            prefetched: VecDeque::new(),
            error: None,
        };
        if body.inner.is_end_stream() {
            body.finish();
        }
        body
    }

    /// Bytes that NinjaOne has sent so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether all of it has been handed out.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended && self.prefetched.is_empty()
    }

    /// Reads a body of at most `bytes_max` bytes to its end; none if it is longer, or ends early. What was read stays in the
    /// body. Cancel-safe: the rest streams.
    pub async fn read_ahead(&mut self, bytes_max: usize) -> Option<Vec<u8>> {
        let mut length = 0;
        while !self.ended && self.error.is_none() && length <= bytes_max {
            if let Some(Ok(data)) = poll_fn(|cx| self.poll_inner(cx)).await {
                length += data.len();
                self.prefetched.push_back(data);
            }
        }
        let is_whole = self.ended && length <= bytes_max;
        is_whole.then(|| self.prefetched.iter().flatten().copied().collect())
    }

    /// Reads until `bytes_max` bytes have come, the body has ended in whatever way, or `wait_max` has passed; what has come,
    /// at most `bytes_max` bytes of it.
    pub async fn read_start(&mut self, bytes_max: usize, wait_max: Duration) -> Vec<u8> {
        drop(timeout(wait_max, self.read_ahead(bytes_max)).await);
        let read = self.prefetched.iter().flatten();
        read.copied().take(bytes_max).collect()
    }

    /// Reads a body of at most `bytes_max` bytes to its end; empty if it is longer, or ends early.
    pub async fn collect_limited(mut self, bytes_max: usize) -> Bytes {
        let all = self.read_ahead(bytes_max).await;
        all.map(Bytes::from).unwrap_or_default()
    }

    fn finish(&mut self) {
        self.ended = true;
        self.permit = None;
    }

    fn fail(&mut self, error: UpstreamBodyError) -> Poll<Option<Result<Bytes, UpstreamBodyError>>> {
        self.permit = None;
        self.error = Some(error);
        Poll::Ready(Some(Err(error)))
    }

    fn poll_inner(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, UpstreamBodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(next) = self.inner.poll_data(cx) else {
            let lateness = ready!(self.timer.poll_timeout(cx));
            return self.fail(lateness.into());
        };
        match next {
            None => {
                self.timer.record_received(0);
                self.finish();
                Poll::Ready(None)
            }
            Some(Err(_)) => self.fail(UpstreamBodyError::Broken),
            Some(Ok(data)) => {
                self.timer.record_received(data.len() as u64);
                self.bytes += data.len() as u64;
                if self.inner.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(data)))
            }
        }
    }

    /// The next chunk, those read ahead first; none at the end.
    ///
    /// # Errors
    /// See [`UpstreamBodyError`]. Every later call returns the same error.
    pub fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, UpstreamBodyError>>> {
        if let Some(data) = self.prefetched.pop_front() {
            return Poll::Ready(Some(Ok(data)));
        }
        match self.error {
            Some(error) => Poll::Ready(Some(Err(error))),
            None => self.poll_inner(cx),
        }
    }

    /// How many bytes are still to come, as far as that is known.
    #[must_use]
    pub fn size_hint(&self) -> SizeHint {
        // How much was to come is in the head; after a cut nobody knows how much comes.
        if self.error.is_some() {
            return SizeHint::default();
        }
        let prefetched: u64 = self.prefetched.iter().map(|it| it.len() as u64).sum();
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + prefetched);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + prefetched);
        }
        hint
    }
}
