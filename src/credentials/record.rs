//! What there is to tell about a vault: no secrets.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    clock::Timestamp,
    names::{IdentityKind, TenantName},
};

use super::{login_change::LoginSummary, renewal_error::RenewalError};

/// How a vault stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    NeverMinted,
    Fresh,
    Renewing,
    /// The last renewal failed; the token may be valid still, see [`VaultSnapshot::usable`].
    Failing,
    /// The token ended and no renewal has begun yet, as after a suspend.
    Expired,
    /// There is no token, and only a login brings one.
    LoginNeeded,
}

impl State {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverMinted => "never-minted",
            Self::Fresh => "fresh",
            Self::Renewing => "renewing",
            Self::Failing => "failing",
            Self::Expired => "expired",
            Self::LoginNeeded => "login-needed",
        }
    }
}

/// For status and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSnapshot {
    pub tenant: TenantName,
    pub identity: IdentityKind,
    pub state: State,
    /// Whether there is a token that can be sent now.
    pub usable: bool,
    /// 0 before the first token.
    pub generation: u64,
    pub minted_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub scopes: Vec<Box<str>>,
    pub failing_since: Option<Timestamp>,
    /// The last failure, also after it was overcome.
    pub last_error: Option<(Timestamp, RenewalError)>,
    /// Until the next try after a failure.
    pub next_attempt: Option<Duration>,
    /// Requests that wait for the token.
    pub waiting: usize,
    /// How often a renewal ended how: `minted`, `renewed`, or the name of an error.
    pub results: Vec<(&'static str, u64)>,
    /// Of a person's identity only.
    pub login: Option<LoginState>,
}

/// How a login is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginState {
    /// None while nobody is logged in.
    pub login: Option<LoginSummary>,
    /// Since when what NinjaOne issued could not be stored.
    pub unsaved_since: Option<Timestamp>,
    /// What is wrong with the store, in words.
    pub fault: Option<String>,
}

/// What the keeper has seen.
#[derive(Default)]
pub(super) struct Record {
    pub(super) failing_since: Option<Timestamp>,
    pub(super) last_error: Option<(Timestamp, RenewalError)>,
    pub(super) login: Option<LoginState>,
    counts: BTreeMap<&'static str, u64>,
}

impl Record {
    pub(super) fn succeeded(&mut self, result: &'static str) {
        self.failing_since = None;
        self.count(result);
    }

    pub(super) fn failed(&mut self, error: RenewalError, at: Timestamp) {
        self.failing_since.get_or_insert(at);
        self.last_error = Some((at, error));
        self.count(error.as_str());
    }

    pub(super) fn results(&self) -> Vec<(&'static str, u64)> {
        self.counts
            .iter()
            .map(|(name, count)| (*name, *count))
            .collect()
    }

    fn count(&mut self, result: &'static str) {
        let count = self.counts.entry(result).or_default();
        *count = count.saturating_add(1);
    }
}
