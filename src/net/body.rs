//! A request's body on its way to NinjaOne: streamed, counted, capped and timed.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    body_timer::{BodyTimer, Lateness},
    http1::server::inflow::{BrokeOff, Inflow},
    http2::body::Http2Body,
    kept_body::{Keeping, Kept, Replay},
    pace::BodyPatience,
};

/// A body as it comes off a caller's connection.
pub enum WireBody {
    Empty,
    /// All of it came with the head.
    Whole(Bytes),
    Http1(Inflow),
    Http2(Box<Http2Body>),
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => {
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
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}

/// What is sent with a request.
pub enum RequestBody {
    Empty,
    /// Our own, whole.
    Own(Bytes),
    /// A caller's.
    Stream(Box<CallerBody>),
    /// The same bytes again.
    Again(Box<Replay>),
}

/// Why a request's body could not be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BodyFault {
    #[error("the body is longer than allowed")]
    TooLarge,
    #[error("the caller stopped sending")]
    Stalled,
    #[error("the caller sends too slowly")]
    Slow,
    #[error("the caller takes too long to send it")]
    Overdue,
    #[error("the caller's connection broke")]
    Broken,
    #[error("the body is not framed as its head announces it")]
    Malformed,
}

impl From<Lateness> for BodyFault {
    fn from(lateness: Lateness) -> Self {
        match lateness {
            Lateness::Stalled => Self::Stalled,
            Lateness::Slow => Self::Slow,
            Lateness::Overdue => Self::Overdue,
        }
    }
}

impl BodyFault {
    /// For the audit line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "body-too-large",
            Self::Stalled => "body-stalled",
            Self::Slow => "body-slow",
            Self::Overdue => "body-overdue",
            Self::Broken => "body-broken",
            Self::Malformed => "body-malformed",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::TooLarge => 1,
            Self::Stalled => 2,
            Self::Broken => 3,
            Self::Malformed => 4,
            Self::Slow => 5,
            Self::Overdue => 6,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::TooLarge),
            2 => Some(Self::Stalled),
            3 => Some(Self::Broken),
            4 => Some(Self::Malformed),
            5 => Some(Self::Slow),
            6 => Some(Self::Overdue),
            _ => None,
        }
    }
}

/// What became of a body, to be read after it was given away to be sent.
#[derive(Debug, Default)]
pub struct Passage {
    bytes: AtomicU64,
    fault: AtomicU8,
    ended: AtomicBool,
    /// How long the caller was waited for, in microseconds.
    waited_us: AtomicU64,
    /// The part of it before anybody sent the body on.
    waited_ahead_us: AtomicU64,
}

impl Passage {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn fault(&self) -> Option<BodyFault> {
        BodyFault::from_code(self.fault.load(Ordering::Relaxed))
    }

    /// How long the caller was waited for to send it.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_micros(self.waited_us.load(Ordering::Relaxed))
    }

    /// The part of it before anybody sent the body on.
    #[must_use]
    pub fn waited_ahead(&self) -> Duration {
        Duration::from_micros(self.waited_ahead_us.load(Ordering::Relaxed))
    }

    fn note_waited(&self, waited: Duration) {
        let us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited_us.store(us, Ordering::Relaxed);
    }

    /// Counts bytes; gives all so far.
    pub(super) fn add(&self, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether the caller's last byte was passed on.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// A caller's body. Trailers end here (RFC 9110 section 6.5.1 lets us drop them).
pub struct CallerBody {
    inner: WireBody,
    bytes_max: u64,
    upload_bytes_max: u64,
    timer: BodyTimer,
    passage: Arc<Passage>,
    /// What came before anybody sent it on.
    ahead: VecDeque<Bytes>,
    ahead_bytes: u64,
    /// Remembers what passes, for a request that may have to be sent once more.
    keeping: Option<Keeping>,
}

impl RequestBody {
    #[must_use]
    pub fn new(
        inner: WireBody,
        bytes_max: u64,
        upload_bytes_max: u64,
        patience: BodyPatience,
    ) -> Self {
        if inner.is_end_stream() {
            return Self::Empty;
        }
        Self::Stream(Box::new(CallerBody {
            inner,
            bytes_max,
            upload_bytes_max,
            timer: BodyTimer::new(patience),
            passage: Arc::default(),
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            keeping: None,
        }))
    }

    #[must_use]
    pub fn own(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Own(bytes)
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// For an operation that takes a file: raises the cap.
    pub fn allow_upload(&mut self) {
        if let Self::Stream(body) = self {
            body.bytes_max = body.bytes_max.max(body.upload_bytes_max);
        }
    }

    /// Keeps what passes, up to [`kept_body::KEPT_BYTES_MAX`], so that it can be sent once more; none if there is nothing
    /// to keep, or more than that is announced.
    ///
    /// [`kept_body::KEPT_BYTES_MAX`]: super::kept_body::KEPT_BYTES_MAX
    #[must_use]
    pub fn keep(&mut self) -> Option<Arc<Kept>> {
        let Self::Stream(body) = self else {
            return None;
        };
        let (keeping, kept) = Keeping::begin(body.size_hint().lower())?;
        body.keeping = Some(keeping);
        Some(kept)
    }

    /// Whether more is announced than may come. What is not announced is counted as it comes.
    #[must_use]
    pub fn announces_too_much(&self) -> bool {
        match self {
            Self::Empty | Self::Own(_) | Self::Again(_) => false,
            Self::Stream(body) => body.size_hint().lower() > body.bytes_max,
        }
    }

    /// Whether its caller is still to be waited for.
    #[must_use]
    pub fn is_to_come(&self) -> bool {
        match self {
            Self::Empty | Self::Own(_) | Self::Again(_) => false,
            Self::Stream(body) => !matches!(body.inner, WireBody::Empty | WireBody::Whole(_)),
        }
    }

    /// Reads on until all of it is there, or `bytes_max` of it, without taking anything from whom it is sent on to.
    ///
    /// # Errors
    /// What is wrong with it. Nothing of it can be sent on then.
    pub async fn read_ahead(&mut self, bytes_max: u64) -> Result<(), BodyFault> {
        let Self::Stream(body) = self else {
            return Ok(());
        };
        let mut fault = None;
        while body.ahead_bytes < bytes_max && !body.inner.is_end_stream() {
            match poll_fn(|cx| body.poll_wire(cx)).await {
                None => break,
                Some(Ok(data)) => {
                    body.ahead_bytes += data.len() as u64;
                    body.ahead.push_back(data);
                }
                Some(Err(error)) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        let waited = body.passage.waited_us.load(Ordering::Relaxed);
        body.passage
            .waited_ahead_us
            .store(waited, Ordering::Relaxed);
        body.timer.begin_window();
        fault.map_or(Ok(()), Err)
    }

    #[must_use]
    pub fn passage(&self) -> Option<Arc<Passage>> {
        match self {
            Self::Empty | Self::Own(_) => None,
            Self::Stream(body) => Some(Arc::clone(&body.passage)),
            Self::Again(body) => Some(body.passage()),
        }
    }

    /// Nobody sends it any more. What the caller has still to send may be wanted for a second sending.
    pub(super) fn leave(self) {
        if let Self::Stream(mut body) = self
            && let Some(keeping) = body.keeping.take()
        {
            keeping.leave(body);
        }
    }

    /// Takes the body out, to be sent once.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Empty)
    }
}

impl CallerBody {
    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        if self.ahead_bytes > 0 {
            let (lower, upper) = (hint.lower(), hint.upper());
            if let Some(upper) = upper {
                hint.set_upper(upper.saturating_add(self.ahead_bytes));
            }
            hint.set_lower(lower.saturating_add(self.ahead_bytes));
        }
        hint
    }

    fn end(&mut self) {
        self.passage.end();
        if let Some(keeping) = self.keeping.take() {
            keeping.end();
        }
    }

    fn fail(&self, fault: BodyFault) -> BodyFault {
        self.passage.fault.store(fault.code(), Ordering::Relaxed);
        fault
    }

    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let next = match self.ahead.pop_front() {
            Some(data) => {
                self.ahead_bytes = self.ahead_bytes.saturating_sub(data.len() as u64);
                Some(Ok(data))
            }
            None => ready!(self.poll_wire(cx)),
        };
        Poll::Ready(match next {
            None => {
                self.end();
                None
            }
            Some(Err(fault)) => Some(Err(fault)),
            Some(Ok(data)) => {
                if let Some(keeping) = &self.keeping {
                    keeping.add(&data);
                }
                // Nobody polls for more than was announced.
                if self.is_end_stream() {
                    self.end();
                }
                Some(Ok(Frame::data(data)))
            }
        })
    }

    /// The next piece that comes from the caller.
    fn poll_wire(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        loop {
            let Poll::Ready(next) = Pin::new(&mut self.inner).poll_frame(cx) else {
                let lateness = ready!(self.timer.poll_late(cx));
                return Poll::Ready(Some(Err(self.fail(lateness.into()))));
            };
            let bytes = match &next {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => 0,
            };
            if self.timer.came(bytes as u64) {
                self.passage.note_waited(self.timer.waited());
            }
            match next {
                None => return Poll::Ready(None),
                Some(Err(BrokeOff::Gone)) => {
                    return Poll::Ready(Some(Err(self.fail(BodyFault::Broken))));
                }
                Some(Err(BrokeOff::Malformed)) => {
                    return Poll::Ready(Some(Err(self.fail(BodyFault::Malformed))));
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let came = self.passage.add(data.len() as u64);
                    if came > self.bytes_max {
                        return Poll::Ready(Some(Err(self.fail(BodyFault::TooLarge))));
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Own(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(body) => body.poll_data(cx),
            Self::Again(body) => Poll::Ready(body.next().map(|data| Ok(Frame::data(data)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Own(bytes) => bytes.is_empty(),
            Self::Stream(body) => body.is_end_stream(),
            Self::Again(body) => body.left() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(body) => body.size_hint(),
            Self::Again(body) => SizeHint::with_exact(body.left()),
        }
    }
}
