//! Takes connections from the listeners and hands each to the worker that has the fewest.

use std::{sync::Arc, time::Duration};

use crate::net::{
    connections::{Connections, Full},
    listener::Listener,
    tls::ServerCertificate,
};

use super::worker::{Handed, Worker};

/// How long to wait when the kernel has no more file descriptors for us: trying again at once would only burn CPU.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

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
        if let Some(worker) = workers.iter().min_by_key(|it| it.load()) {
            let handed = Handed {
                accepted,
                peer,
                ticket,
                certificate: entrance.certificate.clone(),
            };
            worker.hand(handed).await;
        }
    }
}
