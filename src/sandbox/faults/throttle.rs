//! The forms of a throttle.

use serde::{Deserialize, Serialize};

/// How a request is told that there were too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Throttle {
    #[serde(rename = "429")]
    Status,
    /// A page with status 200, as clients report it. Its text is one of those that they look for.
    #[serde(rename = "html", alias = "html:request_limit")]
    RequestLimitPage,
    #[serde(rename = "html:rate_limit")]
    RateLimitPage,
    #[serde(rename = "html:too_many_requests")]
    TooManyRequestsPage,
}
