//! The shutdown deadline: once the program is told to stop, the process ends in time, whatever hangs.
//!
//! It runs on its own thread with its own runtime and receives the signal itself, so nothing that blocks the rest of the
//! program can delay it.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use crate::credentials::login::refresh_calls::RefreshCalls;

use super::{
    logging,
    signals::{Asked, Signals},
};

/// How long the program has to end by itself after the drain timeout, including the last log lines.
pub(crate) const END_MAX: Duration = Duration::from_millis(4_300);

/// How much longer a refresh-token call that has been sent may take to be answered and stored.
pub(crate) const REFRESH_CALL_MAX: Duration = Duration::from_secs(15);

const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Time to close the audit log after the last refresh-token call has been stored.
const CLOSE_MAX: Duration = Duration::from_secs(3);

const THREAD_NAME: &str = "deadline";

/// The drain timeout, once it is known.
#[derive(Clone, Default)]
pub(crate) struct Deadline(Arc<OnceLock<Duration>>);

impl Deadline {
    /// From now on there are requests to drain, for at most `drain`. Only the first call counts.
    pub(crate) fn set_drain(&self, drain: Duration) {
        let _ = self.0.set(drain);
    }
}

/// Calls `end`, which must end the process, after a stop signal: at once while nothing is served yet, otherwise after the
/// drain timeout plus [`END_MAX`], and [`REFRESH_CALL_MAX`] later still if a refresh token is in use.
///
/// # Errors
/// The thread or its runtime cannot be started.
pub(crate) fn start(
    calls: RefreshCalls,
    end: impl FnOnce(Why) + Send + 'static,
) -> io::Result<Deadline> {
    let deadline = Deadline::default();
    let known = deadline.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(THREAD_NAME.to_owned())
        .spawn(move || match runtime.block_on(wait(&known, calls)) {
            Ok(Why::NothingServed) => end(Why::NothingServed),
            Ok(Why::TooLong) => {
                tracing::error!("the stop takes too long: the process is ended");
                logging::flush();
                end(Why::TooLong);
            }
            Err(error) => {
                tracing::error!(%error, "signals cannot be heard: a stop has no deadline");
            }
        })?;
    Ok(deadline)
}

/// Why the deadline ends the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was told to stop before it served anything.
    NothingServed,
    /// It was told to stop and did not end in time.
    TooLong,
}

async fn wait(deadline: &Deadline, calls: RefreshCalls) -> io::Result<Why> {
    let mut signals = Signals::new()?;
    while !matches!(signals.next().await, Asked::Stop(_)) {}
    let Some(drain) = deadline.0.get() else {
        return Ok(Why::NothingServed);
    };
    tokio::time::sleep(*drain + END_MAX).await;
    if calls.any_in_flight() {
        let stored = async {
            while calls.any_in_flight() {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            tokio::time::sleep(CLOSE_MAX).await;
        };
        let _ = tokio::time::timeout(REFRESH_CALL_MAX, stored).await;
    }
    Ok(Why::TooLong)
}
