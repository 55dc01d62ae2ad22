//! Responses in the form that the HTTP/2 library wants them: counted while they are under way, and written out before an
//! error ends them.

use std::{
    convert::Infallible,
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use crate::net::server::handler::{Handler, ResponseFuture};

use super::{
    active_responses::{ActiveResponse, ActiveResponses, ResponseSlot},
    connection_activity::InFlightRequest,
};

/// The handler's response while it is being made. Its request counts as in flight.
pub(super) struct CountedResponseFuture<H: Handler> {
    /// The response has no body, whatever GET would get (RFC 9110 section 9.3.2).
    is_head: bool,
    response: ResponseFuture<H::Body>,
    in_flight: Option<InFlightRequest>,
    responses: Arc<ActiveResponses<H>>,
}

impl<H: Handler> CountedResponseFuture<H> {
    pub(super) fn new(
        is_head: bool,
        response: ResponseFuture<H::Body>,
        in_flight: InFlightRequest,
        responses: &Arc<ActiveResponses<H>>,
    ) -> Self {
        Self {
            is_head,
            response,
            in_flight: Some(in_flight),
            responses: Arc::clone(responses),
        }
    }
}

impl<H: Handler> Future for CountedResponseFuture<H> {
    type Output = Result<Response<CountedResponseBody<H>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = Response::from(ready!(this.response.as_mut().poll(cx)));
        let mut in_flight = this.in_flight.take();
        if let Some(in_flight) = &mut in_flight {
            in_flight.response_started();
        }
        let (responses, is_head) = (&this.responses, this.is_head);
        Poll::Ready(Ok(response.map(|body| {
            let mut counted = CountedResponseBody::new(body, in_flight, responses);
            counted.is_end |= is_head;
            counted
        })))
    }
}

/// A response's body for the library. Its request counts as in flight until it is dropped.
pub(super) struct CountedResponseBody<H: Handler> {
    slot: Arc<ResponseSlot<H>>,
    responses: Arc<ActiveResponses<H>>,
    /// Both as they were after the last poll: the library asks for them without changing the body.
    is_end: bool,
    size: SizeHint,
    /// Why the body broke off, while what came before it is being written.
    error: Option<Box<dyn Error + Send + Sync>>,
}

impl<H: Handler> CountedResponseBody<H> {
    fn new(
        body: H::Body,
        in_flight: Option<InFlightRequest>,
        responses: &Arc<ActiveResponses<H>>,
    ) -> Self {
        Self {
            is_end: body.is_end_stream(),
            size: body.size_hint(),
            slot: responses.insert(ActiveResponse::new(body, in_flight)),
            responses: Arc::clone(responses),
            error: None,
        }
    }
}

impl<H: Handler> Drop for CountedResponseBody<H> {
    fn drop(&mut self) {
        self.responses.remove(&self.slot);
    }
}

/// The caller did not read the response.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the caller reads too slowly")]
struct SlowReaderError;

impl<H: Handler> Body for CountedResponseBody<H> {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let mut slot = this.slot.lock();
        let Some(active) = &mut *slot else {
            return Poll::Ready(Some(Err(SlowReaderError.into())));
        };
        active.chunk_requested();
        if let Some(in_flight) = &active.in_flight {
            in_flight.record_progress();
        }
        let polled = ready!(Pin::new(&mut active.body).poll_frame(cx));
        this.is_end = active.body.is_end_stream();
        this.size = active.body.size_hint();
        match polled {
            None => Poll::Ready(None),
            Some(Ok(frame)) => {
                active.chunk_given(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            // The library drops what it has not written yet when a body fails, be it the head. It writes when a body makes it
            // wait, so the error waits for one poll: then the caller sees what came before it.
            Some(Err(error)) => {
                this.error = Some(error.into());
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_end
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
