//! The shutdown deadline: once the program is told to stop, the process ends in time, whatever hangs.
//!
//! It runs on its own thread with its own runtime and receives the signal itself, so nothing that blocks the rest of the
//! program can delay it.

use std::{
    io,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    admin::control::DrainNotice,
    credentials::login::refresh_calls::RefreshCalls,
    lock::Lock,
    watchdog::{Heartbeat, Watchdog},
};

use super::{
    logging,
    signals::{SignalRequest, Signals},
};

/// How long the program has to end by itself after the drain timeout, including the last log lines.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_millis(4_300);

/// How much longer a refresh-token call that has been sent may take until its response is stored.
pub(crate) const REFRESH_CALL_GRACE: Duration = Duration::from_secs(15);

const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Time to close the audit log after the last refresh-token call has been stored.
const AUDIT_CLOSE_MAX: Duration = Duration::from_secs(3);

/// The thread's name, also for the watchdog.
const PART: &str = "deadline";

/// The drain timeout and the watchdog, once they are known, and the notice of a stop that no signal asks for.
#[derive(Clone)]
pub(crate) struct ShutdownDeadline {
    drain: Arc<OnceLock<Duration>>,
    notice: DrainNotice,
    watched: Arc<Lock<Option<oneshot::Sender<Heartbeat>>>>,
}

impl ShutdownDeadline {
    /// From now on there are requests to drain, for at most `drain`. Only the first call counts.
    pub(crate) fn set_drain_timeout(&self, drain: Duration) {
        let _ = self.drain.set(drain);
    }

    /// From now on the thread sends heartbeats. Only the first call counts.
    pub(crate) fn watch_by(&self, watchdog: &Watchdog) {
        if let Some(watched) = self.watched.lock().take() {
            // A thread that has ended takes none: dropped, it counts as stalled.
            drop(watched.send(watchdog.watch(PART)));
        }
    }

    /// Whoever asks for a stop gives this.
    pub(crate) fn drain_notice(&self) -> DrainNotice {
        self.notice.clone()
    }
}

/// Calls `end`, which must end the process, after a stop signal or the notice of a drain: at once while nothing is served yet, otherwise after the
/// drain timeout plus [`SHUTDOWN_GRACE`], and [`REFRESH_CALL_GRACE`] later still if a refresh token is in use.
///
/// # Errors
/// The thread or its runtime cannot be started.
pub(crate) fn start(
    calls: RefreshCalls,
    end: impl FnOnce(ExitReason) + Send + 'static,
) -> io::Result<ShutdownDeadline> {
    let (watched, heartbeat) = oneshot::channel();
    let deadline = ShutdownDeadline {
        drain: Arc::default(),
        notice: DrainNotice::default(),
        watched: Arc::new(Lock::new(Some(watched))),
    };
    let known = deadline.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(PART.to_owned())
        .spawn(
            move || match runtime.block_on(wait_watched(&known, calls, heartbeat)) {
                Ok(ExitReason::NothingServed) => end(ExitReason::NothingServed),
                Ok(ExitReason::DeadlineExceeded) => {
                    tracing::error!("shutdown takes too long: ending the process");
                    logging::flush();
                    end(ExitReason::DeadlineExceeded);
                }
                Err(error) => {
                    tracing::error!(%error, "cannot listen for signals: shutdown has no deadline");
                }
            },
        )?;
    Ok(deadline)
}

/// Why the deadline ends the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// It was told to stop before it served anything.
    NothingServed,
    /// It was told to stop and did not end in time.
    DeadlineExceeded,
}

/// Sends heartbeats meanwhile, once there is somebody who watches.
async fn wait_watched(
    deadline: &ShutdownDeadline,
    calls: RefreshCalls,
    heartbeat: oneshot::Receiver<Heartbeat>,
) -> io::Result<ExitReason> {
    let mut waiting = pin!(wait(deadline, calls));
    let heartbeat = tokio::select! {
        reason = &mut waiting => return reason,
        Ok(heartbeat) = heartbeat => heartbeat,
    };
    heartbeat.beat_during(Duration::MAX, waiting).await
}

async fn wait(deadline: &ShutdownDeadline, calls: RefreshCalls) -> io::Result<ExitReason> {
    let mut signals = Signals::new()?;
    let signal = async { while !matches!(signals.next().await, SignalRequest::Stop(_)) {} };
    tokio::select! {
        () = signal => {}
        () = deadline.notice.given() => {}
    }
    let Some(drain) = deadline.drain.get() else {
        return Ok(ExitReason::NothingServed);
    };
    tokio::time::sleep(*drain + SHUTDOWN_GRACE).await;
    if calls.any_in_flight() {
        let stored = async {
            while calls.any_in_flight() {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            tokio::time::sleep(AUDIT_CLOSE_MAX).await;
        };
        let _ = tokio::time::timeout(REFRESH_CALL_GRACE, stored).await;
    }
    Ok(ExitReason::DeadlineExceeded)
}
