//! A request's body on its way to NinjaOne: a caller's, streamed; our own, buffered; or the same bytes once more.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::net::exceeded_size::ExceededSize;

use super::{
    incoming_body::IncomingBody,
    metered_body::MeteredBody,
    progress::BodyProgress,
    replay_buffer::{ReplayBody, ReplayBuffer},
    request_body_error::RequestBodyError,
    streaming_body::StreamingBody,
    timeouts::BodyTimeouts,
};

/// What is sent with a request. As a [`Body`] it yields data frames only.
pub enum RequestBody {
    /// There is none.
    Empty,
    /// Our own, complete.
    Buffered(Bytes),
    /// A caller's.
    Stream(Box<StreamingBody>),
    /// A caller's, sent once more.
    Replay(Box<ReplayBody>),
}

impl RequestBody {
    /// A caller's body under its limits (in bytes) and timeouts.
    #[must_use]
    pub fn new(
        inner: IncomingBody,
        bytes_max: u64,
        upload_bytes_max: u64,
        timeouts: BodyTimeouts,
    ) -> Self {
        if inner.is_end_stream() {
            return Self::Empty;
        }
        let metered = MeteredBody::new(inner, bytes_max, upload_bytes_max, timeouts);
        Self::Stream(Box::new(StreamingBody::new(metered)))
    }

    /// A body of ours; empty bytes are no body.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Buffered(bytes)
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

    /// Records what passes, up to [`REPLAY_BYTES_MAX`], so that it can be sent once more; none if the body does not
    /// stream, or declares more than that.
    ///
    /// [`REPLAY_BYTES_MAX`]: super::replay_buffer::REPLAY_BYTES_MAX
    #[must_use]
    pub fn buffer_for_replay(&mut self) -> Option<Arc<ReplayBuffer>> {
        let Self::Stream(body) = self else {
            return None;
        };
        body.record_for_replay()
    }

    /// What it declares, if that is more than may come. Undeclared bytes are counted as they come.
    #[must_use]
    pub fn declared_excess(&self) -> Option<ExceededSize> {
        match self {
            Self::Empty | Self::Buffered(_) | Self::Replay(_) => None,
            Self::Stream(body) => body.metered().declared_excess(),
        }
    }

    /// Whether its caller may still have to be waited for.
    #[must_use]
    pub fn is_still_arriving(&self) -> bool {
        match self {
            Self::Empty | Self::Buffered(_) | Self::Replay(_) => false,
            Self::Stream(body) => body.metered().is_still_arriving(),
        }
    }

    /// Reads until all of it has come, or `bytes_max` bytes. What was read stays in the body.
    ///
    /// # Errors
    /// See [`RequestBodyError`]. Nothing of the body can be sent then.
    pub async fn read_ahead(&mut self, bytes_max: u64) -> Result<(), RequestBodyError> {
        let Self::Stream(body) = self else {
            return Ok(());
        };
        body.metered_mut().read_ahead(bytes_max).await
    }

    /// The progress of a caller's body, to be read after the body was given away; none for others.
    #[must_use]
    pub fn progress(&self) -> Option<Arc<BodyProgress>> {
        match self {
            Self::Empty | Self::Buffered(_) => None,
            Self::Stream(body) => Some(Arc::clone(body.metered().progress())),
            Self::Replay(body) => Some(body.progress()),
        }
    }

    /// Nobody sends it any more. What the caller has still to send may be wanted for the replay.
    pub(in crate::net) fn abandon(self) {
        if let Self::Stream(body) = self {
            body.abandon();
        }
    }

    /// Takes the body out and leaves an empty one.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Empty)
    }
}

impl From<ReplayBody> for RequestBody {
    fn from(replay: ReplayBody) -> Self {
        if replay.remaining_bytes() == 0 {
            Self::Empty
        } else {
            Self::Replay(Box::new(replay))
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Buffered(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(body) => body.poll_data(cx).map_ok(Frame::data),
            Self::Replay(body) => Poll::Ready(body.next_chunk().map(|data| Ok(Frame::data(data)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Buffered(bytes) => bytes.is_empty(),
            Self::Stream(body) => body.is_end_stream(),
            Self::Replay(body) => body.remaining_bytes() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Buffered(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(body) => body.size_hint(),
            Self::Replay(body) => SizeHint::with_exact(body.remaining_bytes()),
        }
    }
}
