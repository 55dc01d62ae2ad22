//! The rules that `explain` explains by, and what is known of limits and logins beside them.

use crate::{
    caller::CallerDirectory,
    clock::Timestamp,
    credentials::TokenCells,
    limits::{RateLimits, budget::BudgetLimit, caller_limiter::CallerRateLimit},
    names::IdentityKind,
    policy::policy_set::PolicySet,
};

/// The rules that a request is explained by.
#[derive(Clone, Copy)]
pub struct ExplainRules<'a> {
    pub policy: &'a PolicySet,
    /// Unknown where only the policies are read.
    pub callers: Option<&'a CallerDirectory>,
    /// Unknown where only the policies are read.
    pub limits: Option<&'a RateLimits>,
    /// Known to the running proxy alone.
    pub logins: Option<&'a TokenCells>,
}

/// What is known of the token of an identity.
pub(super) enum LoginState {
    /// Only the running proxy knows.
    Unknown,
    /// It needs no login now.
    Works,
    /// Only a login helps; why, as a sentence without capital and full stop.
    Needed(String),
}

impl ExplainRules<'_> {
    /// When the keys of this caller ended, if they did.
    pub(super) fn expired_at(&self, caller: &str) -> Option<Timestamp> {
        let mut expired = self.callers?.expired(Timestamp::now());
        expired.find(|(name, _)| *name == caller).map(|(_, at)| at)
    }

    /// The callers whose keys have ended, sorted by name.
    pub(super) fn expired_callers(&self) -> Vec<&str> {
        let callers = self.callers.into_iter();
        let expired = callers.flat_map(|it| it.expired(Timestamp::now()));
        let mut names: Vec<&str> = expired.map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(super) fn caller_limit(&self, caller: &str) -> Option<&CallerRateLimit> {
        self.limits?.limit_of_caller(caller)
    }

    pub(super) fn tenant_budget(&self, tenant: &str) -> Option<&BudgetLimit> {
        let mut budgets = self.limits?.budgets();
        let found = budgets.find(|(name, _)| name.as_str() == tenant);
        found.map(|(_, budget)| budget.limit())
    }

    pub(super) fn login_state(&self, tenant: &str, identity: IdentityKind) -> LoginState {
        let mut cells = self.logins.into_iter().flat_map(TokenCells::iter);
        let Some(cell) =
            cells.find(|it| it.tenant().as_str() == tenant && it.identity() == identity)
        else {
            return LoginState::Unknown;
        };
        let token = cell.snapshot();
        if !token.only_login_helps {
            return LoginState::Works;
        }
        let why = token.last_error.map(|(_, error)| error.to_string());
        LoginState::Needed(why.unwrap_or_else(|| "nobody is logged in".to_owned()))
    }
}
