//! What would stop a request although no rule refuses it: keys that have expired, an identity that is not configured, or nobody
//! who is logged in.

use crate::{
    admin::plain_text::escape_control,
    clock::Timestamp,
    names::IdentityKind,
    policy::explain::{Conclusion, ExplainRequest, Explanation, ExplanationStep},
    typed_command::typed,
};

use super::{
    answer::ExplainOutcome,
    rules::{ExplainRules, LoginState},
};

/// It ends there, whatever the rules say.
pub(super) enum Obstacle {
    Expired {
        caller: String,
        at: Timestamp,
    },
    LoginNeeded {
        tenant: String,
    },
    /// The tenant has no such identity.
    NotConfigured {
        tenant: String,
        identity: IdentityKind,
    },
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
            let name = tenant.name.to_string();
            let identity = choice.identity;
            if !tenant.identities.has(identity) {
                let tenant = name;
                return Some(Self::NotConfigured { tenant, identity });
            }
            let is_user = identity == IdentityKind::User;
            let state = rules.login_state(&name, identity);
            (is_user && matches!(state, LoginState::Needed(_)))
                .then_some(Self::LoginNeeded { tenant: name })
        })
    }

    /// What the audit log would call it.
    #[must_use]
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "unauthenticated",
            Self::LoginNeeded { .. } | Self::NotConfigured { .. } => "login-needed",
        }
    }

    #[must_use]
    pub(super) const fn outcome(&self) -> ExplainOutcome {
        match self {
            Self::Expired { .. } => ExplainOutcome::Refused,
            Self::LoginNeeded { .. } | Self::NotConfigured { .. } => ExplainOutcome::LoginNeeded,
        }
    }

    /// What has to change before it passes.
    #[must_use]
    pub(super) fn change(&self) -> String {
        let change = match self {
            Self::Expired { caller, .. } => format!(
                "give its keys a later date: ninjaone-proxy caller set {caller} --expires DATE"
            ),
            Self::LoginNeeded { tenant } => format!("log in: {}", login(tenant)),
            Self::NotConfigured { tenant, identity } => {
                let section = format!("add [tenant.{tenant}.{identity}] to the configuration");
                match identity {
                    IdentityKind::User => format!("{section}, then log in: {}", login(tenant)),
                    IdentityKind::Service => section,
                }
            }
        };
        typed(change).into_owned()
    }

    /// Whether its conclusion leaves open what has to change.
    #[must_use]
    pub(super) const fn has_change_to_show(&self) -> bool {
        match self {
            Self::Expired { .. } | Self::NotConfigured { .. } => true,
            Self::LoginNeeded { .. } => false,
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
                    "{start} {rule} ({}), but a user must log in first: {}",
                    rule.location,
                    login(tenant)
                )
            }
            (Self::LoginNeeded { tenant }, _) => {
                format!("A user must log in first: {}", login(tenant))
            }
            (Self::NotConfigured { tenant, identity }, conclusion) => {
                let rule = match conclusion {
                    Conclusion::Allowed { rule, .. } => {
                        format!(" {rule} ({}) allows it, but", rule.location)
                    }
                    _ => String::new(),
                };
                format!(
                    "Refused (login-needed):{rule} it goes to NinjaOne as the {identity} identity, and there is no [tenant.{tenant}.{identity}]."
                )
            }
        }
    }
}

fn login(tenant: &str) -> String {
    typed(format!("ninjaone-proxy login {tenant}")).into_owned()
}
