//! A caller's connection as others see it: whether it has ever authenticated, and its graceful-shutdown signal.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// What a connection is told, in order of urgency: a later one replaces an earlier one, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum ShutdownSignal {
    /// Go on.
    None = 0,
    /// Finish the request under way and close.
    Graceful = 1,
    /// Close at once: the connection was evicted.
    Now = 2,
}

/// The one [`ShutdownSignal`] of a connection. It crosses threads: any thread raises it, the connection's worker reads it.
#[derive(Default)]
struct AtomicSignal(AtomicU8);

impl AtomicSignal {
    fn raise(&self, signal: ShutdownSignal) {
        self.0.fetch_max(signal as u8, Ordering::SeqCst);
    }

    fn get(&self) -> ShutdownSignal {
        match self.0.load(Ordering::SeqCst) {
            0 => ShutdownSignal::None,
            1 => ShutdownSignal::Graceful,
            _ => ShutdownSignal::Now,
        }
    }
}

/// Shared by the program, on any thread, and by the connection and its requests, on one worker.
#[derive(Default)]
pub struct ConnectionControl {
    is_authenticated: AtomicBool,
    signal: AtomicSignal,
    waker: OnceLock<Waker>,
}

impl ConnectionControl {
    /// Whether a request on this connection ever brought valid credentials.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.is_authenticated.load(Ordering::Relaxed)
    }

    /// A request on this connection brought valid credentials.
    pub fn mark_authenticated(&self) {
        self.is_authenticated.store(true, Ordering::Relaxed);
    }

    /// Asks the connection to finish the request under way and close.
    pub fn graceful_shutdown(&self) {
        self.signal.raise(ShutdownSignal::Graceful);
        self.wake();
    }

    /// Tells the connection to close at once.
    pub fn close_now(&self) {
        self.signal.raise(ShutdownSignal::Now);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Whether the connection was asked to finish. If not, it will be woken when it is: a connection runs on one task.
    pub fn is_shutdown_requested(&self, cx: &Context<'_>) -> bool {
        self.signal(cx) != ShutdownSignal::None
    }

    fn signal(&self, cx: &Context<'_>) -> ShutdownSignal {
        // Registered before the signal is read: one that is raised afterwards wakes us.
        self.waker.get_or_init(|| cx.waker().clone());
        self.signal.get()
    }

    /// Resolves once the connection is asked to finish: for one that has sent nothing yet.
    pub async fn shutdown_requested(&self) {
        poll_fn(|cx| {
            if self.is_shutdown_requested(cx) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Runs a connection until it ends or is closed at once; none in the latter case.
    pub async fn run<F: Future>(&self, connection: F) -> Option<F::Output> {
        let mut connection = pin!(connection);
        poll_fn(|cx| {
            if self.signal(cx) == ShutdownSignal::Now {
                return Poll::Ready(None);
            }
            Pin::new(&mut connection).poll(cx).map(Some)
        })
        .await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_graceful_shutdown_lets_the_connection_run_and_closing_now_does_not() {
        let control = ConnectionControl::default();
        let mut running = pin!(control.run(std::future::pending::<()>()));
        let cx = &mut Context::from_waker(Waker::noop());

        control.graceful_shutdown();
        assert!(running.as_mut().poll(cx).is_pending());
        control.close_now();
        control.graceful_shutdown();

        assert_eq!(running.await, None);
    }

    #[tokio::test]
    async fn a_shutdown_request_wakes_whoever_waits_for_it() {
        let control = ConnectionControl::default();
        let asking = async { control.graceful_shutdown() };

        tokio::join!(control.shutdown_requested(), asking);
    }

    #[test]
    fn authentication_is_remembered() {
        let control = ConnectionControl::default();
        assert!(!control.is_authenticated());
        control.mark_authenticated();
        assert!(control.is_authenticated());
    }
}
