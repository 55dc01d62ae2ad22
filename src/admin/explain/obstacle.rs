//! What would stop a request although no rule refuses it: keys that have expired, or nobody who is logged in.

use crate::{
    admin::plain_text::escape_control,
    clock::Timestamp,
    names::IdentityKind,
    policy::explain::{Conclusion, ExplainRequest, Explanation, ExplanationStep},
};

use super::{
    answer::ExplainOutcome,
    rules::{ExplainRules, LoginState},
};

/// It ends there, whatever the rules say.
pub(super) enum Obstacle {
    Expired { caller: String, at: Timestamp },
    LoginNeeded { tenant: String },
}

impl Obstacle {
    /// The first on the request's way.
    #[must_use]
    pub(super) fn of(
        request: &ExplainRequest<'_>,
        explanation: &Explanation,
        rules: ExplainRules<'_>,
    ) -> Option<Self> {
        if let Some(at) = rules.expired_at(request.caller) {
            return Some(Self::Expired {
                caller: escape_control(request.caller),
                at,
            });
        }
        if !matches!(explanation.conclusion, Conclusion::Allowed { .. }) {
            return None;
        }
        explanation.steps.iter().find_map(|step| {
            let ExplanationStep::Identity { choice, tenant, .. } = step else {
                return None;
            };
            let is_user =
                choice.identity == IdentityKind::User && tenant.identities.has(choice.identity);
            let state = rules.login_state(tenant.name.as_str(), choice.identity);
            (is_user && matches!(state, LoginState::Needed(_))).then(|| Self::LoginNeeded {
                tenant: tenant.name.to_string(),
            })
        })
    }

    /// What the audit log would call it.
    #[must_use]
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "unauthenticated",
            Self::LoginNeeded { .. } => "login-needed",
        }
    }

    #[must_use]
    pub(super) const fn outcome(&self) -> ExplainOutcome {
        match self {
            Self::Expired { .. } => ExplainOutcome::Refused,
            Self::LoginNeeded { .. } => ExplainOutcome::LoginNeeded,
        }
    }

    /// What has to change before it passes.
    #[must_use]
    pub(super) fn change(&self) -> String {
        match self {
            Self::Expired { caller, .. } => format!(
                "give its keys a later date: ninjaone-proxy caller set {caller} --expires DATE"
            ),
            Self::LoginNeeded { tenant } => format!("log in: ninjaone-proxy login {tenant}"),
        }
    }

    /// How it ends. One that was refused is never said to be allowed.
    #[must_use]
    pub(super) fn conclusion(&self, explanation: &Explanation, was_refused: bool) -> String {
        match (self, &explanation.conclusion) {
            (Self::Expired { caller, at }, _) => {
                format!("Refused (unauthenticated): the keys of {caller} expired on {at}.")
            }
            (Self::LoginNeeded { tenant }, Conclusion::Allowed { rule, .. }) => {
                let start = if was_refused {
                    "They would not refuse it:"
                } else {
                    "Allowed by"
                };
                format!(
                    "{start} {rule} ({}), but a user must log in first: ninjaone-proxy login {tenant}",
                    rule.location
                )
            }
            (Self::LoginNeeded { tenant }, _) => {
                format!("A user must log in first: ninjaone-proxy login {tenant}")
            }
        }
    }
}
