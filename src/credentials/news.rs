//! What befalls tokens and logins, for the log, the ledger and the metrics.

use std::sync::Arc;

use crate::names::{IdentityKind, TenantName};

use super::renewal_error::{LoginEndReason, RenewalError};

/// Is told the result of every renewal. Called by the keeper's task, so it must not block.
pub type Observer = Arc<dyn Fn(TokenEvent) + Send + Sync>;

/// Something has happened to a token or a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEvent {
    pub tenant: TenantName,
    pub identity: IdentityKind,
    /// The generation that is in the vault now; 0 if there is none yet.
    pub generation: u64,
    pub news: News,
    /// What is wrong with the store of logins, in words.
    pub fault: Option<String>,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The first token of this vault.
    Minted,
    Renewed,
    /// Renewed because NinjaOne rejected the one before.
    Forced,
    /// Another process has renewed it.
    Adopted,
    Refused(RenewalError),
    /// What NinjaOne issued could not be stored. It is used, and tried again.
    PersistFailed,
    /// What could not be stored is stored.
    Persisted,
    /// The login is of no use any more.
    Dead(LoginEndReason),
    LoggedIn,
    LoggedOut,
}

impl News {
    /// A name for metrics and the audit log, from a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minted => "minted",
            Self::Renewed => "renewed",
            Self::Forced => "forced",
            Self::Adopted => "adopted",
            Self::PersistFailed => "persist-failed",
            Self::Persisted => "persisted",
            Self::LoggedIn => "logged-in",
            Self::LoggedOut => "logged-out",
            Self::Refused(error) => error.as_str(),
            Self::Dead(reason) => reason.as_str(),
        }
    }
}
