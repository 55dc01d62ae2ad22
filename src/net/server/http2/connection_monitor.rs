//! Watches one caller's HTTP/2 connection: closes it when nothing happens for too long or the caller does not read, and
//! starts its graceful shutdown (RFC 9113 section 6.8).

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::net::{
    body::timeouts::BodyPatience,
    server::{
        connection_control::Seat,
        connection_timer::Timer,
        timeouts::{Patience, Waiting},
    },
};

use super::connection_activity::Vigil;

/// The connection's future under timeouts. `Finish` is called once, when a graceful shutdown is requested.
pub(super) struct Watch<C, Finish> {
    connection: Pin<Box<C>>,
    finish: Option<Finish>,
    vigil: Arc<Vigil>,
    seat: Arc<Seat>,
    timer: Timer,
}

impl<C, Finish> Watch<C, Finish>
where
    C: Future,
    Finish: FnOnce(Pin<&mut C>),
{
    /// Polls `connection`; `finish` tells the library to shut down gracefully.
    pub(super) fn new(
        connection: C,
        finish: Finish,
        vigil: Arc<Vigil>,
        seat: Arc<Seat>,
        patience: Patience,
    ) -> Self {
        // How fast each response is read is judged by itself: see `readers`.
        let answer = BodyPatience {
            idle: patience.answer.idle,
            rate: 0,
            total: Duration::MAX,
        };
        let patience = Patience { answer, ..patience };
        Self {
            connection: Box::pin(connection),
            finish: Some(finish),
            vigil,
            seat,
            timer: Timer::new(patience),
        }
    }

    fn waiting_for(&self) -> Waiting {
        if self.vigil.write_blocked.get() {
            return Waiting::Write;
        }
        let in_flight = self.vigil.in_flight.get();
        if in_flight == 0 {
            return if self.finish.is_none() {
                // A caller that ignores GOAWAY must not hold up the shutdown.
                Waiting::Linger
            } else if self.vigil.in_head.get() {
                Waiting::Head
            } else if self.seat.is_proven() {
                Waiting::Idle
            } else {
                Waiting::Proof
            };
        }
        // The socket is never blocked for a caller that opens no window: the responses just stay where they are.
        if self.vigil.answering.get() == in_flight {
            Waiting::Write
        } else {
            Waiting::Nothing
        }
    }
}

impl<C, Finish> Future for Watch<C, Finish>
where
    C: Future,
    Finish: FnOnce(Pin<&mut C>) + Unpin,
{
    /// None: a timeout passed.
    type Output = Option<C::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.seat.is_to_finish(cx)
            && let Some(finish) = this.finish.take()
        {
            finish(this.connection.as_mut());
        }
        if let Poll::Ready(output) = this.connection.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let waiting = this.waiting_for();
        let progress = match waiting {
            Waiting::Proof => &this.vigil.requests,
            _ => &this.vigil.progress,
        };
        let progress = progress.get();
        if this.timer.is_over(waiting, progress, cx) {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
