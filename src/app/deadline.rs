//! The last word of a stop: once the program was told to end, its process ends in time, whatever hangs.
//!
//! It runs on a thread with a runtime of its own and hears the signal itself: nothing that the rest of the program waits for
//! can hold it up.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use crate::credentials::refresh_calls::RefreshCalls;

use super::{
    logging,
    signals::{Asked, Signals},
};

/// How long the program has after its drain time to end by itself, the log's last lines included.
pub(crate) const END_MAX: Duration = Duration::from_millis(4_300);

/// How much longer a refresh-token call that was sent may take to be answered and stored.
pub(crate) const REFRESH_CALL_MAX: Duration = Duration::from_secs(15);

const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// What is still to be done when the last refresh-token call is stored.
const CLOSE_MAX: Duration = Duration::from_secs(3);

const THREAD_NAME: &str = "deadline";

/// How long a stop may take, once that is known.
#[derive(Clone, Default)]
pub(crate) struct Deadline(Arc<OnceLock<Duration>>);

impl Deadline {
    /// Something is served from now on that has to be drained, for as long as `drain`. Only the first call counts.
    pub(crate) fn set_drain(&self, drain: Duration) {
        let _ = self.0.set(drain);
    }
}

/// Calls `end`, which ends the process, after a signal to stop: at once while nothing is served yet, later the drain time and [`END_MAX`]
/// afterwards, or [`REFRESH_CALL_MAX`] after that if a refresh token is in use.
///
/// # Errors
/// When the thread or its runtime cannot be started.
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

/// Why the process is ended here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was told to stop before it served anybody.
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
    if calls.are_open() {
        let stored = async {
            while calls.are_open() {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            tokio::time::sleep(CLOSE_MAX).await;
        };
        let _ = tokio::time::timeout(REFRESH_CALL_MAX, stored).await;
    }
    Ok(Why::TooLong)
}
