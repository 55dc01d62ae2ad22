//! The scopes of a token, and whether it comes with a refresh token.

use std::fmt;

use crate::ninjaone::operation::Scope;

/// The scope that requests a refresh token.
const OFFLINE_ACCESS: &str = "offline_access";

/// Granted scopes, in the order in which they were requested.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct GrantedScopes {
    pub(in crate::sandbox) scopes: Vec<Scope>,
    /// `offline_access`.
    pub(super) offline: bool,
}

impl GrantedScopes {
    /// Parses scope names separated by spaces. `None` if NinjaOne has no such scope.
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
    pub(super) fn without_offline_access(self) -> Self {
        Self {
            offline: false,
            ..self
        }
    }

    /// With this scope only.
    pub(super) fn narrowed_to(mut self, only: Scope) -> Self {
        self.scopes.retain(|scope| *scope == only);
        self
    }
}

/// As in `scope` of a token response.
impl fmt::Display for GrantedScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.scopes.iter().map(|scope| scope.as_str());
        let names = names.chain(self.offline.then_some(OFFLINE_ACCESS));
        f.write_str(&names.collect::<Vec<_>>().join(" "))
    }
}
