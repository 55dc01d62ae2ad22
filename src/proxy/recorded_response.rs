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
    audit::{OpenEntry, Recorded, entry::OutcomeDetails},
    credentials::Leased,
    names::RequestId,
    net::{body::progress::BodyProgress, response::Response},
    upstream::upstream_body::{UpstreamBody, UpstreamBodyError},
};

use super::{error_code::ErrorCode, worker_metrics::WorkerMetrics};

/// Carries our id of the request in every response.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// In the audit line of a response whose caller hung up before its end.
pub(crate) const CALLER_GONE: &str = ErrorCode::CallerGone.as_str();
/// In the audit line of a response whose caller read it too slowly.
const CALLER_SLOW: &str = "caller-slow";

/// A response that is on record.
pub(crate) struct RecordedResponse(Response<ProxyResponseBody>);

impl From<Recorded<Response<ProxyResponseBody>>> for RecordedResponse {
    fn from(recorded: Recorded<Response<ProxyResponseBody>>) -> Self {
        Self(recorded.into_inner())
    }
}

impl RecordedResponse {
    /// To be written to the caller.
    #[must_use]
    pub(crate) fn into_response(self) -> Response<ProxyResponseBody> {
        self.0
    }
}

/// The value of [`REQUEST_ID`].
#[must_use]
pub(crate) fn request_id_value(id: RequestId) -> HeaderValue {
    HeaderValue::from_str(id.as_str()).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// A response's body as the server takes it: the only `http_body::Body` on its way from NinjaOne.
pub(crate) struct ProxyResponseBody(BodyContent);

enum BodyContent {
    /// Ours; none once it was taken.
    Full(Option<Bytes>),
    /// NinjaOne's.
    Stream(Box<AuditedStream>),
}

impl ProxyResponseBody {
    /// A body of ours.
    #[must_use]
    pub(crate) fn full(text: Bytes) -> Self {
        Self(BodyContent::Full((!text.is_empty()).then_some(text)))
    }

    /// The caller reads it too slowly: drops it, and the audit line says so.
    pub(crate) fn abort_slow_reader(self) {
        if let BodyContent::Stream(mut stream) = self.0 {
            stream.abort_reason = CALLER_SLOW;
        }
    }

    /// NinjaOne's body. Its audit line is written when it ends.
    #[must_use]
    pub(crate) fn streaming(stream: AuditedStream) -> Self {
        let mut stream = Box::new(stream);
        stream.close_if_ended();
        Self(BodyContent::Stream(stream))
    }
}

/// NinjaOne's body while it streams, with the audit line that is written at its end, however it ends.
pub(crate) struct AuditedStream {
    /// What is streamed.
    pub body: UpstreamBody,
    /// Taken when the line is written.
    pub entry: Option<OpenEntry>,
    /// The line's fields, but for those that are known at the end only.
    pub details: OutcomeDetails,
    /// The request's guards: its share of the caller's concurrency.
    #[expect(
        dead_code,
        reason = "held until the body's end; its drop gives the share back"
    )]
    pub leased: Leased,
    /// How much of the request's body was sent.
    pub body_progress: Option<Arc<BodyProgress>>,
    /// When the request came.
    pub started: Instant,
    /// Counts the duration.
    pub metrics: Arc<WorkerMetrics>,
    /// The error in the line if the body is dropped before its end.
    pub abort_reason: &'static str,
}

impl AuditedStream {
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
        self.metrics.duration.observe(duration);
        let mut details = self.details.clone();
        details.error = error.or(details.error);
        details.duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        details.bytes_in = self.body_progress.as_ref().map_or(0, |it| it.bytes());
        details.bytes_out = self.body.bytes();
        entry.close(details);
    }

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, UpstreamBodyError>>> {
        let polled = self.body.poll_data(cx);
        match &polled {
            Poll::Ready(Some(Err(error))) => self.close(Some(error.as_str())),
            Poll::Ready(_) => self.close_if_ended(),
            Poll::Pending => {}
        }
        polled
    }
}

impl Drop for AuditedStream {
    fn drop(&mut self) {
        self.close(Some(self.abort_reason));
    }
}

impl Body for ProxyResponseBody {
    type Data = Bytes;
    type Error = UpstreamBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamBodyError>>> {
        match &mut self.get_mut().0 {
            BodyContent::Full(text) => Poll::Ready(text.take().map(|it| Ok(Frame::data(it)))),
            BodyContent::Stream(stream) => stream.poll_data(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            BodyContent::Full(text) => text.is_none(),
            BodyContent::Stream(stream) => stream.body.is_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            BodyContent::Full(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |it| it.len() as u64))
            }
            BodyContent::Stream(stream) => stream.body.size_hint(),
        }
    }
}
