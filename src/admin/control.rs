//! What an operator asks of the running program: to load its configuration again, or to finish and stop.
//!
//! The control loop does it, on its own thread; requests wait in a short queue for it.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

use super::access::Operator;

/// Most requests that wait for the control loop.
pub const REQUESTS_MAX: usize = 8;

/// Longest time that a reload is waited for: a secret may come from a command.
pub const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Version of the shape of [`ReloadReport`].
pub const RELOAD_SCHEMA: &str = "reload/1";

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    pub schema: String,
    pub loaded: bool,
    /// The generation in force afterwards.
    pub generation: u64,
    /// What is doubtful in the configuration, each with its place.
    pub warnings: Vec<String>,
    /// Changed settings that take effect at the next start.
    pub pending_restart: Vec<String>,
    /// Why the configuration was not loaded, each with its place.
    pub errors: Vec<String>,
}

/// A request to the control loop, and who makes it.
pub enum ControlRequest {
    Reload {
        by: String,
        report: oneshot::Sender<ReloadReport>,
    },
    Drain {
        by: String,
    },
}

/// Why a request was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    #[error("the proxy is busy with other requests like this; try again")]
    Busy,
    #[error("the proxy is stopping")]
    Stopping,
    #[error(
        "the configuration is still being read after {} s; the log says what comes of it",
        RELOAD_TIMEOUT.as_secs()
    )]
    TimedOut,
}

/// Tells the deadline of a stop that one was asked for, even if the control loop has stalled.
#[derive(Debug, Clone, Default)]
pub struct DrainNotice(Arc<Notify>);

impl DrainNotice {
    /// Resolves once a stop has been asked for.
    pub async fn given(&self) {
        self.0.notified().await;
    }
}

/// Sends requests to the control loop.
#[derive(Debug, Clone)]
pub struct Control {
    requests: mpsc::Sender<ControlRequest>,
    notice: DrainNotice,
}

impl Control {
    /// The two ends of the queue.
    #[must_use]
    pub fn new(notice: DrainNotice) -> (Self, mpsc::Receiver<ControlRequest>) {
        let (requests, queue) = mpsc::channel(REQUESTS_MAX);
        (Self { requests, notice }, queue)
    }

    /// Loads the configuration again.
    ///
    /// # Errors
    /// The control loop does not take the request, or does not answer within [`RELOAD_TIMEOUT`].
    pub async fn reload(&self, operator: &Operator) -> Result<ReloadReport, ControlError> {
        let (report, reported) = oneshot::channel();
        let by = operator.describe();
        self.send(ControlRequest::Reload { by, report })?;
        match timeout(RELOAD_TIMEOUT, reported).await {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(_)) => Err(ControlError::Stopping),
            Err(_) => Err(ControlError::TimedOut),
        }
    }

    /// Begins the end of the program.
    ///
    /// # Errors
    /// The control loop does not take the request.
    pub fn drain(&self, operator: &Operator) -> Result<(), ControlError> {
        let by = operator.describe();
        self.send(ControlRequest::Drain { by })?;
        // One that comes before anybody waits for it is kept.
        self.notice.0.notify_one();
        Ok(())
    }

    fn send(&self, request: ControlRequest) -> Result<(), ControlError> {
        self.requests
            .try_send(request)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => ControlError::Busy,
                mpsc::error::TrySendError::Closed(_) => ControlError::Stopping,
            })
    }
}
