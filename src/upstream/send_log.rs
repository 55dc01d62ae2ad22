//! What happened while a request was sent: for its audit line and the metrics.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::Instant;

use crate::net::body::progress::BodyProgress;

/// What happened to a request on its way to NinjaOne.
#[derive(Debug, Clone, Default)]
pub struct SendLog {
    /// How often it was sent.
    pub attempts: u32,
    /// The status of NinjaOne's response to the last attempt; none if there was none.
    pub upstream_status: Option<StatusCode>,
    /// `x-nj-request-id` of the last response.
    pub ninjaone_request_id: Option<Box<str>>,
    /// Time spent waiting for NinjaOne and for the tenant's budget, up to the response's head.
    pub upstream_wait: Duration,
    /// When that was over; none if nothing was waited for.
    pub wait_ended: Option<Instant>,
    /// What became of the caller's body, if it sent one.
    pub body_progress: Option<Arc<BodyProgress>>,
}
