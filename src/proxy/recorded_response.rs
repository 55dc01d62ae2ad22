//! The response that a caller gets: only what the audit log has recorded becomes one.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::{
    audit::{OpenEntry, Recorded, entry::Ending},
    credentials::Leased,
    names::RequestId,
    net::{body::request_body::BodyProgress, response::Response},
    upstream::upstream_body::{Cut, Http1ResponseBody},
};

use super::{error_code::Code, worker_metrics::Tally};

/// Carries our id of the request in every response.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// In the audit line of a response whose caller hung up before its end.
pub const CALLER_GONE: &str = Code::CallerGone.as_str();
/// In the audit line of a response whose caller read it too slowly.
const CALLER_SLOW: &str = "caller-slow";

/// A response that is on record.
pub struct Reply(Response<ReplyBody>);

impl From<Recorded<Response<ReplyBody>>> for Reply {
    fn from(recorded: Recorded<Response<ReplyBody>>) -> Self {
        Self(recorded.into_inner())
    }
}

impl Reply {
    /// To be written to the caller.
    #[must_use]
    pub fn into_response(self) -> Response<ReplyBody> {
        self.0
    }
}

/// The value of [`REQUEST_ID`].
#[must_use]
pub fn id_value(id: RequestId) -> HeaderValue {
    HeaderValue::from_str(id.as_str()).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// A response's body as the server takes it: the only `http_body::Body` on its way from NinjaOne.
pub struct ReplyBody(Content);

enum Content {
    /// Ours; none once it was taken.
    Text(Option<Bytes>),
    /// NinjaOne's.
    Stream(Box<Stream>),
}

impl ReplyBody {
    /// A body of ours.
    #[must_use]
    pub fn text(text: Bytes) -> Self {
        Self(Content::Text((!text.is_empty()).then_some(text)))
    }

    /// The caller reads it too slowly: drops it, and the audit line says so.
    pub fn give_up(self) {
        if let Content::Stream(mut stream) = self.0 {
            stream.left = CALLER_SLOW;
        }
    }

    /// NinjaOne's body. Its audit line is written when it ends.
    #[must_use]
    pub fn stream(stream: Stream) -> Self {
        let mut stream = Box::new(stream);
        stream.close_if_ended();
        Self(Content::Stream(stream))
    }
}

/// NinjaOne's body while it streams, with the audit line that is written at its end, however it ends.
pub struct Stream {
    /// What is streamed.
    pub body: Http1ResponseBody,
    /// Taken when the line is written.
    pub entry: Option<OpenEntry>,
    /// The line's fields, but for those that are known at the end only.
    pub ending: Ending,
    /// The request's guards: its share of the caller's concurrency.
    pub leased: Leased,
    /// How much of the request's body was sent.
    pub passage: Option<Arc<BodyProgress>>,
    /// When the request came.
    pub started: Instant,
    /// Counts the duration.
    pub tally: Arc<Tally>,
    /// The error in the line if the body is dropped before its end.
    pub left: &'static str,
}

impl Stream {
    fn close_if_ended(&mut self) {
        if self.body.is_ended() {
            self.close(None);
        }
    }

    fn close(&mut self, error: Option<&'static str>) {
        let Some(entry) = self.entry.take() else {
            return;
        };
        let duration = self.started.elapsed();
        self.tally.duration.add(duration);
        let mut ending = self.ending.clone();
        ending.error = error.or(ending.error);
        ending.duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        ending.bytes_in = self.passage.as_ref().map_or(0, |it| it.bytes());
        ending.bytes_out = self.body.bytes();
        entry.close(ending);
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        let polled = self.body.poll_data(cx);
        match &polled {
            Poll::Ready(Some(Err(cut))) => self.close(Some(cut.as_str())),
            Poll::Ready(_) => self.close_if_ended(),
            Poll::Pending => {}
        }
        polled
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close(Some(self.left));
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut self.get_mut().0 {
            Content::Text(text) => Poll::Ready(text.take().map(|it| Ok(Frame::data(it)))),
            Content::Stream(stream) => stream.poll_data(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Text(text) => text.is_none(),
            Content::Stream(stream) => stream.body.is_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Text(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |it| it.len() as u64))
            }
            Content::Stream(stream) => stream.body.size_hint(),
        }
    }
}
