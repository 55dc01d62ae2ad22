//! The NinjaOne scopes that the policies require: without them, NinjaOne would refuse what is allowed here.

use std::sync::Arc;

use crate::{
    names::{CallerName, IdentityKind},
    ninjaone::operation::{Operation, Scope},
};

use super::{
    identity::{Held, choose},
    policy_set::{Book, Page, Verdict},
};

/// A scope, and one of those who may need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub scope: Scope,
    pub caller: CallerName,
    /// The first in the catalogue that this caller may call and that belongs to the scope.
    pub operation: Arc<Operation>,
}

impl Book {
    /// Each scope that the callers of a tenant may need of one of its identities, as far as is known before NinjaOne has
    /// been asked. `tenant` is the tenant's index.
    #[must_use]
    pub fn needs(&self, tenant: usize, identity: IdentityKind) -> Vec<Need> {
        let need = |scope| {
            self.pages.iter().find_map(|page| {
                let tenant = page.tenants.iter().find(|it| it.index == tenant)?;
                self.need(page, tenant.held, scope, identity)
            })
        };
        Scope::ALL.into_iter().filter_map(need).collect()
    }

    fn need(&self, page: &Page, held: Held, scope: Scope, identity: IdentityKind) -> Option<Need> {
        let is_needed = |operation: &&Arc<Operation>| {
            let Verdict::Allowed(place) = page.verdict(operation, operation.class) else {
                return false;
            };
            let wish = page
                .line(place)
                .map(|it| it.rule.wish())
                .unwrap_or_default();
            operation.scope == scope
                && choose(wish, operation.needs, false, held).identity == identity
        };
        let operation = self.catalogue.all().iter().find(is_needed)?;
        Some(Need {
            scope,
            caller: page.name.clone(),
            operation: Arc::clone(operation),
        })
    }
}
