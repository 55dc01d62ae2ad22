//! One thing that needs attention: its kind from a closed set, what it is about, and a sentence for people.

use serde::{Deserialize, Serialize};

use super::overall_health::Health;

/// What can be wrong. The names are labels of metrics and members of `status`: they may be added, but not renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// The configuration on disk is wrong; the one before stays in force.
    ReloadRefused,
    /// A setting has changed that only a restart applies.
    RestartNeeded,
    /// The first token is being fetched.
    TokenStarting,
    TokenUnavailable,
    /// The token is valid, and the last try to renew it failed.
    RenewalFailing,
    /// NinjaOne refuses a secret that a reload has brought.
    NewSecretRefused,
    /// The same for its other settings.
    NewSettingsRefused,
    /// Only a login helps, and there is no token.
    LoginNeeded,
    /// Only a login helps; the last token serves until its end.
    LoginEnded,
    /// The login cannot be renewed.
    LoginEnding,
    /// A renewed login is in memory only.
    LoginUnsaved,
    StoreFailing,
    /// The tokens of our own token endpoint, or their revocation, end with the process.
    CallerTokensUnsaved,
    /// NinjaOne asked to slow down.
    Throttled,
    /// No connection to NinjaOne.
    Unreachable,
    /// The name servers give no answer: the last known addresses are used.
    NameServers,
    AuditFailing,
    /// The audit log could not be written for a while, or somebody else changed its files.
    AuditGap,
    AuditLost,
    /// Only the reserve of the audit log is left: strangers are counted.
    AuditReserve,
    /// The program's own log cannot be written: stderr takes nothing, or too slowly.
    LogFailing,
    Stalled,
}

impl TroubleKind {
    pub const ALL: [Self; 22] = [
        Self::ReloadRefused,
        Self::RestartNeeded,
        Self::TokenStarting,
        Self::TokenUnavailable,
        Self::RenewalFailing,
        Self::NewSecretRefused,
        Self::NewSettingsRefused,
        Self::LoginNeeded,
        Self::LoginEnded,
        Self::LoginEnding,
        Self::LoginUnsaved,
        Self::StoreFailing,
        Self::CallerTokensUnsaved,
        Self::Throttled,
        Self::Unreachable,
        Self::NameServers,
        Self::AuditFailing,
        Self::AuditGap,
        Self::AuditLost,
        Self::AuditReserve,
        Self::LogFailing,
        Self::Stalled,
    ];

    /// The name in metrics and in `status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReloadRefused => "reload-refused",
            Self::RestartNeeded => "restart-needed",
            Self::TokenStarting => "token-starting",
            Self::TokenUnavailable => "token-unavailable",
            Self::RenewalFailing => "renewal-failing",
            Self::NewSecretRefused => "new-secret-refused",
            Self::NewSettingsRefused => "new-settings-refused",
            Self::LoginNeeded => "login-needed",
            Self::LoginEnded => "login-ended",
            Self::LoginEnding => "login-ending",
            Self::LoginUnsaved => "login-unsaved",
            Self::StoreFailing => "store-failing",
            Self::CallerTokensUnsaved => "caller-tokens-unsaved",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::NameServers => "name-servers",
            Self::AuditFailing => "audit-failing",
            Self::AuditGap => "audit-gap",
            Self::AuditLost => "audit-lost",
            Self::AuditReserve => "audit-reserve",
            Self::LogFailing => "log-failing",
            Self::Stalled => "stalled",
        }
    }

    /// The health of a proxy with this trouble alone.
    #[must_use]
    pub const fn health(self) -> Health {
        match self {
            Self::LoginNeeded | Self::LoginEnded => Health::NeedsLogin,
            _ => Health::Degraded,
        }
    }
}

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub kind: TroubleKind,
    /// `acme/user`, `acme`, `worker-0`, or the name of a setting; empty if it is about the whole.
    pub about: String,
    /// A sentence for people.
    pub text: String,
}
