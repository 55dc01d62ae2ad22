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
    body::timeouts::BodyTimeouts,
    server::{
        connection_control::ConnectionControl,
        connection_timer::ConnectionTimer,
        timeouts::{ConnectionTimeouts, ConnectionWait},
    },
};

use super::connection_activity::ConnectionActivity;

/// The connection's future under timeouts. `Finish` is called once, when a graceful shutdown is requested.
pub(super) struct ConnectionMonitor<C, Finish> {
    connection: Pin<Box<C>>,
    graceful_shutdown: Option<Finish>,
    activity: Arc<ConnectionActivity>,
    control: Arc<ConnectionControl>,
    timer: ConnectionTimer,
}

impl<C, Finish> ConnectionMonitor<C, Finish>
where
    C: Future,
    Finish: FnOnce(Pin<&mut C>),
{
    /// Polls `connection`; `finish` tells the library to shut down gracefully.
    pub(super) fn new(
        connection: C,
        finish: Finish,
        activity: Arc<ConnectionActivity>,
        control: Arc<ConnectionControl>,
        timeouts: ConnectionTimeouts,
    ) -> Self {
        // How fast each response is read is judged by itself: see `active_responses`.
        let response = BodyTimeouts {
            idle: timeouts.response.idle,
            min_rate: 0,
            total: Duration::MAX,
        };
        let timeouts = ConnectionTimeouts {
            response,
            ..timeouts
        };
        Self {
            connection: Box::pin(connection),
            graceful_shutdown: Some(finish),
            activity,
            control,
            timer: ConnectionTimer::new(timeouts),
        }
    }

    fn current_wait(&self) -> ConnectionWait {
        if self.activity.write_blocked.get() {
            return ConnectionWait::Write;
        }
        let in_flight = self.activity.in_flight.get();
        if in_flight == 0 {
            return if self.graceful_shutdown.is_none() {
                // A caller that ignores GOAWAY must not hold up the shutdown.
                ConnectionWait::Linger
            } else if self.activity.in_head.get() {
                ConnectionWait::Head
            } else if self.control.is_authenticated() {
                ConnectionWait::Idle
            } else {
                ConnectionWait::UnauthenticatedIdle
            };
        }
        // The socket is never blocked for a caller that opens no window: the responses just stay where they are.
        if self.activity.responding.get() == in_flight {
            ConnectionWait::Write
        } else {
            ConnectionWait::InHandler
        }
    }
}

impl<C, Finish> Future for ConnectionMonitor<C, Finish>
where
    C: Future,
    Finish: FnOnce(Pin<&mut C>) + Unpin,
{
    /// None: a timeout passed.
    type Output = Option<C::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.control.is_shutdown_requested(cx)
            && let Some(finish) = this.graceful_shutdown.take()
        {
            finish(this.connection.as_mut());
        }
        if let Poll::Ready(output) = this.connection.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let waiting = this.current_wait();
        let progress = match waiting {
            ConnectionWait::UnauthenticatedIdle => &this.activity.requests,
            _ => &this.activity.progress,
        };
        let progress = progress.get();
        if this.timer.is_expired(waiting, progress, cx) {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
