//! The body of NinjaOne's answer on its way to a caller: streamed, counted and timed. At its end the connection is given
//! back; anything else closes it, so that no stray byte reaches another caller.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};

use crate::{
    limits::budget::Permit,
    net::{body::WireBody, idle::IdleTimer, pool::Hold},
};

/// Why an answer ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Cut {
    #[error("NinjaOne stopped sending")]
    Stalled,
    #[error("the connection to NinjaOne broke")]
    Broken,
}

/// NinjaOne's answer while it streams.
pub struct AnswerBody {
    inner: WireBody,
    hold: Hold,
    /// The tenant's concurrency, held until the last byte has come.
    permit: Option<Permit>,
    idle: IdleTimer,
    bytes: u64,
    ended: bool,
}

impl AnswerBody {
    #[must_use]
    pub fn new(inner: WireBody, hold: Hold, permit: Permit, idle: Duration) -> Self {
        let mut body = Self {
            inner,
            hold,
            permit: Some(permit),
            idle: IdleTimer::new(idle),
            bytes: 0,
            ended: false,
        };
        if body.inner.is_end_stream() {
            body.end();
        }
        body
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Reads a short body to its end; what is longer is dropped.
    pub async fn read_short(self, bytes_max: usize) -> Bytes {
        Limited::new(self, bytes_max)
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default()
    }

    fn end(&mut self) {
        self.ended = true;
        self.hold.give_back();
        self.permit = None;
    }

    fn fail(&mut self, cut: Cut) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.permit = None;
        Poll::Ready(Some(Err(cut)))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        loop {
            let Poll::Ready(next) = Pin::new(&mut this.inner).poll_frame(cx) else {
                ready!(this.idle.poll_expired(cx));
                return this.fail(Cut::Stalled);
            };
            this.idle.rest();
            match next {
                None => {
                    this.end();
                    return Poll::Ready(None);
                }
                Some(Err(_)) => return this.fail(Cut::Broken),
                Some(Ok(frame)) => {
                    // Trailers end here.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    this.bytes += data.len() as u64;
                    if this.inner.is_end_stream() {
                        this.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
