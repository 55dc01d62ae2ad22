//! Parses the target of an explained request.

use http::uri::PathAndQuery;

use crate::net::request::target::{Target, TargetError};

/// Parses a target as the journey does. A fragment is refused here, because the `http` crate silently drops it.
pub(super) fn parse_target(text: &str) -> Result<Target, TargetError> {
    if text.contains('#') {
        return Err(TargetError::Fragment);
    }
    let received: PathAndQuery = text.parse().map_err(|_| TargetError::NotAPath)?;
    Target::parse(&received)
}
