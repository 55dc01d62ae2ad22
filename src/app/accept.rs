//! Accepts connections and dispatches each to the worker with the fewest.

use std::{io, sync::Arc, time::Duration};

use rustix::io::Errno;

use tokio::time::Instant;

use crate::net::{
    Peer,
    server::{
        connection_permit::ConnectionPermit,
        connection_rejections::{RejectionCounts, RejectionReason},
        connections::{ConnectionLimitError, Connections},
        listener::Listener,
    },
    tls::ServerCertificate,
};

use super::worker::{PendingConnection, Worker};

/// Pause after running out of file descriptors: retrying at once would only burn CPU.
const FD_EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// Least time between two log lines about rejected connections, for each reason.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Longest time that a connection waits for a worker with room.
const DISPATCH_WAIT_MAX: Duration = Duration::from_secs(5);
const DISPATCH_RETRY_INTERVAL: Duration = Duration::from_millis(5);
/// Longest time that it waits for an evicted connection to close.
const EVICTION_WAIT_MAX: Duration = Duration::from_millis(500);

/// A bound listener, and the certificate it presents if it speaks TLS.
pub(crate) struct BoundListener {
    pub listener: Listener,
    pub certificate: Option<Arc<ServerCertificate>>,
}

/// Accepts connections until dropped.
pub(crate) async fn accept(
    bound: BoundListener,
    workers: Arc<Vec<Worker>>,
    connections: Arc<Connections>,
) {
    loop {
        let (accepted, peer) = match bound.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_fd_exhausted(&error) => {
                // Logged by `log_rejected_connections`.
                connections.free_descriptor();
                tokio::time::sleep(FD_EXHAUSTED_PAUSE).await;
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, listener = bound.listener.local_address(), "a connection could not be accepted");
                tokio::time::sleep(FD_EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        let permit = match admit(&connections, peer).await {
            Ok(permit) => permit,
            Err(ConnectionLimitError::ShuttingDown) => return,
            Err(
                ConnectionLimitError::Total
                | ConnectionLimitError::Peer
                | ConnectionLimitError::EvictionsPending,
            ) => continue,
        };
        let pending = PendingConnection {
            accepted,
            peer,
            permit,
            certificate: bound.certificate.clone(),
        };
        dispatch(pending, &workers).await;
    }
}

/// A permit for one connection. While many evicted connections have yet to close, new ones wait in the kernel's backlog.
async fn admit(
    connections: &Arc<Connections>,
    peer: Peer,
) -> Result<ConnectionPermit, ConnectionLimitError> {
    let deadline = Instant::now() + EVICTION_WAIT_MAX;
    loop {
        match connections.admit(peer) {
            Err(ConnectionLimitError::EvictionsPending) if Instant::now() < deadline => {
                tokio::time::sleep(DISPATCH_RETRY_INTERVAL).await;
            }
            Err(ConnectionLimitError::EvictionsPending) => {
                connections.record_eviction_timeout();
                return Err(ConnectionLimitError::EvictionsPending);
            }
            admitted => return admitted,
        }
    }
}

/// Dispatches a connection to the responsive worker with the fewest. While none has room, new connections wait in the
/// kernel's backlog.
async fn dispatch(pending: PendingConnection, workers: &[Worker]) {
    let deadline = Instant::now() + DISPATCH_WAIT_MAX;
    let mut pending = pending;
    loop {
        let mut fewest_first: Vec<_> = workers.iter().collect();
        fewest_first.sort_by_key(|it| (it.is_stalled(), it.connection_count()));
        for worker in fewest_first {
            pending = match worker.dispatch(pending) {
                Ok(()) => return,
                Err(back) => back,
            };
        }
        if Instant::now() >= deadline {
            let peer = pending.peer;
            tracing::error!(%peer, "no worker takes connections: dropped one");
            return;
        }
        tokio::time::sleep(DISPATCH_RETRY_INTERVAL).await;
    }
}

/// Whether the process (`EMFILE`) or the machine (`ENFILE`) is out of file descriptors.
fn is_fd_exhausted(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|it| it == Errno::MFILE || it == Errno::NFILE)
}

/// Logs rejected and evicted connections with their number since the last line: the first at once, then at most one line
/// every few seconds for each reason. Runs until dropped.
pub(crate) async fn log_rejected_connections(connections: Arc<Connections>) {
    let rejections = connections.rejections();
    let (mut refused, mut evicted) = (rejections.refused(), rejections.evicted());
    loop {
        rejections.changed().await;
        for (reason, count) in count_changes(&mut refused, rejections.refused()) {
            let reason = reason.as_str();
            tracing::warn!(
                reason,
                count,
                "connections were refused: no slot could be freed"
            );
        }
        for (why, count) in count_changes(&mut evicted, rejections.evicted()) {
            let reason = why.as_str();
            match why {
                // No new connection needed their slot.
                RejectionReason::Idle => {
                    tracing::debug!(reason, count, "closed unauthenticated connections");
                }
                RejectionReason::Total
                | RejectionReason::Peer
                | RejectionReason::FileDescriptors
                | RejectionReason::EvictionTimeout => tracing::warn!(
                    reason,
                    count,
                    "closed unauthenticated connections to make room for new ones"
                ),
            }
        }
        tokio::time::sleep(LOG_INTERVAL).await;
    }
}

/// The counts that have grown since `before`.
fn count_changes(
    before: &mut RejectionCounts,
    now: RejectionCounts,
) -> impl Iterator<Item = (RejectionReason, u64)> {
    let before = std::mem::replace(before, now);
    let pairs = before.into_iter().zip(now);
    pairs.filter_map(|((why, before), (_, now))| {
        let count = now.saturating_sub(before);
        (count > 0).then_some((why, count))
    })
}
