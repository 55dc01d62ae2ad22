//! The NinjaOne scopes that the policies require: without them, NinjaOne would refuse what is allowed here.

use std::sync::Arc;

use crate::{
    names::{CallerName, IdentityKind},
    ninjaone::operation::{Operation, Scope},
};

use super::{
    identity::{ConfiguredIdentities, choose_identity},
    policy_set::{CallerPolicy, PolicySet, RuleDecision},
};

/// A scope, and one of those who may need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredScope {
    pub scope: Scope,
    pub caller: CallerName,
    /// The first in the catalogue that this caller may call and that belongs to the scope.
    pub operation: Arc<Operation>,
}

impl PolicySet {
    /// Each scope that the callers of a tenant may need of one of its identities, as far as is known before NinjaOne has
    /// been asked. `tenant` is the tenant's index.
    #[must_use]
    pub fn required_scopes(&self, tenant: usize, identity: IdentityKind) -> Vec<RequiredScope> {
        let need = |scope| {
            self.caller_policies.iter().find_map(|page| {
                let tenant = page.tenants.iter().find(|it| it.index == tenant)?;
                self.required_scope(page, tenant.identities, scope, identity)
            })
        };
        Scope::ALL.into_iter().filter_map(need).collect()
    }

    fn required_scope(
        &self,
        page: &CallerPolicy,
        held: ConfiguredIdentities,
        scope: Scope,
        identity: IdentityKind,
    ) -> Option<RequiredScope> {
        let is_needed = |operation: &&Arc<Operation>| {
            let RuleDecision::Allowed(index) = page.decision(operation, operation.class) else {
                return false;
            };
            let preference = page
                .rule_at(index)
                .map(|it| it.rule.identity_preference())
                .unwrap_or_default();
            operation.scope == scope
                && choose_identity(preference, operation.required_identity, false, held).identity
                    == identity
        };
        let operation = self.catalogue.all().iter().find(is_needed)?;
        Some(RequiredScope {
            scope,
            caller: page.name.clone(),
            operation: Arc::clone(operation),
        })
    }
}
