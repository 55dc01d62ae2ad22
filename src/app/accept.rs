//! Takes connections from the listeners and hands each to the worker that has the fewest.

use std::{io, sync::Arc, time::Duration};

use rustix::io::Errno;

use tokio::time::Instant;

use crate::net::{
    Peer,
    connections::{Connections, Full, Ticket},
    listener::Listener,
    tls::ServerCertificate,
    turned_away::{Counts, Why},
};

use super::worker::{Handed, Worker};

/// How long to wait when the kernel has no more file descriptors for us: trying again at once would only burn CPU.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// Between two lines about what was turned away, for each reason.
const TELL_INTERVAL: Duration = Duration::from_secs(5);

/// Longest that a connection waits for a worker with room.
const HAND_WAIT_MAX: Duration = Duration::from_secs(5);
const HAND_PAUSE: Duration = Duration::from_millis(5);
/// Longest that it waits for somebody to leave.
const LEAVING_WAIT_MAX: Duration = Duration::from_millis(500);

/// A listener, and the certificate it shows if it speaks TLS.
pub(crate) struct Entrance {
    pub listener: Listener,
    pub certificate: Option<Arc<ServerCertificate>>,
}

/// Takes connections until dropped.
pub(crate) async fn accept(
    entrance: Entrance,
    workers: Arc<Vec<Worker>>,
    connections: Arc<Connections>,
) {
    loop {
        let (accepted, peer) = match entrance.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_want_of_files(&error) => {
                // Told by `tell_of_turned_away`.
                connections.free_descriptor();
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, listener = entrance.listener.local(), "a connection could not be accepted");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        let ticket = match admit(&connections, peer).await {
            Ok(ticket) => ticket,
            Err(Full::Draining) => return,
            Err(Full::Total | Full::Peer | Full::Leaving) => continue,
        };
        let handed = Handed {
            accepted,
            peer,
            ticket,
            certificate: entrance.certificate.clone(),
        };
        hand(handed, &workers).await;
    }
}

/// A place for a connection. While many have to leave and have not yet, the kernel holds the connections that follow.
async fn admit(connections: &Arc<Connections>, peer: Peer) -> Result<Ticket, Full> {
    let gives_up = Instant::now() + LEAVING_WAIT_MAX;
    loop {
        match connections.admit(peer) {
            Err(Full::Leaving) if Instant::now() < gives_up => {
                tokio::time::sleep(HAND_PAUSE).await;
            }
            Err(Full::Leaving) => {
                connections.refuse_leaving();
                return Err(Full::Leaving);
            }
            admitted => return admitted,
        }
    }
}

/// Hands a connection to the worker with the fewest, of those that turn. While none has room the kernel holds the
/// connections that follow.
async fn hand(handed: Handed, workers: &[Worker]) {
    let gives_up = Instant::now() + HAND_WAIT_MAX;
    let mut handed = handed;
    loop {
        let mut fewest_first: Vec<_> = workers.iter().collect();
        fewest_first.sort_by_key(|it| (it.is_stalled(), it.load()));
        for worker in fewest_first {
            handed = match worker.hand(handed) {
                Ok(()) => return,
                Err(back) => back,
            };
        }
        if Instant::now() >= gives_up {
            let peer = handed.peer;
            tracing::error!(%peer, "no worker takes connections: one was dropped");
            return;
        }
        tokio::time::sleep(HAND_PAUSE).await;
    }
}

/// Of this process, or of the machine.
fn is_want_of_files(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|it| it == Errno::MFILE || it == Errno::NFILE)
}

/// Logs what was turned away and what had to leave, with how many there were since the last line: the first at once, then a
/// line for each reason every few seconds at most. Until dropped.
pub(crate) async fn tell_of_turned_away(connections: Arc<Connections>) {
    let told = connections.turned_away();
    let (mut refused, mut evicted) = (told.refused(), told.evicted());
    loop {
        told.happens().await;
        for (reason, count) in news(&mut refused, told.refused()) {
            let reason = reason.as_str();
            tracing::warn!(
                reason,
                count,
                "connections were turned away: no place could be freed"
            );
        }
        for (why, count) in news(&mut evicted, told.evicted()) {
            let reason = why.as_str();
            match why {
                // Nobody needed their place.
                Why::Idle => {
                    tracing::debug!(reason, count, "connections that proved nothing were closed");
                }
                Why::Total | Why::Peer | Why::Files | Why::Leaving => tracing::warn!(
                    reason,
                    count,
                    "connections that had proved nothing were closed to make room for new ones"
                ),
            }
        }
        tokio::time::sleep(TELL_INTERVAL).await;
    }
}

/// What was counted since `before`.
fn news(before: &mut Counts, now: Counts) -> impl Iterator<Item = (Why, u64)> {
    let before = std::mem::replace(before, now);
    let pairs = before.into_iter().zip(now);
    pairs.filter_map(|((why, before), (_, now))| {
        let count = now.saturating_sub(before);
        (count > 0).then_some((why, count))
    })
}
