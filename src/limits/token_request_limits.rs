//! How often each caller may ask our own token endpoint for a token, or give one back: a limit of its own, so that logging in
//! takes nothing from the caller's requests, and a fleet can log in at once.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use crate::names::CallerName;

use super::{gcra_limiter::GcraLimiter, rate::Rate};

/// The limit of each caller at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRequestLimit {
    pub rate: Rate,
    /// Requests that may come at once after a pause.
    pub burst: NonZeroU32,
}

/// Counts the requests of each caller, by its index in the rules. Only requests whose caller is proved are counted.
pub struct TokenRequestLimits {
    limit: TokenRequestLimit,
    callers: Vec<(CallerName, Arc<GcraLimiter>)>,
}

impl TokenRequestLimits {
    /// Takes over what `previous` has counted, by the caller's name, unless the limit has changed.
    #[must_use]
    pub fn new(
        callers: impl IntoIterator<Item = CallerName>,
        limit: TokenRequestLimit,
        previous: Option<&Self>,
    ) -> Self {
        let counted = previous.filter(|it| it.limit == limit);
        let limiter = |name: CallerName| {
            let mut known = counted.into_iter().flat_map(|it| &it.callers);
            let limiter = known.find(|(it, _)| *it == name).map_or_else(
                || Arc::new(GcraLimiter::new(limit.rate, limit.burst)),
                |(_, it)| Arc::clone(it),
            );
            (name, limiter)
        };
        Self {
            limit,
            callers: callers.into_iter().map(limiter).collect(),
        }
    }

    /// Counts one request of the caller with this index.
    ///
    /// # Errors
    /// The caller is beyond its limit; one request may pass after the duration.
    pub fn admit(&self, caller: usize) -> Result<(), Duration> {
        let Some((_, limiter)) = self.callers.get(caller) else {
            // Tables of the same rules always agree; it fails closed.
            return Err(Duration::from_secs(1));
        };
        match limiter.check() {
            Ok(_) => Ok(()),
            Err(exceeded) => Err(exceeded.retry_after),
        }
    }
}
