//! Serves an [`AdminService`] over HTTP/1.1: few connections, one request on each, one deadline for all of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tokio::net::{TcpListener, UnixListener};

use crate::{
    net::server::{
        listener::UnixSocketFile,
        one_shot::{self, HeadDecision, OneShotHandler, OneShotLimits},
    },
    tasks::Tasks,
};

use super::{AdminService, login_endpoint::FINISH_BYTES_MAX};

/// Enough for a probe to be read before it is the oldest, however many come.
pub const CONNECTIONS_MAX: usize = 128;

const BOUNDS: OneShotLimits = OneShotLimits {
    connections_max: CONNECTIONS_MAX,
    // A probe, its response included.
    head_timeout_ms: 2_000,
    // A login's code is exchanged at NinjaOne meanwhile.
    connection_timeout_ms: 40_000,
    head_bytes_max: 16 << 10,
    body_bytes_max: FINISH_BYTES_MAX,
};

impl OneShotHandler for AdminService {
    fn check_head(&self, head: &Request<()>) -> HeadDecision {
        self.respond_to_head(head)
            .map_or(HeadDecision::ReadBody, HeadDecision::Respond)
    }

    fn knows(&self, uid: u32) -> bool {
        self.has_account(uid)
    }

    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.respond(&request).await
    }
}

/// Accepts connections until `tasks` are asked to stop. Those under way are finished; `tasks` can wait for them.
///
/// Probes see readiness fail only while the listener still responds: stop these tasks after those that serve callers.
pub async fn serve(listener: TcpListener, admin: Arc<AdminService>, tasks: Tasks) {
    one_shot::serve(listener, BOUNDS, admin, tasks).await;
}

/// The same for the admin socket, whose peers the kernel names.
pub async fn serve_socket(
    listener: UnixListener,
    file: UnixSocketFile,
    admin: Arc<AdminService>,
    tasks: Tasks,
) {
    one_shot::serve_unix(listener, BOUNDS, admin, tasks).await;
    drop(file);
}
