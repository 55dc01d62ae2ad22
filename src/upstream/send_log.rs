//! What happened while a request was sent: for its audit line and the metrics.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::net::body::request_body::BodyProgress;

/// What happened to a request on its way to NinjaOne.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// How often it was sent.
    pub attempts: u32,
    /// `x-nj-request-id` of the last response.
    pub ninjaone_request: Option<Box<str>>,
    /// Time spent waiting for NinjaOne and for the tenant's budget, up to the response's head.
    pub waited: Duration,
    /// When that was over; none if nothing was waited for.
    pub ended: Option<Instant>,
    /// What became of the caller's body, if it sent one.
    pub passage: Option<Arc<BodyProgress>>,
}
