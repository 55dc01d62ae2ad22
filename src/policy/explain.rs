//! Explains why a request would be allowed or denied, step by step, and the smallest change that would allow it.
//!
//! It calls the functions that decide, so the explanation cannot differ from the decision.

use std::sync::Arc;

use crate::{
    net::Method,
    ninjaone::operation::{Operation, RiskClass},
};

use super::{
    Tenant, TenantSelectionError,
    identity::{IdentityChoice, IdentityPin, choose_identity},
    policy_set::{CallerPolicy, PolicySet, RuleDecision, effective_class},
    rule::{Effect, Rule},
};

/// How many similar names or operations are offered.
pub const SUGGESTIONS_MAX: usize = 5;
/// How unlike a name may be and still be offered: 1 is the same.
const SIMILARITY_MIN: f64 = 0.6;

/// The request that is asked about.
#[derive(Debug, Clone, Copy)]
pub struct ExplainRequest<'a> {
    pub caller: &'a str,
    /// What `NJP-Tenant` would say.
    pub tenant: Option<&'a str>,
    /// What the base path `/tenant/<name>` says.
    pub base_path_tenant: Option<&'a str>,
    pub method: Method,
    /// Canonical: decoded, alias folded, without base path.
    pub path: &'a str,
    pub query: Option<&'a str>,
}

/// What policy decides about a request and why, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// In the order in which a request passes them; ends where the request would end.
    pub steps: Vec<ExplanationStep>,
    pub conclusion: Conclusion,
    /// What would have to change, all of it, for this to be allowed; empty if it is, or if nothing could.
    pub changes: Vec<SuggestedChange>,
}

/// One step on the way to the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExplanationStep {
    Caller {
        name: String,
    },
    NoSuchCaller {
        name: String,
        nearest: Vec<String>,
    },
    Tenant {
        tenant: Arc<Tenant>,
        selected_by: TenantSelection,
    },
    NoTenant {
        error: TenantSelectionError,
        /// Those that the caller may use.
        may_use: Vec<String>,
    },
    Operation {
        operation: Arc<Operation>,
        /// Names and values of the path's parameters.
        parameters: Vec<(String, String)>,
    },
    NoSuchOperation {
        /// The path is outside `/v2/`: nothing there is ever forwarded.
        outside: bool,
        nearest: Vec<Arc<Operation>>,
        /// The one that the path would be, if this value were of the kind that it takes: name and value.
        wrong_value: Option<(Arc<Operation>, Box<str>, Box<str>)>,
    },
    /// The query raises the read to class `secrets`.
    ClassRaised {
        parameter: String,
    },
    Rule {
        rule: Rule,
        role: RuleRole,
    },
    NoRule {
        policies: Arc<str>,
    },
    /// A header that the request must carry.
    RequiredHeader(RequiredHeader),
    /// The identity that carries it. What was learnt from NinjaOne since is not known here.
    Identity {
        choice: IdentityChoice,
        /// The setting that pins it.
        pin: Option<IdentityPin>,
        tenant: Arc<Tenant>,
    },
}

/// Why a tenant was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantSelection {
    BasePath,
    Header,
    OnlyOne,
}

/// What a rule does to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleRole {
    /// The verdict is its.
    Decides,
    /// It matches, and another one decides.
    Agrees,
    /// It allows, and a deny overrules it.
    Overruled,
    /// It would allow the same request if that did not ask for secrets.
    OnlyWithoutSecrets,
}

/// A header that a caller must send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredHeader {
    Reason,
    OnBehalfOf,
}

impl RequiredHeader {
    /// The name of the header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reason => "NJP-Reason",
            Self::OnBehalfOf => "NJP-On-Behalf-Of",
        }
    }
}

/// How it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// Provided that the duties among the steps are met.
    Allowed {
        class: RiskClass,
        rule: Rule,
    },
    Denied {
        class: RiskClass,
        rule: Rule,
    },
    NotAllowed {
        class: RiskClass,
    },
    UnknownOperation,
    TenantUnknown,
    NoSuchCaller,
}

impl Conclusion {
    /// What the audit log would call it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Allowed { .. } => "allowed",
            Self::Denied { .. } | Self::NotAllowed { .. } => "policy-denied",
            Self::UnknownOperation => "unknown-operation",
            Self::TenantUnknown => "tenant-unknown",
            Self::NoSuchCaller => "unauthenticated",
        }
    }

    /// The class of the request, where it came to a verdict.
    #[must_use]
    pub const fn class(&self) -> Option<RiskClass> {
        match self {
            Self::Allowed { class, .. }
            | Self::Denied { class, .. }
            | Self::NotAllowed { class } => Some(*class),
            Self::UnknownOperation | Self::TenantUnknown | Self::NoSuchCaller => None,
        }
    }
}

/// One thing to change in the configuration or in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuggestedChange {
    /// Add this operation to the caller's own `allow`; `location` is where that is, if it is written anywhere.
    Allow {
        operation: String,
        caller: String,
        location: Option<Arc<str>>,
    },
    /// Remove this deny.
    RemoveDeny(Rule),
    /// Give the caller this tenant, which exists.
    GrantTenant { tenant: String, caller: String },
    /// Name one of these tenants in the request.
    NameTenant(Vec<String>),
    /// Name one tenant only.
    NameOneTenant,
    /// Add the operation to the catalogue, if NinjaOne has it.
    AddOperation { method: Method, path: String },
}

impl PolicySet {
    /// Follows a request through the rules. Pure. Duties are listed, not tested: the request is only imagined.
    #[must_use]
    pub fn explain(&self, request: &ExplainRequest<'_>) -> Explanation {
        let Some(page) = self.policy_of_caller(request.caller) else {
            return self.explain_unknown_caller(request.caller);
        };
        let mut steps = vec![ExplanationStep::Caller {
            name: request.caller.to_owned(),
        }];
        let tenant = match page.select_tenant(request.base_path_tenant, request.tenant) {
            Ok(tenant) => tenant,
            Err(problem) => return self.explain_tenant_error(page, request, problem, steps),
        };
        steps.push(ExplanationStep::Tenant {
            tenant: Arc::clone(tenant),
            selected_by: tenant_selection(request),
        });
        let Some((operation, parameters)) = self.find_operation(request.method, request.path)
        else {
            return self.explain_unknown_operation(request, steps);
        };
        let names = operation.parameters.iter().map(|it| it.name.to_string());
        let values = parameters.values().iter().map(ToString::to_string);
        steps.push(ExplanationStep::Operation {
            operation: Arc::clone(operation),
            parameters: names.zip(values).collect(),
        });
        let class = effective_class(operation, request.query);
        explain_decision(page, tenant, operation, class, steps)
    }

    /// The names of all callers, in the order of the configuration.
    pub fn callers(&self) -> impl Iterator<Item = &str> {
        self.caller_policies.iter().map(|page| page.name.as_str())
    }

    pub(super) fn policy_of_caller(&self, caller: &str) -> Option<&CallerPolicy> {
        self.caller_policies
            .iter()
            .find(|page| page.name.as_str() == caller)
    }

    fn explain_unknown_caller(&self, name: &str) -> Explanation {
        let mut nearest: Vec<_> = self
            .callers()
            .map(|known| (strsim::jaro_winkler(known, name), known))
            .filter(|(likeness, _)| *likeness >= SIMILARITY_MIN)
            .collect();
        nearest.sort_by(|one, other| other.0.total_cmp(&one.0));
        Explanation {
            steps: vec![ExplanationStep::NoSuchCaller {
                name: name.to_owned(),
                nearest: nearest
                    .into_iter()
                    .take(SUGGESTIONS_MAX)
                    .map(|(_, known)| known.to_owned())
                    .collect(),
            }],
            conclusion: Conclusion::NoSuchCaller,
            changes: Vec::new(),
        }
    }

    fn explain_tenant_error(
        &self,
        page: &CallerPolicy,
        request: &ExplainRequest<'_>,
        problem: TenantSelectionError,
        mut steps: Vec<ExplanationStep>,
    ) -> Explanation {
        let may_use: Vec<String> = page.tenants.iter().map(|it| it.name.to_string()).collect();
        let exists = |name: &str| self.tenants.iter().any(|it| it.name.as_str() == name);
        let named = request.base_path_tenant.or(request.tenant);
        let change = match (&problem, named) {
            (TenantSelectionError::Conflicting, _) => Some(SuggestedChange::NameOneTenant),
            (TenantSelectionError::NoSuchTenant, Some(name)) if exists(name) => {
                Some(SuggestedChange::GrantTenant {
                    tenant: name.to_owned(),
                    caller: request.caller.to_owned(),
                })
            }
            _ if may_use.is_empty() => None,
            _ => Some(SuggestedChange::NameTenant(may_use.clone())),
        };
        steps.push(ExplanationStep::NoTenant {
            error: problem,
            may_use,
        });
        Explanation {
            steps,
            conclusion: Conclusion::TenantUnknown,
            changes: change.into_iter().collect(),
        }
    }

    fn explain_unknown_operation(
        &self,
        request: &ExplainRequest<'_>,
        mut steps: Vec<ExplanationStep>,
    ) -> Explanation {
        let outside = !request.path.starts_with("/v2/");
        let nearest = if outside {
            Vec::new()
        } else {
            // Of the same method only: whoever wanted to write is not helped by a read.
            let alike = self
                .catalogue
                .similar(request.method, request.path, SUGGESTIONS_MAX);
            alike.into_iter().map(Arc::clone).collect()
        };
        let wrong_value = self
            .catalogue
            .find_with_wrong_value(request.method, request.path)
            .map(|(operation, name, value)| (Arc::clone(operation), name, value));
        let is_known = wrong_value.is_some();
        steps.push(ExplanationStep::NoSuchOperation {
            outside,
            nearest,
            wrong_value,
        });
        let add = SuggestedChange::AddOperation {
            method: request.method,
            path: request.path.to_owned(),
        };
        Explanation {
            steps,
            conclusion: Conclusion::UnknownOperation,
            changes: if outside || is_known {
                Vec::new()
            } else {
                vec![add]
            },
        }
    }
}

fn tenant_selection(request: &ExplainRequest<'_>) -> TenantSelection {
    if request.base_path_tenant.is_some() {
        TenantSelection::BasePath
    } else if request.tenant.is_some() {
        TenantSelection::Header
    } else {
        TenantSelection::OnlyOne
    }
}

/// The part of the story that begins once caller, tenant and operation are known.
fn explain_decision(
    page: &CallerPolicy,
    tenant: &Arc<Tenant>,
    operation: &Operation,
    class: RiskClass,
    mut steps: Vec<ExplanationStep>,
) -> Explanation {
    if class != operation.class {
        steps.push(ExplanationStep::ClassRaised {
            parameter: operation
                .secrets_parameter
                .as_deref()
                .unwrap_or_default()
                .to_owned(),
        });
    }
    let decision = page.decision(operation, class);
    steps.extend(matching_rules(page, operation, class, decision));
    let deciding = match decision {
        RuleDecision::Allowed(index) | RuleDecision::Denied(index) => page.rule_at(index),
        RuleDecision::NoMatch => None,
    };
    let conclusion = match (decision, deciding.map(|line| line.rule.clone())) {
        (RuleDecision::Allowed(_), Some(rule)) => {
            steps.extend(required_headers(page).map(ExplanationStep::RequiredHeader));
            steps.push(identity_step(tenant, operation, &rule));
            return Explanation {
                steps,
                conclusion: Conclusion::Allowed { class, rule },
                changes: Vec::new(),
            };
        }
        (RuleDecision::Denied(_), Some(rule)) => Conclusion::Denied { class, rule },
        _ => Conclusion::NotAllowed { class },
    };
    if conclusion == (Conclusion::NotAllowed { class }) {
        steps.push(ExplanationStep::NoRule {
            policies: Arc::clone(&page.policies),
        });
    }
    Explanation {
        steps,
        conclusion,
        changes: suggested_changes(page, operation, class),
    }
}

fn identity_step(tenant: &Arc<Tenant>, operation: &Operation, rule: &Rule) -> ExplanationStep {
    ExplanationStep::Identity {
        choice: choose_identity(
            rule.identity_preference(),
            operation.required_identity,
            false,
            tenant.identities,
        ),
        pin: rule.identity_pin.clone(),
        tenant: Arc::clone(tenant),
    }
}

/// Every rule that has to do with the request, in the order written.
fn matching_rules(
    page: &CallerPolicy,
    operation: &Operation,
    class: RiskClass,
    decision: RuleDecision,
) -> impl Iterator<Item = ExplanationStep> {
    let denied = matches!(decision, RuleDecision::Denied(_));
    page.rules
        .iter()
        .enumerate()
        .filter_map(move |(index, line)| {
            let rule = &line.rule;
            let decides =
                decision == RuleDecision::Allowed(index) || decision == RuleDecision::Denied(index);
            let part = match (rule.applies_to(operation, class), rule.effect) {
                (true, _) if decides => RuleRole::Decides,
                (true, Effect::Allow) if denied => RuleRole::Overruled,
                (true, _) => RuleRole::Agrees,
                (false, Effect::Allow) if rule.applies_to(operation, operation.class) => {
                    RuleRole::OnlyWithoutSecrets
                }
                (false, _) => return None,
            };
            Some(ExplanationStep::Rule {
                rule: rule.clone(),
                role: part,
            })
        })
}

fn required_headers(page: &CallerPolicy) -> impl Iterator<Item = RequiredHeader> {
    let reason = page.reason_required.then_some(RequiredHeader::Reason);
    let on_behalf_of = page
        .on_behalf_of_required
        .then_some(RequiredHeader::OnBehalfOf);
    reason.into_iter().chain(on_behalf_of)
}

/// Every deny that speaks against it goes; an allow is added where none would be left to speak for it. It names the
/// operation alone, because that is the least that can be given.
pub(super) fn suggested_changes(
    page: &CallerPolicy,
    operation: &Operation,
    class: RiskClass,
) -> Vec<SuggestedChange> {
    let applying = |effect: Effect| {
        page.rules
            .iter()
            .map(|line| &line.rule)
            .filter(move |rule| rule.effect == effect && rule.applies_to(operation, class))
    };
    let mut changes: Vec<SuggestedChange> = applying(Effect::Deny)
        .cloned()
        .map(SuggestedChange::RemoveDeny)
        .collect();
    if applying(Effect::Allow).next().is_none() {
        let own = format!("caller.{}", page.name);
        let mut allows = page
            .rules
            .iter()
            .map(|line| &line.rule)
            .filter(|rule| rule.effect == Effect::Allow);
        changes.push(SuggestedChange::Allow {
            operation: operation.id.to_string(),
            caller: page.name.to_string(),
            location: allows
                .find(|rule| *rule.owner == *own)
                .map(|rule| Arc::clone(&rule.location)),
        });
    }
    changes
}
