//! Graceful shutdown: no accepted request is lost, and every wait is bounded.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::tasks::Tasks;

use super::{
    program::Program,
    shutdown_deadline::{REFRESH_CALL_GRACE, SHUTDOWN_GRACE},
    worker::Worker,
};

/// How long each component may take to stop: all of them together stay below [`SHUTDOWN_GRACE`].
const COMPONENT_STOP_MAX: Duration = Duration::from_millis(500);
/// Part of [`SHUTDOWN_GRACE`] reserved for the last log lines.
const LOG_FLUSH_RESERVE: Duration = Duration::from_millis(800);
/// Least time to close the audit log, however long the rest of the shutdown took.
const AUDIT_CLOSE_MIN: Duration = Duration::from_secs(2);

impl Program {
    /// Accepts no more connections, lets every accepted request get its response and its audit line, and ends: at the latest
    /// [`SHUTDOWN_GRACE`] after the configured drain timeout, or after `hurry` resolves. No renewal begins; the response to a refresh
    /// token that has been sent may take [`REFRESH_CALL_GRACE`] longer. True if nothing that belongs on disk was lost.
    pub(crate) async fn shutdown(self, why: &str, hurry: impl Future<Output = ()>) -> bool {
        let ends = Instant::now() + self.drain_timeout + SHUTDOWN_GRACE - LOG_FLUSH_RESERVE;
        self.status.draining.store(true, Ordering::Release);
        self.refresh_calls.close();
        self.renewer_tasks.request_shutdown();
        self.listener_tasks.request_shutdown();
        self.listener_tasks.join_timeout(COMPONENT_STOP_MAX).await;
        // Idle connections close; busy ones end after their response: `http1/session.rs`, `http2/connection_monitor.rs`.
        self.status.connections.graceful_shutdown();
        stop_workers(
            self.workers,
            self.drain_timeout,
            hurry,
            &self.abort_tasks,
            || self.status.connections.open_count(),
        )
        .await;
        if !self.renewer_tasks.join_timeout(COMPONENT_STOP_MAX).await
            && self.refresh_calls.any_in_flight()
        {
            self.renewer_tasks.join_timeout(REFRESH_CALL_GRACE).await;
        }
        let is_login_lost = self.refresh_calls.any_in_flight();
        if is_login_lost {
            tracing::error!("a renewed login could not be stored: log in again");
        }
        let (ledger, why) = (self.status.ledger.clone(), why.to_owned());
        let left = ends
            .saturating_duration_since(Instant::now())
            .max(AUDIT_CLOSE_MIN);
        let closing = tokio::task::spawn_blocking(move || ledger.close_within(&why, left));
        let is_log_whole = closing.await.unwrap_or(false);
        if !is_log_whole {
            tracing::error!("the end of the audit log could not be written");
        }
        self.admin_tasks.request_shutdown();
        self.admin_tasks.join_timeout(COMPONENT_STOP_MAX).await;
        is_log_whole && !is_login_lost
    }
}

/// Waits for the workers to finish their requests; what is left after `drain`, or when `hurry` resolves, is aborted.
async fn stop_workers(
    workers: Arc<Vec<Worker>>,
    drain: Duration,
    hurry: impl Future<Output = ()>,
    abort_tasks: &Tasks,
    open: impl Fn() -> usize,
) {
    let Ok(workers) = Arc::try_unwrap(workers) else {
        tracing::error!("a listener did not stop in time: cutting its connections");
        return abort_tasks.request_shutdown();
    };
    let threads: Vec<_> = workers.into_iter().map(Worker::close).collect();
    let joined = tokio::task::spawn_blocking(move || {
        for thread in threads {
            drop(thread.join());
        }
    });
    let mut joined = std::pin::pin!(joined);
    let in_time = tokio::select! {
        _ = &mut joined => true,
        () = tokio::time::sleep(drain) => false,
        () = hurry => false,
    };
    if !in_time {
        let open = open();
        tracing::warn!(open, "cutting connections that did not end in time");
        abort_tasks.request_shutdown();
        let _ = tokio::time::timeout(COMPONENT_STOP_MAX, joined).await;
    }
}
