//! `Authorized`, the proof that policy allows a request.

use std::sync::Arc;

use crate::{
    caller::{AuthMethod, Caller, Identified},
    net::IncomingRequest,
    ninjaone::{
        catalogue::PathParameters,
        operation::{Operation, RiskClass},
    },
};

use super::{identity::IdentityPreference, policy_set::AllowDecision, tenant::Tenant};

/// A request that the policy allows, and what it was allowed as: tenant, operation, class and identity.
///
/// [`PolicySet::authorize`](super::policy_set::PolicySet::authorize) alone makes one.
pub struct Authorized {
    identified: Identified,
    grant: AllowDecision,
}

impl Authorized {
    /// Asserts that policy allowed `identified`, as `grant` says. `tests/architecture/` names the one function that may.
    pub(super) fn assert_authorized(identified: Identified, grant: AllowDecision) -> Self {
        Self { identified, grant }
    }

    /// The request as it came in.
    #[must_use]
    pub fn request(&self) -> &IncomingRequest {
        self.identified.request()
    }

    /// Who sent it.
    #[must_use]
    pub fn caller(&self) -> &Arc<Caller> {
        self.identified.caller()
    }

    /// How the caller was authenticated.
    #[must_use]
    pub fn auth_method(&self) -> AuthMethod {
        self.identified.auth_method()
    }

    /// The tenant that the request is for.
    #[must_use]
    pub fn tenant(&self) -> &Arc<Tenant> {
        &self.grant.tenant
    }

    /// The catalogued operation that the request's method and path match.
    #[must_use]
    pub fn operation(&self) -> &Arc<Operation> {
        &self.grant.operation
    }

    /// The values of the operation's path parameters.
    #[must_use]
    pub fn parameters(&self) -> &PathParameters {
        &self.grant.parameters
    }

    /// The class of this request: the operation's, raised to `secrets` by a parameter that asks for secrets.
    #[must_use]
    pub fn class(&self) -> RiskClass {
        self.grant.class
    }

    /// The identity that policy asks for. The lease decides which one carries the request: see
    /// [`choose_identity`](super::identity::choose_identity).
    #[must_use]
    pub fn identity_preference(&self) -> IdentityPreference {
        self.grant.identity_preference
    }

    /// What allowed it: the policy's name, or `caller.<name>` for a rule of the caller's own.
    #[must_use]
    pub fn rule(&self) -> &Arc<str> {
        &self.grant.rule
    }
}
