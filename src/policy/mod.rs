//! MAY THEY? `Identified` ──► `Authorized`. Pure: no I/O, nothing to wait for.

mod authorized;
pub mod book;
pub mod explain;
pub mod identity;
pub mod need;
pub mod rule;
pub mod selector;

use std::sync::Arc;

use crate::{
    caller::Identified,
    names::TenantName,
    ninjaone::{
        catalogue::Parameters,
        operation::{Class, Operation},
    },
};

use self::{
    book::{Book, Question},
    identity::Held,
};

pub use self::authorized::Authorized;

/// A tenant as policy sees it. `index` is its place in every table of the same rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Tenant {
    pub name: TenantName,
    pub index: usize,
    pub held: Held,
}

impl Book {
    /// Whether the caller may do this. Pure: the same request and the same rules give the same answer.
    ///
    /// # Errors
    /// [`Denied`] holds the request and the first thing that speaks against it, in this order: tenant, operation, rules,
    /// reason, on-behalf-of.
    pub fn authorize(&self, identified: Identified) -> Result<Authorized, Box<Denied>> {
        let request = identified.request();
        let decision = self.decide(&Question {
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
                why: refusal.why,
            })),
        }
    }
}

/// A request that the policy refuses. The operation is known unless that is the reason.
pub struct Denied {
    pub identified: Identified,
    pub tenant: Option<Arc<Tenant>>,
    pub operation: Option<Arc<Operation>>,
    pub parameters: Parameters,
    pub class: Option<Class>,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No such tenant, or none that this caller may use, or several and the caller named none.
    TenantUnknown(TenantProblem),
    /// The catalogue does not have this method and path.
    UnknownOperation,
    /// No rule allows it. Holds the names of the policies that were asked.
    NotAllowed {
        policies: Arc<str>,
    },
    /// A `deny` rule matched: `policy reporting: deny = ["secrets"]`.
    DeniedBy {
        rule: Arc<str>,
    },
    ReasonRequired,
    OnBehalfOfRequired,
}

impl Why {
    /// For a caller of whom these rules know nothing.
    fn not_allowed_by_any() -> Self {
        Self::NotAllowed {
            policies: Arc::from("none"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantProblem {
    /// There is none of that name, or the caller may not use it.
    NoSuchTenant,
    /// The caller may use several and named none.
    Ambiguous,
    /// The base path and the `NJP-Tenant` header name different ones.
    Contradiction,
}
