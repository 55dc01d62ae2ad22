//! The rules in force: one value, taken when a request begins and swapped as a whole by a reload, so that no request is judged
//! by a mixture.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{
    caller::CallerDirectory,
    clock::Timestamp,
    credentials::TokenCells,
    limits::{RateLimits, token_request_limits::TokenRequestLimits},
    names::RequestId,
    net::request::request_rules::RequestRules,
    policy::policy_set::PolicySet,
    upstream::tenant_upstream::TenantUpstreams,
};

/// The rules in force. Every table in it has the same order of callers and of tenants.
pub(crate) struct Rules {
    /// Counts the configurations that were loaded, from 1.
    pub generation: u64,
    /// SHA-256 over the settings, in hex.
    pub fingerprint: String,
    /// When they were loaded.
    pub loaded_at: Timestamp,
    /// What every request must be like before anybody is asked who sent it.
    pub requests: RequestRules,
    /// Who may ask.
    pub callers: CallerDirectory,
    /// Who may do what.
    pub policy: PolicySet,
    /// How much of it.
    pub limits: RateLimits,
    /// How often each caller may ask for a token of ours.
    pub token_requests: TokenRequestLimits,
    /// How long such a token lives: whole seconds.
    pub token_lifetime: Duration,
    /// Every tenant's tokens.
    pub credentials: TokenCells,
    /// Every tenant's API.
    pub upstreams: TenantUpstreams,
}

/// Makes request ids for one worker, without asking the others.
pub(crate) struct RequestIdGenerator {
    /// 48 random bits, different for each worker and each start.
    worker: u128,
    count: AtomicU64,
}

impl RequestIdGenerator {
    /// `random` tells workers and starts of the process apart; its lower 48 bits count.
    #[must_use]
    pub(crate) fn new(random: u64) -> Self {
        Self {
            worker: u128::from(random & 0xffff_ffff_ffff) << 32,
            count: AtomicU64::new(0),
        }
    }

    /// The id of a request that came at `at`.
    #[must_use]
    pub(crate) fn next(&self, at: Timestamp) -> RequestId {
        let count = u128::from(self.count.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff);
        RequestId::new(at.unix_millis(), self.worker | count)
    }
}
