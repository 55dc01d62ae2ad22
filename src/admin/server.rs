//! Serves an [`Admin`] over HTTP/1.1: few connections, one request each, a deadline for all of it.

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::{
    net::small_server::{self, Bounds, WhenFull},
    tasks::Tasks,
};

use super::{Admin, logins::FINISH_BYTES_MAX};

pub const CONNECTIONS_MAX: usize = 64;

const BOUNDS: Bounds = Bounds {
    connections_max: CONNECTIONS_MAX,
    when_full: WhenFull::Wait,
    head_ms: 10_000,
    connection_ms: 40_000,
    head_bytes_max: 16 << 10,
    body_bytes_max: FINISH_BYTES_MAX,
};

/// Accepts connections until `tasks` are asked to stop. Those under way are finished; `tasks` can wait for them.
///
/// Readiness is only seen to go while somebody still answers: stop these tasks after those that serve callers.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>, tasks: Tasks) {
    let answer = move |request| {
        let admin = Arc::clone(&admin);
        async move { admin.respond(&request).await }
    };
    small_server::serve(listener, BOUNDS, answer, tasks).await;
}
