//! MAY THEY? `Identified` ──► `Authorized`. Deny by default: only what a rule allows. Pure: no I/O, nothing to wait for.

mod authorized;
mod denial;
pub mod explain;
pub mod identity;
pub mod policy_set;
mod remedy;
pub mod required_scope;
pub mod rule;
pub mod selector;
mod tenant;

use std::sync::Arc;

use crate::{
    caller::Identified,
    ninjaone::{
        catalogue::PathParameters,
        operation::{Operation, RiskClass},
    },
};

use self::policy_set::{AuthorizationQuery, PolicySet};

pub use self::{
    authorized::Authorized,
    denial::{DenialReason, TenantSelectionError},
    tenant::Tenant,
};

impl PolicySet {
    /// Whether the caller may do this. Pure: the same request and the same rules give the same decision.
    ///
    /// # Errors
    /// [`Denied`] holds the request and the first thing that speaks against it, in this order: tenant, operation, rules,
    /// reason, on-behalf-of.
    pub fn authorize(&self, identified: Identified) -> Result<Authorized, Box<Denied>> {
        let request = identified.request();
        let decision = self.decide(&AuthorizationQuery {
            caller: identified.caller(),
            base_path_tenant: request.target().tenant(),
            header_tenant: request.tenant(),
            method: request.method(),
            path: request.target().canonical_path(),
            query: request.target().query(),
            reason: request.reason(),
            on_behalf_of: request.on_behalf_of(),
        });
        match decision {
            Ok(grant) => Ok(Authorized::assert_authorized(identified, grant)),
            Err(refusal) => Err(Box::new(Denied {
                identified,
                tenant: refusal.tenant,
                operation: refusal.operation,
                parameters: refusal.parameters,
                class: refusal.class,
                reason: refusal.reason,
            })),
        }
    }
}

/// A request that the policy refuses. The operation is known unless that is the reason.
pub struct Denied {
    /// The request and its caller.
    pub identified: Identified,
    /// None if that is the reason.
    pub tenant: Option<Arc<Tenant>>,
    /// None if it was not looked for, or not found.
    pub operation: Option<Arc<Operation>>,
    /// Of the operation's path.
    pub parameters: PathParameters,
    /// None without an operation.
    pub class: Option<RiskClass>,
    /// What speaks against it first.
    pub reason: DenialReason,
}
