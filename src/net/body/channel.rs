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

use super::incoming_body_error::BrokeOff;

/// What sender and receiver share.
#[derive(Default)]
struct State {
    piece: Option<Bytes>,
    /// The sender sends no more.
    over: Option<Result<(), BrokeOff>>,
    is_asked_for: bool,
    reader_is_gone: bool,
    reader: Option<Waker>,
    connection: Option<Waker>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Lock<State>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

/// The receiving end. Dropped, it cancels the body.
pub struct Inflow {
    shared: Shared,
    /// Bytes still to come, if the length was declared.
    left: Option<u64>,
}

/// The sending end. Dropped before the body's end, the receiver gets [`BrokeOff::Gone`].
pub struct Source(Shared);

/// What the receiver wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The next chunk.
    Piece,
    /// Nothing any more: the body was cancelled.
    Nothing,
}

/// Both ends of a body of `length` bytes; none where no length was declared.
#[must_use]
pub fn channel(length: Option<u64>) -> (Source, Inflow) {
    let shared = Shared::default();
    let inflow = Inflow {
        shared: shared.clone(),
        left: length,
    };
    (Source(shared), inflow)
}

impl Source {
    /// Ready when the receiver wants a chunk, or will never want another.
    pub fn poll_demand(&self, cx: &Context<'_>) -> Poll<Demand> {
        let mut state = self.0.lock();
        if state.reader_is_gone {
            return Poll::Ready(Demand::Nothing);
        }
        if state.is_asked_for && state.piece.is_none() {
            return Poll::Ready(Demand::Piece);
        }
        state.connection = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Hands over the chunk that was asked for.
    pub fn give(&self, piece: Bytes) {
        let mut state = self.0.lock();
        state.piece = Some(piece);
        state.is_asked_for = false;
        wake(state, |it| &mut it.reader);
    }

    /// The body is complete.
    pub fn end(self) {
        self.finish(Ok(()));
    }

    /// What comes is not the coding that was declared.
    pub fn reject(self) {
        self.finish(Err(BrokeOff::Malformed));
    }

    fn finish(&self, how: Result<(), BrokeOff>) {
        let mut state = self.0.lock();
        state.over.get_or_insert(how);
        wake(state, |it| &mut it.reader);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.finish(Err(BrokeOff::Gone));
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.reader_is_gone = true;
        state.piece = None;
        wake(state, |it| &mut it.connection);
    }
}

/// Wakes without holding the lock: the woken task may run at once.
fn wake(mut state: MutexGuard<'_, State>, whom: impl Fn(&mut State) -> &mut Option<Waker>) {
    let waker = whom(&mut state).take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Body for Inflow {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        let this = self.get_mut();
        let mut state = this.shared.lock();
        if let Some(piece) = state.piece.take() {
            if let Some(left) = &mut this.left {
                *left = left.saturating_sub(piece.len() as u64);
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match state.over {
            Some(Ok(())) => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => {}
        }
        state.reader = Some(cx.waker().clone());
        if !state.is_asked_for {
            state.is_asked_for = true;
            wake(state, |it| &mut it.connection);
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
