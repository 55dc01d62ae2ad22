//! `Admitted`, the proof that a request is within its caller's rate and concurrency limits.

use std::sync::Arc;

use http::HeaderValue;

use crate::{
    caller::Caller,
    net::IncomingRequest,
    ninjaone::operation::{Operation, RiskClass},
    policy::{Authorized, Tenant, identity::IdentityPreference},
};

use super::{
    budget::Budget, caller_limiter::ConcurrencyPermit, rate_limit_status::RateLimitStatus,
};

/// A request that is within its caller's limits. Holds one of the caller's concurrent requests until it is dropped.
///
/// [`RateLimits::admit`](super::RateLimits::admit) alone makes one.
pub struct Admitted {
    authorized: Authorized,
    /// Given back when the response has been sent.
    concurrency: ConcurrencyPermit,
    rate_limit_status: RateLimitStatus,
    budget: Arc<Budget>,
}

impl Admitted {
    /// Asserts that `authorized` was counted against its caller's limits, of which `concurrency` and `rate_limit_status` are left,
    /// and that `budget` is its tenant's. `tests/architecture/` names the one function that may.
    pub(super) fn assert_admitted(
        authorized: Authorized,
        concurrency: ConcurrencyPermit,
        rate_limit_status: RateLimitStatus,
        budget: Arc<Budget>,
    ) -> Self {
        Self {
            authorized,
            concurrency,
            rate_limit_status,
            budget,
        }
    }

    /// What policy allowed.
    #[must_use]
    pub fn authorized(&self) -> &Authorized {
        &self.authorized
    }

    /// The request as it came in.
    #[must_use]
    pub fn request(&self) -> &IncomingRequest {
        self.authorized.request()
    }

    /// Who sent it.
    #[must_use]
    pub fn caller(&self) -> &Arc<Caller> {
        self.authorized.caller()
    }

    /// The tenant that the request is for.
    #[must_use]
    pub fn tenant(&self) -> &Arc<Tenant> {
        self.authorized.tenant()
    }

    /// The catalogued operation.
    #[must_use]
    pub fn operation(&self) -> &Arc<Operation> {
        self.authorized.operation()
    }

    /// The class of this request, see [`Authorized::class`].
    #[must_use]
    pub fn class(&self) -> RiskClass {
        self.authorized.class()
    }

    /// The identity that policy asks for, see [`Authorized::identity_preference`].
    #[must_use]
    pub fn identity_preference(&self) -> IdentityPreference {
        self.authorized.identity_preference()
    }

    /// How much of its limit the caller has left, for the `RateLimit` header.
    #[must_use]
    pub fn rate_limit_status(&self) -> &RateLimitStatus {
        &self.rate_limit_status
    }

    /// The caller's limit, for the `RateLimit-Policy` header.
    #[must_use]
    pub fn policy_header(&self) -> &HeaderValue {
        self.concurrency.limiter().policy_header()
    }

    /// What the tenant may spend at NinjaOne; one permit is taken from it for each attempt.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}
