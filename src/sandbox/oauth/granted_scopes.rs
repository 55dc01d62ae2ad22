//! The scopes of a token, and whether it comes with a refresh token.

use std::fmt;

use crate::ninjaone::operation::Scope;

/// The scope that stands for a refresh token.
const OFFLINE_ACCESS: &str = "offline_access";

/// Scopes that were given, in the order in which they were asked for.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct ValidatedToken {
    pub(in crate::sandbox) scopes: Vec<Scope>,
    /// `offline_access`.
    pub(super) offline: bool,
}

impl ValidatedToken {
    /// Names with spaces between them. `None` if one is not a scope of NinjaOne's.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut granted = Self {
            scopes: Vec::new(),
            offline: false,
        };
        for name in text.split_ascii_whitespace() {
            if name == OFFLINE_ACCESS {
                granted.offline = true;
                continue;
            }
            let scope = Scope::parse(name)?;
            if !granted.scopes.contains(&scope) {
                granted.scopes.push(scope);
            }
        }
        Some(granted)
    }

    pub(super) fn covers(&self, other: &Self) -> bool {
        (self.offline || !other.offline)
            && other.scopes.iter().all(|scope| self.scopes.contains(scope))
    }

    /// Without a refresh token.
    pub(super) fn online(self) -> Self {
        Self {
            offline: false,
            ..self
        }
    }

    /// Without all scopes but this one.
    pub(super) fn narrowed_to(mut self, only: Scope) -> Self {
        self.scopes.retain(|scope| *scope == only);
        self
    }
}

/// As in `scope` of a token's answer.
impl fmt::Display for ValidatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.scopes.iter().map(|scope| scope.as_str());
        let names = names.chain(self.offline.then_some(OFFLINE_ACCESS));
        f.write_str(&names.collect::<Vec<_>>().join(" "))
    }
}
