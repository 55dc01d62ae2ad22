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

use crate::net::idle::IdleTimer;

/// A body as the HTTP library hands it over.
pub type WireBody = hyper::body::Incoming;

/// What is sent with a request.
pub enum RequestBody {
    Empty,
    /// Our own, whole.
    Own(Bytes),
    /// A caller's.
    Stream(Box<CallerBody>),
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
}

impl BodyFault {
    const fn code(self) -> u8 {
        match self {
            Self::TooLarge => 1,
            Self::Stalled => 2,
            Self::Broken => 3,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::TooLarge),
            2 => Some(Self::Stalled),
            3 => Some(Self::Broken),
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

    /// Whether more is announced than may come. What is not announced is counted as it comes.
    #[must_use]
    pub fn announces_too_much(&self) -> bool {
        match self {
            Self::Empty | Self::Own(_) => false,
            Self::Stream(body) => body.inner.size_hint().lower() > body.bytes_max,
        }
    }

    #[must_use]
    pub fn passage(&self) -> Option<Arc<Passage>> {
        match self {
            Self::Empty | Self::Own(_) => None,
            Self::Stream(body) => Some(Arc::clone(&body.passage)),
        }
    }

    /// Takes the body out, to be sent once.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Empty)
    }
}

impl CallerBody {
    fn fail(&self, fault: BodyFault) -> BodyFault {
        self.passage.fault.store(fault.code(), Ordering::Relaxed);
        fault
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        loop {
            let Poll::Ready(next) = Pin::new(&mut self.inner).poll_frame(cx) else {
                ready!(self.idle.poll_expired(cx));
                return Poll::Ready(Some(Err(self.fail(BodyFault::Stalled))));
            };
            self.idle.rest();
            match next {
                None => {
                    self.passage.ended.store(true, Ordering::Relaxed);
                    return Poll::Ready(None);
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(self.fail(BodyFault::Broken)))),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let length = data.len() as u64;
                    let sent = self.passage.bytes.fetch_add(length, Ordering::Relaxed) + length;
                    if sent > self.bytes_max {
                        return Poll::Ready(Some(Err(self.fail(BodyFault::TooLarge))));
                    }
                    // Nobody polls for more than was announced.
                    if self.inner.is_end_stream() {
                        self.passage.ended.store(true, Ordering::Relaxed);
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
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Own(bytes) => bytes.is_empty(),
            Self::Stream(body) => body.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(body) => body.inner.size_hint(),
        }
    }
}
