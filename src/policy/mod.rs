//! MAY THEY? `Identified` ──► `Authorized`. Pure: no I/O, nothing to wait for.

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
    identity::{Held, Wish},
};

/// A tenant as policy sees it. `index` is its place in every table of the same rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Tenant {
    pub name: TenantName,
    pub index: usize,
    pub held: Held,
}

/// A request that the policy allows. Only this module makes one.
pub struct Authorized {
    identified: Identified,
    tenant: Arc<Tenant>,
    operation: Arc<Operation>,
    parameters: Parameters,
    class: Class,
    wish: Wish,
    rule: Arc<str>,
}

impl Authorized {
    #[must_use]
    pub fn identified(&self) -> &Identified {
        &self.identified
    }

    pub fn identified_mut(&mut self) -> &mut Identified {
        &mut self.identified
    }

    #[must_use]
    pub fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    #[must_use]
    pub fn operation(&self) -> &Arc<Operation> {
        &self.operation
    }

    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The class of this request: the operation's, raised to `secrets` by a parameter that asks for secrets.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// As whom it shall go, as far as policy has a say in it. The lease decides: see [`identity::choose`].
    #[must_use]
    pub fn wish(&self) -> Wish {
        self.wish
    }

    /// What allowed it: the policy's name, or `caller.<name>` for a rule of the caller's own.
    #[must_use]
    pub fn rule(&self) -> &Arc<str> {
        &self.rule
    }
}

impl Book {
    /// Whether the caller may do this. Pure: the same request and the same rules give the same answer.
    ///
    /// # Errors
    /// [`Denied`] holds the request and the first thing that speaks against it, in this order: tenant, operation, rules,
    /// reason, on-behalf-of.
    pub fn authorize(&self, identified: Identified) -> Result<Authorized, Box<Denied>> {
        let incoming = identified.incoming();
        let decision = self.decide(&Question {
            caller: identified.caller(),
            base_path_tenant: incoming.target.tenant(),
            header_tenant: incoming.tenant.as_deref(),
            method: incoming.method,
            path: incoming.target.canonical_path(),
            query: incoming.target.query(),
            reason: incoming.reason.as_deref(),
            on_behalf_of: incoming.on_behalf_of.as_deref(),
        });
        match decision {
            Ok(grant) => Ok(Authorized {
                identified,
                tenant: grant.tenant,
                operation: grant.operation,
                parameters: grant.parameters,
                class: grant.class,
                wish: grant.wish,
                rule: grant.rule,
            }),
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
