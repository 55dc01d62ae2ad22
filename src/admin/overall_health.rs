//! The overall health of the proxy, and the exit code of `status` for it.

use serde::{Deserialize, Serialize};

/// The health of the whole, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    Healthy,
    /// It works, but something needs attention.
    Degraded,
    /// An identity waits for a user to log in.
    NeedsLogin,
    /// Starting or draining.
    NotNow,
    /// No tenant can be reached with a valid token.
    Down,
}

impl Health {
    /// All of them, for metrics.
    pub const ALL: [Self; 5] = [
        Self::Healthy,
        Self::Degraded,
        Self::NeedsLogin,
        Self::NotNow,
        Self::Down,
    ];

    /// The name in metrics; the same as in the status document.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::NeedsLogin => "needs-login",
            Self::NotNow => "not-now",
            Self::Down => "down",
        }
    }

    /// As `status` shows it to people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::NeedsLogin => "waiting for a login",
            Self::NotNow => "not now",
            Self::Down => "down",
        }
    }
}
