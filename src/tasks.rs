//! Starts all background tasks, so that shutdown can ask each to end and wait for it.

use std::{future::Future, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The background tasks of the program, or of one part of it.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Tasks {
    /// No task yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `future` on the runtime of the caller until it ends by itself.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(future);
    }

    /// Runs `future` until it ends or [`Tasks::request_shutdown`] is called, whichever comes first.
    pub fn spawn_until_shutdown<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.shutdown.clone();
        self.tracker
            .spawn(async move { stop.run_until_cancelled(future).await.unwrap_or_default() });
    }

    /// Resolves once the tasks were asked to stop and all have ended.
    pub async fn shutdown_complete(&self) {
        self.shutdown.cancelled().await;
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Resolves once the tasks were asked to stop.
    pub async fn shutdown_requested(&self) {
        self.shutdown.cancelled().await;
    }

    /// Asks all tasks to end. Does not wait.
    pub fn request_shutdown(&self) {
        self.shutdown.cancel();
    }

    /// How many tasks are running.
    #[must_use]
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until all tasks have ended; false if `longest` passed first.
    pub async fn join_timeout(&self, longest: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(longest, self.tracker.wait())
            .await
            .is_ok()
    }
}
