//! What an operator can do about a request that was refused: shown to whoever watches, never to the caller.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use crate::{
    audit::entry::{AuditEntry, OutcomeDetails, RequestFacts},
    policy::policy_set::PolicySet,
    proxy::rules::Rules,
    typed_command::typed,
};

/// The rules in force, for those who watch the audit log, which is open before there are rules. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct RulesInForce(Arc<OnceLock<Arc<ArcSwap<Rules>>>>);

impl RulesInForce {
    /// From now on refusals have a remedy. Only the first call counts.
    pub(crate) fn set(&self, rules: Arc<ArcSwap<Rules>>) {
        let _ = self.0.set(rules);
    }

    /// `None` of what is no refused request, and before the rules are set.
    pub(crate) fn remedy(&self, entry: &AuditEntry) -> Option<RefusalRemedy> {
        let AuditEntry::Outcome { facts, details, .. } = entry else {
            return None;
        };
        RefusalRemedy::of(facts, details, &self.0.get()?.load().policy)
    }
}

/// Why it was refused, and what would allow it.
pub(crate) struct RefusalRemedy {
    /// Explains the request.
    pub explain: String,
    /// Allows it, if one command does.
    pub allow: Option<String>,
}

impl RefusalRemedy {
    /// `None` of a request that was not refused.
    fn of(facts: &RequestFacts, details: &OutcomeDetails, policy: &PolicySet) -> Option<Self> {
        if !details.decision.is_refused() {
            return None;
        }
        Some(Self {
            explain: explaining_command(facts.request_id.as_str()),
            allow: allowing_command(facts, policy),
        })
    }
}

/// The command that explains a request.
pub(crate) fn explaining_command(request: &str) -> String {
    typed(format!("ninjaone-proxy explain {request}")).into_owned()
}

fn allowing_command(facts: &RequestFacts, policy: &PolicySet) -> Option<String> {
    let (caller, operation) = (facts.caller.as_ref()?, facts.operation.as_deref()?);
    let class = facts.class.unwrap_or(operation.class);
    let changes = policy.changes_that_allow(caller.as_str(), operation, class);
    match changes.as_slice() {
        [only] => only.command(),
        _ => None,
    }
}
