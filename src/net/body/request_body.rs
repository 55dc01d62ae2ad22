//! A request's body on its way to NinjaOne: a caller's, streamed; our own, buffered; or the same bytes once more.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    incoming_body::WireBody,
    metered_body::MeteredBody,
    replay_buffer::{Kept, Replay},
    streaming_body::CallerBody,
    timeouts::BodyPatience,
};

pub use super::{progress::Passage, request_body_error::BodyFault};

/// What is sent with a request. As a [`Body`] it yields data frames only.
pub enum RequestBody {
    /// There is none.
    Empty,
    /// Our own, complete.
    Own(Bytes),
    /// A caller's.
    Stream(Box<CallerBody>),
    /// A caller's, sent once more.
    Again(Box<Replay>),
}

impl RequestBody {
    /// A caller's body under its limits (in bytes) and timeouts.
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
        let metered = MeteredBody::new(inner, bytes_max, upload_bytes_max, patience);
        Self::Stream(Box::new(CallerBody::new(metered)))
    }

    /// A body of ours; empty bytes are no body.
    #[must_use]
    pub fn own(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Own(bytes)
        }
    }

    /// Whether there is no body, or a buffered one has been taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Raises the size limit to that of uploads, for an operation that takes a file.
    pub fn allow_upload(&mut self) {
        if let Self::Stream(body) = self {
            body.metered_mut().allow_upload();
        }
    }

    /// Records what passes, up to [`kept_body::KEPT_BYTES_MAX`], so that it can be sent once more; none if the body does not
    /// stream, or declares more than that.
    ///
    /// [`kept_body::KEPT_BYTES_MAX`]: super::replay_buffer::KEPT_BYTES_MAX
    #[must_use]
    pub fn keep(&mut self) -> Option<Arc<Kept>> {
        let Self::Stream(body) = self else {
            return None;
        };
        body.keep()
    }

    /// Whether it declares more than may come. Undeclared bytes are counted as they come.
    #[must_use]
    pub fn announces_too_much(&self) -> bool {
        match self {
            Self::Empty | Self::Own(_) | Self::Again(_) => false,
            Self::Stream(body) => body.metered().declares_too_large(),
        }
    }

    /// Whether its caller may still have to be waited for.
    #[must_use]
    pub fn is_to_come(&self) -> bool {
        match self {
            Self::Empty | Self::Own(_) | Self::Again(_) => false,
            Self::Stream(body) => body.metered().is_still_arriving(),
        }
    }

    /// Reads until all of it has come, or `bytes_max` bytes. What was read stays in the body.
    ///
    /// # Errors
    /// See [`BodyFault`]. Nothing of the body can be sent then.
    pub async fn read_ahead(&mut self, bytes_max: u64) -> Result<(), BodyFault> {
        let Self::Stream(body) = self else {
            return Ok(());
        };
        body.metered_mut().read_ahead(bytes_max).await
    }

    /// The progress of a caller's body, to be read after the body was given away; none for others.
    #[must_use]
    pub fn passage(&self) -> Option<Arc<Passage>> {
        match self {
            Self::Empty | Self::Own(_) => None,
            Self::Stream(body) => Some(Arc::clone(body.metered().progress())),
            Self::Again(body) => Some(body.passage()),
        }
    }

    /// Nobody sends it any more. What the caller has still to send may be wanted for the replay.
    pub(in crate::net) fn leave(self) {
        if let Self::Stream(body) = self {
            body.leave();
        }
    }

    /// Takes the body out and leaves an empty one.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Empty)
    }
}

impl From<Replay> for RequestBody {
    fn from(replay: Replay) -> Self {
        if replay.left() == 0 {
            Self::Empty
        } else {
            Self::Again(Box::new(replay))
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
            Self::Stream(body) => body.poll_data(cx).map_ok(Frame::data),
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
