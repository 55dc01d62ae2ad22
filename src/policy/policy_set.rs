//! The compiled policies of one configuration: for each caller, the decision on every operation, so that deciding is a look-up.

use std::sync::Arc;

use crate::{
    caller::Caller,
    names::{CallerName, TenantName},
    net::Method,
    ninjaone::{
        catalogue::{Catalogue, PathParameters},
        operation::{Operation, RiskClass, Scope},
    },
};

use super::{
    denial::{DenialReason, TenantSelectionError},
    identity::{ConfiguredIdentities, IdentityPreference},
    rule::{Effect, Rule},
    tenant::Tenant,
};

/// Everything under this is NinjaOne's API; nothing else is ever forwarded, whatever a catalogue says.
const API_ROOT: &str = "/v2/";

/// What a [`PolicySet`] is made from.
pub struct PolicySource {
    pub catalogue: Arc<Catalogue>,
    /// In the order of every other table over tenants.
    pub tenants: Vec<TenantSource>,
    /// In the order of every other table over callers.
    pub callers: Vec<CallerSource>,
}

/// A tenant, for [`PolicySource`].
pub struct TenantSource {
    pub name: TenantName,
    pub identities: ConfiguredIdentities,
}

/// A caller and its rules, for [`PolicySource`].
pub struct CallerSource {
    pub name: CallerName,
    /// The rules of its policies and its own, in the order written.
    pub rules: Vec<Rule>,
    /// Indexes into `PolicySource::tenants`.
    pub tenants: Vec<usize>,
    pub reason_required: bool,
    pub on_behalf_of_required: bool,
    /// What refusals call its rules: the names of its policies, or `caller.<name>`. Empty: the owners of its rules.
    pub policies: Vec<Arc<str>>,
}

/// Who may do what. Never changes: a new configuration makes a new one.
pub struct PolicySet {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) tenants: Vec<Arc<Tenant>>,
    pub(super) caller_policies: Vec<CallerPolicy>,
}

/// One caller's part of the book.
pub(super) struct CallerPolicy {
    pub(super) name: CallerName,
    pub(super) rules: Vec<CompiledRule>,
    pub(super) tenants: Vec<Arc<Tenant>>,
    pub(super) reason_required: bool,
    pub(super) on_behalf_of_required: bool,
    pub(super) policies: Arc<str>,
    /// By operation index: as it is, and raised to `secrets`.
    decisions: Vec<[RuleDecision; 2]>,
}

/// A rule and its text, made once.
pub(super) struct CompiledRule {
    pub(super) rule: Rule,
    pub(super) text: Arc<str>,
}

/// What the rules say of one operation; each holds the index of the rule that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleDecision {
    Allowed(usize),
    Denied(usize),
    NoMatch,
}

/// A request as policy sees it.
#[derive(Clone, Copy)]
pub struct AuthorizationQuery<'a> {
    pub caller: &'a Caller,
    /// The tenant that the base path `/tenant/<name>` names.
    pub base_path_tenant: Option<&'a str>,
    /// `NJP-Tenant`
    pub header_tenant: Option<&'a str>,
    pub method: Method,
    /// Canonical: decoded, alias folded, without base path.
    pub path: &'a str,
    /// As received.
    pub query: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub on_behalf_of: Option<&'a str>,
}

/// What [`PolicySet::decide`] says when it says yes. Only `Authorized` opens the next station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowDecision {
    pub tenant: Arc<Tenant>,
    pub operation: Arc<Operation>,
    pub parameters: PathParameters,
    pub class: RiskClass,
    pub identity_preference: IdentityPreference,
    pub rule: Arc<str>,
}

/// What [`PolicySet::decide`] says when it says no, with as much as was known by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyDecision {
    pub tenant: Option<Arc<Tenant>>,
    pub operation: Option<Arc<Operation>>,
    pub parameters: PathParameters,
    pub class: Option<RiskClass>,
    pub reason: DenialReason,
}

impl PolicySet {
    /// Compiles the rules: for each caller and each operation, the rule that decides.
    #[must_use]
    pub fn new(source: PolicySource) -> Self {
        let tenants: Vec<_> = source
            .tenants
            .into_iter()
            .enumerate()
            .map(
                |(
                    index,
                    TenantSource {
                        name,
                        identities: held,
                    },
                )| {
                    Arc::new(Tenant {
                        name,
                        index,
                        identities: held,
                    })
                },
            )
            .collect();
        let caller_policies = source
            .callers
            .into_iter()
            .map(|caller| CallerPolicy::compile(caller, &source.catalogue, &tenants))
            .collect();
        Self {
            catalogue: source.catalogue,
            tenants,
            caller_policies,
        }
    }

    /// The operations that rules speak about.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// All tenants, in the order of the configuration.
    #[must_use]
    pub fn tenants(&self) -> &[Arc<Tenant>] {
        &self.tenants
    }

    /// Decides a request: pure, and on the way to yes it allocates nothing but the path's parameters.
    ///
    /// # Errors
    /// The first of: tenant, operation, rules, reason, on-behalf-of that speaks against it.
    pub fn decide(&self, question: &AuthorizationQuery<'_>) -> Result<AllowDecision, DenyDecision> {
        let Some(page) = self.caller_policy(question.caller) else {
            return Err(DenyDecision::without_operation(
                None,
                DenialReason::not_allowed_by_any(),
            ));
        };
        let tenant = page
            .select_tenant(question.base_path_tenant, question.header_tenant)
            .map_err(|problem| {
                DenyDecision::without_operation(None, DenialReason::TenantUnknown(problem))
            })?;
        let Some((operation, parameters)) = self.find_operation(question.method, question.path)
        else {
            return Err(DenyDecision::without_operation(
                Some(Arc::clone(tenant)),
                DenialReason::UnknownOperation,
            ));
        };
        let class = effective_class(operation, question.query);
        match page.evaluate(operation, class, question) {
            Ok(line) => Ok(AllowDecision {
                tenant: Arc::clone(tenant),
                operation: Arc::clone(operation),
                parameters,
                class,
                identity_preference: line.rule.identity_preference(),
                rule: Arc::clone(&line.rule.owner),
            }),
            Err(why) => Err(DenyDecision {
                tenant: Some(Arc::clone(tenant)),
                operation: Some(Arc::clone(operation)),
                parameters,
                class: Some(class),
                reason: why,
            }),
        }
    }

    /// NinjaOne's scopes that the operations belong to that this caller may call.
    #[must_use]
    pub fn permitted_scopes(&self, caller: &Caller) -> Vec<Scope> {
        let Some(page) = self.caller_policy(caller) else {
            return Vec::new();
        };
        let allows = |operation: &Arc<Operation>| {
            matches!(
                page.decision(operation, operation.class),
                RuleDecision::Allowed(_)
            )
        };
        let allowed = |scope: &Scope| {
            let mut operations = self.catalogue.all().iter();
            operations.any(|operation| operation.scope == *scope && allows(operation))
        };
        Scope::ALL.into_iter().filter(allowed).collect()
    }

    /// The caller's page. The name is compared too: an index of another configuration must not open someone else's page.
    fn caller_policy(&self, caller: &Caller) -> Option<&CallerPolicy> {
        self.caller_policies
            .get(caller.index)
            .filter(|page| page.name == caller.name)
    }

    pub(super) fn find_operation(
        &self,
        method: Method,
        path: &str,
    ) -> Option<(&Arc<Operation>, PathParameters)> {
        if !path.starts_with(API_ROOT) {
            return None;
        }
        // HEAD is a GET without the body (RFC 9110 section 9.3.2), so a caller that may GET may HEAD.
        let method = match method {
            Method::Head => Method::Get,
            other => other,
        };
        self.catalogue.find(method, path)
    }
}

impl CallerPolicy {
    fn compile(source: CallerSource, catalogue: &Catalogue, tenants: &[Arc<Tenant>]) -> Self {
        let rules: Vec<CompiledRule> = source.rules.into_iter().map(CompiledRule::from).collect();
        let mut decisions = Vec::new();
        for operation in catalogue.all() {
            let row = [
                decide_by_rules(&rules, operation, operation.class),
                decide_by_rules(&rules, operation, raised_to_secrets(operation.class)),
            ];
            if decisions.len() <= operation.index {
                decisions.resize(operation.index + 1, [RuleDecision::NoMatch; 2]);
            }
            if let Some(index) = decisions.get_mut(operation.index) {
                *index = row;
            }
        }
        Self {
            policies: policy_names(&source.name, &source.policies, &rules),
            name: source.name,
            tenants: source
                .tenants
                .into_iter()
                .filter_map(|index| tenants.get(index).cloned())
                .collect(),
            reason_required: source.reason_required,
            on_behalf_of_required: source.on_behalf_of_required,
            rules,
            decisions,
        }
    }

    /// Which tenant a request is for. A tenant that the caller may not use is as unknown as one that does not exist.
    pub(super) fn select_tenant(
        &self,
        base_path: Option<&str>,
        header: Option<&str>,
    ) -> Result<&Arc<Tenant>, TenantSelectionError> {
        let named = match (base_path, header) {
            (Some(one), Some(other)) if one != other => {
                return Err(TenantSelectionError::Conflicting);
            }
            (one, other) => one.or(other),
        };
        match (named, self.tenants.as_slice()) {
            (Some(name), mine) => mine
                .iter()
                .find(|tenant| tenant.name.as_str() == name)
                .ok_or(TenantSelectionError::NoSuchTenant),
            (None, [only]) => Ok(only),
            (None, []) => Err(TenantSelectionError::NoSuchTenant),
            (None, _) => Err(TenantSelectionError::Ambiguous),
        }
    }

    pub(super) fn decision(&self, operation: &Operation, class: RiskClass) -> RuleDecision {
        let column = usize::from(class != operation.class);
        self.decisions
            .get(operation.index)
            .and_then(|row| row.get(column))
            .copied()
            .unwrap_or(RuleDecision::NoMatch)
    }

    pub(super) fn rule_at(&self, index: usize) -> Option<&CompiledRule> {
        self.rules.get(index)
    }

    fn evaluate(
        &self,
        operation: &Operation,
        class: RiskClass,
        question: &AuthorizationQuery<'_>,
    ) -> Result<&CompiledRule, DenialReason> {
        let decision = self.decision(operation, class);
        let line = match decision {
            RuleDecision::Allowed(index) | RuleDecision::Denied(index) => self.rule_at(index),
            RuleDecision::NoMatch => None,
        };
        let Some(line) = line else {
            return Err(DenialReason::NotAllowed {
                policies: Arc::clone(&self.policies),
            });
        };
        if let RuleDecision::Denied(_) = decision {
            return Err(DenialReason::DeniedBy {
                rule: Arc::clone(&line.text),
            });
        }
        if self.reason_required && is_blank(question.reason) {
            return Err(DenialReason::ReasonRequired);
        }
        if self.on_behalf_of_required && is_blank(question.on_behalf_of) {
            return Err(DenialReason::OnBehalfOfRequired);
        }
        Ok(line)
    }
}

impl DenyDecision {
    fn without_operation(tenant: Option<Arc<Tenant>>, reason: DenialReason) -> Self {
        Self {
            tenant,
            operation: None,
            parameters: PathParameters::default(),
            class: None,
            reason,
        }
    }
}

impl From<Rule> for CompiledRule {
    fn from(rule: Rule) -> Self {
        Self {
            text: Arc::from(rule.to_string()),
            rule,
        }
    }
}

/// The class of a request: the operation's, unless its query raises a read to `secrets`.
#[must_use]
pub fn effective_class(operation: &Operation, query: Option<&str>) -> RiskClass {
    if operation.class == RiskClass::Read && operation.requests_secrets(query) {
        raised_to_secrets(operation.class)
    } else {
        operation.class
    }
}

fn raised_to_secrets(class: RiskClass) -> RiskClass {
    class.max(RiskClass::Secrets)
}

/// Deny wins over allow; of equals the first one written is named.
fn decide_by_rules(
    rules: &[CompiledRule],
    operation: &Operation,
    class: RiskClass,
) -> RuleDecision {
    let first = |effect| {
        rules.iter().position(|line: &CompiledRule| {
            line.rule.effect == effect && line.rule.applies_to(operation, class)
        })
    };
    if let Some(index) = first(Effect::Deny) {
        return RuleDecision::Denied(index);
    }
    first(Effect::Allow).map_or(RuleDecision::NoMatch, RuleDecision::Allowed)
}

fn policy_names(caller: &CallerName, given: &[Arc<str>], rules: &[CompiledRule]) -> Arc<str> {
    let mut names: Vec<&str> = given.iter().map(AsRef::as_ref).collect();
    if names.is_empty() {
        for line in rules {
            if !names.contains(&&*line.rule.owner) {
                names.push(&line.rule.owner);
            }
        }
    }
    if names.is_empty() {
        return Arc::from(format!("caller.{caller}"));
    }
    Arc::from(names.join(", "))
}

fn is_blank(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}
