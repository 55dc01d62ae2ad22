//! What a request can do to the connection that it came on.

use std::sync::Arc;

use tokio::sync::Notify;

/// One for each connection.
#[derive(Clone, Default)]
pub(super) struct ConnectionEnding {
    leaving: Arc<Notify>,
}

impl ConnectionEnding {
    /// Lets the connection end as soon as it has answered what has arrived.
    pub(super) fn go_away(&self) {
        self.leaving.notify_one();
    }

    /// Returns once the connection is to end.
    pub(super) async fn is_leaving(&self) {
        self.leaving.notified().await;
    }
}
