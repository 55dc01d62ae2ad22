//! The permit of an open connection, given back when it closes.

use std::sync::Arc;

use crate::lock::Lock;

use super::{
    connection_control::ConnectionControl,
    connection_rejections::{ConnectionRejections, RejectionReason},
    connection_table::ConnectionTable,
};

/// One connection's permit to be open. Dropped, it is given back.
pub struct ConnectionPermit {
    table: Arc<Lock<ConnectionTable>>,
    rejections: Arc<ConnectionRejections>,
    id: u64,
    control: Arc<ConnectionControl>,
}

impl ConnectionPermit {
    /// For the connection `id`, which stands in `table`.
    pub(super) const fn new(
        table: Arc<Lock<ConnectionTable>>,
        rejections: Arc<ConnectionRejections>,
        id: u64,
        control: Arc<ConnectionControl>,
    ) -> Self {
        Self {
            table,
            rejections,
            id,
            control,
        }
    }

    /// To reach the connection.
    #[must_use]
    pub fn control(&self) -> &Arc<ConnectionControl> {
        &self.control
    }

    /// Counts a connection that ends because it was idle for too long.
    pub fn record_idle_timeout(&self) {
        if !self.control.is_authenticated() {
            self.rejections.record_evicted(RejectionReason::Idle);
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.table.lock().release(self.id);
    }
}
