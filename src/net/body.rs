//! A request's body on its way to NinjaOne: streamed, counted, capped and timed.

use std::{
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
    http1::server::inflow::{BrokeOff, Inflow},
    idle::IdleTimer,
    kept_body::{Keeping, Kept, Replay},
};

/// A body as it comes off a caller's connection.
pub enum WireBody {
    Empty,
    /// All of it came with the head.
    Whole(Bytes),
    Http1(Inflow),
    Http2(hyper::body::Incoming),
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
            Self::Http2(body) => Pin::new(body).poll_frame(cx).map_err(|_| BrokeOff::Gone),
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
    #[error("the caller's connection broke")]
    Broken,
    #[error("the body is not framed as its head announces it")]
    Malformed,
}

impl BodyFault {
    const fn code(self) -> u8 {
        match self {
            Self::TooLarge => 1,
            Self::Stalled => 2,
            Self::Broken => 3,
            Self::Malformed => 4,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::TooLarge),
            2 => Some(Self::Stalled),
            3 => Some(Self::Broken),
            4 => Some(Self::Malformed),
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
    idle: IdleTimer,
    passage: Arc<Passage>,
    /// Remembers what passes, for a request that may have to be sent once more.
    keeping: Option<Keeping>,
}

impl RequestBody {
    #[must_use]
    pub fn new(inner: WireBody, bytes_max: u64, upload_bytes_max: u64, idle: Duration) -> Self {
        if inner.is_end_stream() {
            return Self::Empty;
        }
        Self::Stream(Box::new(CallerBody {
            inner,
            bytes_max,
            upload_bytes_max,
            idle: IdleTimer::new(idle),
            passage: Arc::default(),
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
        let (keeping, kept) = Keeping::begin(body.inner.size_hint().lower())?;
        body.keeping = Some(keeping);
        Some(kept)
    }

    /// Whether more is announced than may come. What is not announced is counted as it comes.
    #[must_use]
    pub fn announces_too_much(&self) -> bool {
        match self {
            Self::Empty | Self::Own(_) | Self::Again(_) => false,
            Self::Stream(body) => body.inner.size_hint().lower() > body.bytes_max,
        }
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
        loop {
            let Poll::Ready(next) = Pin::new(&mut self.inner).poll_frame(cx) else {
                ready!(self.idle.poll_expired(cx));
                return Poll::Ready(Some(Err(self.fail(BodyFault::Stalled))));
            };
            self.idle.rest();
            match next {
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
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
                    let length = data.len() as u64;
                    let sent = self.passage.add(length);
                    if sent > self.bytes_max {
                        return Poll::Ready(Some(Err(self.fail(BodyFault::TooLarge))));
                    }
                    if let Some(keeping) = &self.keeping {
                        keeping.add(&data);
                    }
                    // Nobody polls for more than was announced.
                    if self.inner.is_end_stream() {
                        self.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
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
            Self::Stream(body) => body.inner.is_end_stream(),
            Self::Again(body) => body.left() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(body) => body.inner.size_hint(),
            Self::Again(body) => SizeHint::with_exact(body.left()),
        }
    }
}
