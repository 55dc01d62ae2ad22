//! NinjaOne's response body on its way to a caller: streamed, counted and timed. At its end the connection goes back to the pool;
//! anything else closes the connection, so that no stray byte reaches another caller.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};

use crate::{
    limits::budget::Permit,
    net::{
        body_timer::{BodyTimer, Lateness},
        pace::BodyPatience,
        pool::answer_stream::AnswerStream,
    },
};

/// Why a response body ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Cut {
    #[error("NinjaOne stopped sending")]
    Stalled,
    #[error("NinjaOne sends too slowly")]
    Slow,
    #[error("NinjaOne takes too long to send it")]
    Overdue,
    #[error("the connection to NinjaOne broke")]
    Broken,
}

impl From<Lateness> for Cut {
    fn from(lateness: Lateness) -> Self {
        match lateness {
            Lateness::Stalled => Self::Stalled,
            Lateness::Slow => Self::Slow,
            Lateness::Overdue => Self::Overdue,
        }
    }
}

impl Cut {
    /// For the audit line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stalled | Self::Broken => "cut",
            Self::Slow => "upstream-slow",
            Self::Overdue => "upstream-overdue",
        }
    }
}

/// NinjaOne's response body while it streams.
pub struct AnswerBody {
    inner: AnswerStream,
    /// The tenant's concurrency, held until the last byte has come.
    permit: Option<Permit>,
    timer: BodyTimer,
    bytes: u64,
    ended: bool,
    /// What was read before the caller asked for it.
    ahead: VecDeque<Bytes>,
    /// How it ended early, to be told when what came before has gone out.
    cut: Option<Cut>,
    has_waited: bool,
}

impl AnswerBody {
    /// Wraps a body of which nothing has been read; `permit` is given back at its end, and `patience` says when it is
    /// too slow.
    #[must_use]
    pub fn new(inner: AnswerStream, permit: Permit, patience: BodyPatience) -> Self {
        let mut body = Self {
            inner,
            permit: Some(permit),
            timer: BodyTimer::new(patience),
            bytes: 0,
            ended: false,
            ahead: VecDeque::new(),
            cut: None,
            has_waited: false,
        };
        if body.inner.is_end_stream() {
            body.end();
        }
        body
    }

    /// Bytes that NinjaOne has sent.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether all of it has been read and passed on.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended && self.ahead.is_empty()
    }

    /// Reads a short body to its end without taking anything from whom it is passed on to; none if it is longer, or breaks.
    /// May be given up at any time: then the rest streams.
    pub async fn read_ahead(&mut self, bytes_max: usize) -> Option<Vec<u8>> {
        let mut length = 0;
        while !self.ended && self.cut.is_none() && length <= bytes_max {
            if let Some(Ok(data)) = poll_fn(|cx| self.poll_wire(cx)).await {
                length += data.len();
                self.ahead.push_back(data);
            }
        }
        let is_whole = self.ended && length <= bytes_max;
        is_whole.then(|| self.ahead.iter().flatten().copied().collect())
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
    fn tell(&mut self, cut: Cut, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if std::mem::replace(&mut self.has_waited, true) {
            return Poll::Ready(Some(Err(cut)));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn fail(&mut self, cut: Cut) -> Poll<Option<Result<Bytes, Cut>>> {
        self.permit = None;
        self.cut = Some(cut);
        Poll::Ready(Some(Err(cut)))
    }

    fn poll_wire(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            let Poll::Ready(next) = Pin::new(&mut self.inner).poll_frame(cx) else {
                let lateness = ready!(self.timer.poll_late(cx));
                return self.fail(lateness.into());
            };
            match next {
                None => {
                    self.timer.came(0);
                    self.end();
                    return Poll::Ready(None);
                }
                Some(Err(_)) => return self.fail(Cut::Broken),
                Some(Ok(frame)) => {
                    // Trailers end here.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    self.timer.came(data.len() as u64);
                    self.bytes += data.len() as u64;
                    if self.inner.is_end_stream() {
                        self.end();
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
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
        if let Some(data) = this.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(cut) = this.cut {
            return this.tell(cut, cx);
        }
        match ready!(this.poll_wire(cx)) {
            None => Poll::Ready(None),
            Some(Ok(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Err(cut)) => this.tell(cut, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended()
    }

    fn size_hint(&self) -> SizeHint {
        // How much was to come is in the head; after a cut nobody knows how much comes.
        if self.cut.is_some() {
            return SizeHint::default();
        }
        let ahead: u64 = self.ahead.iter().map(|it| it.len() as u64).sum();
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + ahead);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + ahead);
        }
        hint
    }
}
