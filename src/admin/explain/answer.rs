//! What `explain` answers: a document for programs, text for people, and how the command ends.

use serde_json::Value;

/// Version of the shape of [`ExplainAnswer::document`].
pub const SCHEMA: &str = "explain/1";

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainAnswer {
    pub outcome: ExplainOutcome,
    /// `explain/1`
    pub document: Value,
    /// Whole lines, without colour and safe to print.
    pub text: String,
}

/// Why there is no answer. The text is for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ExplainError {
    pub outcome: ExplainOutcome,
    pub text: String,
}

impl ExplainError {
    pub(super) fn new(outcome: ExplainOutcome, text: impl Into<String>) -> Self {
        Self {
            outcome,
            text: text.into(),
        }
    }
}

/// What an answer comes to; the command's exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExplainOutcome {
    /// Allowed, or answered by the proxy itself.
    Allowed,
    /// No such caller or request.
    NotFound,
    WrongUsage,
    /// It waits for a login.
    LoginNeeded,
    Refused,
    /// A limit or an outage was in the way, or the request's line may still come.
    TryAgainLater,
}

impl ExplainOutcome {
    const ALL: [Self; 6] = [
        Self::Allowed,
        Self::NotFound,
        Self::WrongUsage,
        Self::LoginNeeded,
        Self::Refused,
        Self::TryAgainLater,
    ];

    /// The exit code of the command.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Allowed => 0,
            Self::NotFound => 1,
            Self::WrongUsage => 2,
            Self::LoginNeeded => 4,
            Self::Refused => 5,
            Self::TryAgainLater => 75,
        }
    }

    /// The outcome with this exit code.
    #[must_use]
    pub fn from_exit_code(code: u64) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| u64::from(it.exit_code()) == code)
    }

    /// Of a request that got something else than NinjaOne's answer.
    #[must_use]
    pub(super) fn of_refusal(code: &str) -> Self {
        match code {
            "login-needed" => Self::LoginNeeded,
            "caller-limit" | "upstream-throttled" | "draining" | "token-unavailable"
            | "audit-unavailable" => Self::TryAgainLater,
            _ => Self::Refused,
        }
    }
}
