//! What the token endpoint says: a token (RFC 6749 section 5.1), or why there is none (section 5.2).

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::{caller::Caller, net::Incoming};

/// A token of ours, issued.
pub struct Issued {
    pub incoming: Box<Incoming>,
    pub caller: Arc<Caller>,
    /// The JSON of RFC 6749 section 5.1.
    pub answer: Zeroizing<String>,
}

/// No token (RFC 6749 section 5.2).
pub struct NotIssued {
    pub incoming: Box<Incoming>,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Not a form, too long, or without credentials.
    InvalidRequest,
    InvalidClient,
    UnsupportedGrant,
    TooManyTokens,
}

impl Why {
    /// RFC 6749 section 5.2.
    #[must_use]
    pub const fn error(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnsupportedGrant => "unsupported_grant_type",
            Self::TooManyTokens => "temporarily_unavailable",
        }
    }
}
