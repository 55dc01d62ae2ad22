//! Why a caller's body could not be passed on.

use crate::net::exceeded_size::ExceededSize;

use super::timer::BodyTimeout;

/// Why a request's body could not be passed on. The texts name the caller's side: nothing is wrong with NinjaOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RequestBodyError {
    #[error("the body {0}")]
    TooLarge(ExceededSize),
    #[error("the caller stopped sending")]
    Stalled,
    #[error("the caller sends too slowly")]
    Slow,
    #[error("the caller takes too long to send it")]
    Overdue,
    #[error("the caller's connection broke")]
    Broken,
    #[error("the body is not framed as its head announces it")]
    Malformed,
}

impl From<BodyTimeout> for RequestBodyError {
    fn from(timeout: BodyTimeout) -> Self {
        match timeout {
            BodyTimeout::Idle => Self::Stalled,
            BodyTimeout::TooSlow => Self::Slow,
            BodyTimeout::Total => Self::Overdue,
        }
    }
}

impl RequestBodyError {
    /// The code in the audit line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge(_) => "body-too-large",
            Self::Stalled => "body-stalled",
            Self::Slow => "body-slow",
            Self::Overdue => "body-overdue",
            Self::Broken => "body-broken",
            Self::Malformed => "body-malformed",
        }
    }
}
