//! The body of NinjaOne's answer on its way to a caller: streamed, counted and timed. At its end the connection goes back
//! to its pool; anything else closes it, so that no stray byte reaches another caller.

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
    net::{idle::IdleTimer, pool::answer_stream::AnswerStream},
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
    inner: AnswerStream,
    /// The tenant's concurrency, held until the last byte has come.
    permit: Option<Permit>,
    idle: IdleTimer,
    bytes: u64,
    ended: bool,
    /// To be told when what came before has gone out.
    cut: Option<Cut>,
}

impl AnswerBody {
    #[must_use]
    pub fn new(inner: AnswerStream, permit: Permit, idle: Duration) -> Self {
        let mut body = Self {
            inner,
            permit: Some(permit),
            idle: IdleTimer::new(idle),
            bytes: 0,
            ended: false,
            cut: None,
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
        self.permit = None;
    }

    /// The server drops what it has not written yet when a body fails, be it the head. It writes when it has to wait, so
    /// the caller sees what came before the cut.
    fn fail(&mut self, cut: Cut, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.permit = None;
        self.cut = Some(cut);
        cx.waker().wake_by_ref();
        Poll::Pending
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
        if let Some(cut) = this.cut {
            return Poll::Ready(Some(Err(cut)));
        }
        loop {
            let Poll::Ready(next) = Pin::new(&mut this.inner).poll_frame(cx) else {
                ready!(this.idle.poll_expired(cx));
                return this.fail(Cut::Stalled, cx);
            };
            this.idle.rest();
            match next {
                None => {
                    this.end();
                    return Poll::Ready(None);
                }
                Some(Err(_)) => return this.fail(Cut::Broken, cx),
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
