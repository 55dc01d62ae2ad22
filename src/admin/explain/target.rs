//! Parses the target of an explained request.

use http::uri::PathAndQuery;

use crate::net::request::target::{Target, TargetError, find_bad_character};

/// Parses a target as the journey does. A fragment is refused here, because the `http` crate silently drops it.
pub(super) fn parse_target(text: &str) -> Result<Target, TargetError> {
    if text.contains('#') {
        return Err(TargetError::Fragment);
    }
    let refused = |_| {
        find_bad_character(text.as_bytes()).map_or(TargetError::NotAPath, TargetError::Character)
    };
    let received: PathAndQuery = text.parse().map_err(refused)?;
    Target::parse(&received)
}
