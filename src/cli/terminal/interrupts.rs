//! The signals that ask a command to end: it restores the terminal first.

use std::{future::poll_fn, io, task::Poll};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// From when it is made on, these signals no longer end the process by themselves.
pub(in crate::cli) struct Interrupts(Vec<Signal>);

impl Interrupts {
    /// Ctrl-C, `kill`, and a terminal that closes.
    ///
    /// # Errors
    /// The system installs no handler.
    pub(in crate::cli) fn all() -> io::Result<Self> {
        Self::of(&[
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ])
    }

    /// The same without Ctrl-C, which the caller of a single question handles.
    pub(super) fn termination() -> io::Result<Self> {
        Self::of(&[SignalKind::terminate(), SignalKind::hangup()])
    }

    fn of(kinds: &[SignalKind]) -> io::Result<Self> {
        let signals = kinds.iter().map(|kind| signal(*kind));
        signals.collect::<io::Result<_>>().map(Self)
    }

    /// Waits for one of them. May be cancelled.
    pub(in crate::cli) async fn recv(&mut self) {
        poll_fn(|context| {
            let is_sent = self.0.iter_mut().any(|it| it.poll_recv(context).is_ready());
            if is_sent {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}
