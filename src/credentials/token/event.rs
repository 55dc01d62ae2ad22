//! Token lifecycle events, for the log, the audit log and the metrics.

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    credentials::login::renewal_error::{LoginEndReason, RenewalError},
    names::{IdentityKind, TenantName},
};

use super::update::UnprovenChange;

/// Receives every token event. Called on the renewer's task, so it must not block.
pub type TokenObserver = Arc<dyn Fn(TokenEvent) + Send + Sync>;

/// Something happened to a token or a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEvent {
    pub tenant: TenantName,
    pub identity: IdentityKind,
    /// The generation of the current token; 0 if there is none yet.
    pub generation: u64,
    /// Until when the current token serves; none if there is none that does.
    pub serves_until: Option<Timestamp>,
    pub kind: TokenEventKind,
    /// What is wrong with the store of logins, for people.
    pub store_fault: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenEventKind {
    /// The first token of this cell.
    Minted,
    Renewed,
    /// Renewed because NinjaOne rejected the one before.
    Forced,
    /// Another process has renewed the token.
    Adopted,
    Failed(RenewalError),
    /// NinjaOne refuses what a reload has brought. The token from before serves until its end.
    ChangeRefused(UnprovenChange, RenewalError),
    /// A renewed login could not be stored. Its token is used, and storing it is tried again.
    PersistFailed,
    /// A login that could not be stored before is stored now.
    Persisted,
    /// The login is no longer valid.
    LoginEnded(LoginEndReason),
    LoggedIn,
    LoggedOut,
}

impl TokenEventKind {
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
            Self::Failed(error) | Self::ChangeRefused(_, error) => error.as_str(),
            Self::LoginEnded(reason) => reason.as_str(),
        }
    }
}
