//! The timeouts of a body, whichever side it comes from.

use std::time::Duration;

/// How long a body may pause, how slow it may be on average, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyTimeouts {
    /// Longest wait between two chunks.
    pub idle: Duration,
    /// Least throughput on average, in bytes a second; see [`ThroughputWindow`](super::throughput_window::ThroughputWindow).
    pub min_rate: u64,
    /// For all of it.
    pub total: Duration,
}
