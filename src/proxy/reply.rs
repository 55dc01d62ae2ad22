//! The response that a caller gets, made from a recorded outcome, and the stream that closes its audit line.

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
    net::{body::Passage, response::Response},
    upstream::answer_body::{AnswerBody, Cut},
};

use super::{code::Code, tally::Tally};

/// The header that tells the caller its request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// In the audit line of a response whose caller hung up before its end.
pub const CALLER_GONE: &str = Code::CallerGone.as_str();
/// In that of one whose caller read it too slowly.
const CALLER_SLOW: &str = "caller-slow";

/// A response whose outcome is on record.
pub struct Reply(Response<ReplyBody>);

impl From<Recorded<Response<ReplyBody>>> for Reply {
    fn from(recorded: Recorded<Response<ReplyBody>>) -> Self {
        Self(recorded.into_inner())
    }
}

impl Reply {
    /// For the connection to send.
    #[must_use]
    pub fn into_response(self) -> Response<ReplyBody> {
        self.0
    }
}

/// An id as a header value.
#[must_use]
pub fn id_value(id: RequestId) -> HeaderValue {
    HeaderValue::from_str(id.as_str()).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// A response's body.
pub struct ReplyBody(Content);

enum Content {
    /// Ours.
    Text(Option<Bytes>),
    /// NinjaOne's.
    Stream(Box<Stream>),
}

impl ReplyBody {
    /// A body of ours, complete.
    #[must_use]
    pub fn text(text: Bytes) -> Self {
        Self(Content::Text((!text.is_empty()).then_some(text)))
    }

    /// The caller reads too slowly: what the body holds is given back.
    pub fn give_up(self) {
        if let Content::Stream(mut stream) = self.0 {
            stream.left = CALLER_SLOW;
        }
    }

    /// NinjaOne's body; its line is written at its end.
    #[must_use]
    pub fn stream(stream: Stream) -> Self {
        let mut stream = Box::new(stream);
        stream.close_if_ended();
        Self(Content::Stream(stream))
    }
}

/// NinjaOne's response while it streams, with the audit line that is written at its end.
pub struct Stream {
    /// NinjaOne's.
    pub body: AnswerBody,
    /// Taken when the line is written.
    pub entry: Option<OpenEntry>,
    /// The line, but for what is known at the end only.
    pub ending: Ending,
    /// The request's guards: its share of the caller's concurrency.
    pub leased: Leased,
    /// The caller's body, for the bytes that came in.
    pub passage: Option<Arc<Passage>>,
    /// When the request came.
    pub started: Instant,
    /// Counts the duration.
    pub tally: Arc<Tally>,
    /// What the line says if the response is cut off.
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

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
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
            Content::Stream(stream) => stream.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Text(text) => text.is_none(),
            Content::Stream(stream) => stream.body.is_end_stream(),
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
