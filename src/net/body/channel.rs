//! A channel that carries a request's body from the connection's task to its reader: one chunk at a time, and only on
//! demand, so that a caller is never ahead of NinjaOne by more than a chunk.

use std::{
    pin::Pin,
    sync::{Arc, MutexGuard},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::lock::Lock;

use super::incoming_body_error::IncomingBodyError;

/// What sender and receiver share.
#[derive(Default)]
struct ChannelState {
    chunk: Option<Bytes>,
    /// The sender sends no more.
    result: Option<Result<(), IncomingBodyError>>,
    is_requested: bool,
    receiver_dropped: bool,
    receiver_waker: Option<Waker>,
    sender_waker: Option<Waker>,
}

#[derive(Clone, Default)]
struct SharedChannel(Arc<Lock<ChannelState>>);

impl SharedChannel {
    fn lock(&self) -> MutexGuard<'_, ChannelState> {
        self.0.lock()
    }
}

/// The receiving end. Dropped, it cancels the body.
pub struct BodyReceiver {
    shared: SharedChannel,
    /// Bytes still to come, if the length was declared.
    remaining: Option<u64>,
}

/// The sending end. Dropped before the body's end, the receiver gets [`IncomingBodyError::Disconnected`].
pub struct BodySender(SharedChannel);

/// What the receiver wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyDemand {
    /// The next chunk.
    Chunk,
    /// Nothing any more: the body was cancelled.
    Cancelled,
}

/// Both ends of a body of `length` bytes; none where no length was declared.
#[must_use]
pub fn channel(length: Option<u64>) -> (BodySender, BodyReceiver) {
    let shared = SharedChannel::default();
    let receiver = BodyReceiver {
        shared: shared.clone(),
        remaining: length,
    };
    (BodySender(shared), receiver)
}

impl BodySender {
    /// Ready when the receiver wants a chunk, or will never want another.
    pub fn poll_demand(&self, cx: &Context<'_>) -> Poll<BodyDemand> {
        let mut state = self.0.lock();
        if state.receiver_dropped {
            return Poll::Ready(BodyDemand::Cancelled);
        }
        if state.is_requested && state.chunk.is_none() {
            return Poll::Ready(BodyDemand::Chunk);
        }
        state.sender_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Hands over the chunk that was asked for.
    pub fn send(&self, chunk: Bytes) {
        let mut state = self.0.lock();
        state.chunk = Some(chunk);
        state.is_requested = false;
        wake(state, |it| &mut it.receiver_waker);
    }

    /// The body is complete.
    pub fn complete(self) {
        self.close(Ok(()));
    }

    /// What comes is not the coding that was declared.
    pub fn fail_malformed(self) {
        self.close(Err(IncomingBodyError::Malformed));
    }

    fn close(&self, result: Result<(), IncomingBodyError>) {
        let mut state = self.0.lock();
        state.result.get_or_insert(result);
        wake(state, |it| &mut it.receiver_waker);
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        self.close(Err(IncomingBodyError::Disconnected));
    }
}

impl Drop for BodyReceiver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.receiver_dropped = true;
        state.chunk = None;
        wake(state, |it| &mut it.sender_waker);
    }
}

/// Wakes without holding the lock: the woken task may run at once.
fn wake(
    mut state: MutexGuard<'_, ChannelState>,
    waker_of: impl Fn(&mut ChannelState) -> &mut Option<Waker>,
) {
    let waker = waker_of(&mut state).take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Body for BodyReceiver {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        let this = self.get_mut();
        let mut state = this.shared.lock();
        if let Some(chunk) = state.chunk.take() {
            if let Some(left) = &mut this.remaining {
                *left = left.saturating_sub(chunk.len() as u64);
            }
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match state.result {
            Some(Ok(())) => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => {}
        }
        state.receiver_waker = Some(cx.waker().clone());
        if !state.is_requested {
            state.is_requested = true;
            wake(state, |it| &mut it.sender_waker);
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
