//! A policy rule: allows or denies what its selector matches, and knows where the operator wrote it.

use std::{fmt, sync::Arc};

use crate::ninjaone::operation::{Operation, RiskClass};

use super::{
    identity::{IdentityPin, IdentityPreference},
    selector::Selector,
};

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

impl Effect {
    /// The word of settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rule as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub effect: Effect,
    pub selector: Selector,
    /// `reporting`, or `caller.powerbi` for a rule of the caller's own.
    pub owner: Arc<str>,
    /// `config.toml:41`
    pub location: Arc<str>,
    /// The identity of the requests that this rule allows: the caller's `identity`, else the policy's.
    pub identity_pin: Option<IdentityPin>,
}

impl Rule {
    /// The identity that this rule asks for.
    #[must_use]
    pub fn identity_preference(&self) -> IdentityPreference {
        self.identity_pin
            .as_ref()
            .map_or(IdentityPreference::Auto, |pin| {
                IdentityPreference::Pinned(pin.identity)
            })
    }

    /// Whether this rule speaks about a request for `operation` whose class is `class`.
    ///
    /// The two effects read a raised request (a read that asks for secrets) differently, each towards refusing: a deny of
    /// the plain operation denies it too, and an allow covers it only where somebody wrote `secrets`, `all` or the
    /// operation itself. `scope:monitoring` was written with reads in mind.
    #[must_use]
    pub fn applies_to(&self, operation: &Operation, class: RiskClass) -> bool {
        let selector = &self.selector;
        match self.effect {
            Effect::Deny => {
                selector.matches(operation, class) || selector.matches(operation, operation.class)
            }
            Effect::Allow if class == operation.class => selector.matches(operation, class),
            Effect::Allow => {
                let deliberate =
                    selector.is_exact() || matches!(selector, Selector::All | Selector::Class(_));
                deliberate && selector.matches(operation, class)
            }
        }
    }
}

/// `policy reporting: deny = ["secrets"]`, `caller.powerbi: allow = ["read"]`
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.owner.starts_with("caller.") {
            f.write_str("policy ")?;
        }
        write!(
            f,
            "{}: {} = [\"{}\"]",
            self.owner, self.effect, self.selector
        )
    }
}
