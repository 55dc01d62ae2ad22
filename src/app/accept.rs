//! Takes connections from the listeners and hands each to the worker that has the fewest.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::net::{
    connections::{Connections, Full},
    listener::Listener,
    tls::ServerCertificate,
};

use super::worker::{Handed, Worker};

/// How long to wait when the kernel has no more file descriptors for us: trying again at once would only burn CPU.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Longest that a connection waits for a worker with room.
const HAND_WAIT_MAX: Duration = Duration::from_secs(5);
const HAND_PAUSE: Duration = Duration::from_millis(5);

/// A listener, and the certificate it shows if it speaks TLS.
pub struct Entrance {
    pub listener: Listener,
    pub certificate: Option<Arc<ServerCertificate>>,
}

/// Takes connections until dropped.
pub async fn accept(entrance: Entrance, workers: Arc<Vec<Worker>>, connections: Arc<Connections>) {
    loop {
        let (accepted, peer) = match entrance.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, listener = entrance.listener.local(), "a connection could not be accepted");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        let ticket = match connections.admit(peer) {
            Ok(ticket) => ticket,
            Err(Full::Draining) => return,
            Err(Full::Total | Full::Peer) => continue,
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
