//! Checks whether the keys of callers are still valid: one that has expired gets 401, whatever its rules say.

use crate::{clock::Timestamp, config::Config};

use super::check::{CheckName, DoctorCheck};

/// Nothing where no keys have expired.
pub(super) fn expired(config: &Config) -> Option<DoctorCheck> {
    let now = Timestamp::now();
    let callers = config.callers.iter();
    let expired = callers.filter(|it| it.expires.is_some_and(|at| at <= now));
    let names: Vec<&str> = expired.map(|it| it.name.as_str()).collect();
    let first = names.first()?;
    Some(DoctorCheck::warning(
        CheckName::CallerKeys,
        format!(
            "the keys of these callers have expired: {}",
            names.join(", ")
        ),
        format!(
            "Give them a later date: ninjaone-proxy caller set {first} --expires DATE. Or remove the caller: ninjaone-proxy caller revoke {first}"
        ),
    ))
}
