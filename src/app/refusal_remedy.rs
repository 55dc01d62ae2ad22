//! What an operator can do about a request that was refused: shown to whoever watches, never to the caller.

use crate::{
    audit::entry::{OutcomeDetails, RequestFacts},
    policy::policy_set::PolicySet,
};

/// Why it was refused, and what would allow it.
pub(crate) struct RefusalRemedy {
    /// Explains the request.
    pub explain: String,
    /// Allows it, if one command does.
    pub allow: Option<String>,
}

impl RefusalRemedy {
    /// By the rules in force; `None` of a request that was not refused.
    pub(crate) fn of(
        facts: &RequestFacts,
        details: &OutcomeDetails,
        policy: &PolicySet,
    ) -> Option<Self> {
        if !details.decision.is_refused() {
            return None;
        }
        Some(Self {
            explain: format!("ninjaone-proxy explain {}", facts.request_id),
            allow: allowing_command(facts, policy),
        })
    }
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
