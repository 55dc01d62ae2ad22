//! What status and metrics show of a token cell. No secrets.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    clock::Timestamp,
    credentials::login::{change::LoginSummary, renewal_error::RenewalError},
    names::{IdentityKind, TenantName},
};

use super::update::UnprovenChange;

/// The state of a token cell, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenState {
    NeverMinted,
    Fresh,
    Renewing,
    /// The last renewal failed. The token may still be valid, see [`TokenSnapshot::usable`].
    Failing,
    /// The token has expired and no renewal has begun yet, as after a suspend.
    Expired,
    /// There is no valid token, and only a login brings one.
    LoginNeeded,
}

impl TokenState {
    /// The name in the status document.
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

/// The state of a token cell at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSnapshot {
    pub tenant: TenantName,
    pub identity: IdentityKind,
    pub state: TokenState,
    /// Whether there is a valid token now.
    pub usable: bool,
    /// Counts the cell's tokens; 0 before the first one.
    pub generation: u64,
    pub minted_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub scopes: Vec<Box<str>>,
    pub failing_since: Option<Timestamp>,
    /// What a reload has changed and what has brought no token yet.
    pub unproven: Option<UnprovenChange>,
    /// Whether only a login brings another token, be the current one valid or not.
    pub only_login_helps: bool,
    /// The last failure, even if a renewal has succeeded since.
    pub last_error: Option<(Timestamp, RenewalError)>,
    /// Time until the next try after a failure.
    pub next_attempt: Option<Duration>,
    /// Requests that are waiting for a token.
    pub waiting: usize,
    /// Counts renewals by result: `minted`, `renewed`, …, or the name of an error.
    pub results: Vec<(&'static str, u64)>,
    /// For a user identity only.
    pub login: Option<StoredLoginStatus>,
}

impl TokenSnapshot {
    /// What a reload has changed and NinjaOne refuses.
    #[must_use]
    pub fn refused_change(&self) -> Option<UnprovenChange> {
        let (_, error) = self.last_error.filter(|_| self.failing_since.is_some())?;
        self.unproven.filter(|_| error.is_rejection())
    }
}

/// The state of the stored login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLoginStatus {
    /// None while nobody is logged in.
    pub login: Option<LoginSummary>,
    /// Since when a renewed token is in memory only, because it cannot be stored.
    pub unsaved_since: Option<Timestamp>,
    /// What is wrong with the store, for people.
    pub store_fault: Option<String>,
}

/// The results of past renewals.
#[derive(Default)]
pub(in crate::credentials) struct RenewalHistory {
    pub(in crate::credentials) failing_since: Option<Timestamp>,
    pub(in crate::credentials) last_error: Option<(Timestamp, RenewalError)>,
    pub(in crate::credentials) login: Option<StoredLoginStatus>,
    pub(in crate::credentials) unproven: Option<UnprovenChange>,
    counts: BTreeMap<&'static str, u64>,
}

impl RenewalHistory {
    pub(in crate::credentials) fn record_success(&mut self, result: &'static str) {
        self.failing_since = None;
        self.count(result);
    }

    pub(in crate::credentials) fn record_failure(&mut self, error: RenewalError, at: Timestamp) {
        self.failing_since.get_or_insert(at);
        self.last_error = Some((at, error));
        self.count(error.as_str());
    }

    pub(in crate::credentials) fn results(&self) -> Vec<(&'static str, u64)> {
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
