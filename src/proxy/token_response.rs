//! Responses of the token endpoint: a token (RFC 6749 section 5.1), or an error (section 5.2).

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::{caller::Caller, net::IncomingRequest};

/// A token of ours, issued.
pub(crate) struct TokenIssued {
    /// The request for a token.
    pub incoming: Box<IncomingRequest>,
    /// Whom it was issued to.
    pub caller: Arc<Caller>,
    /// The JSON of RFC 6749 section 5.1.
    pub response_json: Zeroizing<String>,
}

/// No token (RFC 6749 section 5.2).
pub(crate) struct TokenRefused {
    /// The request for a token.
    pub incoming: Box<IncomingRequest>,
    /// Why there is none.
    pub error: TokenRequestError,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TokenRequestError {
    /// Not a form, too long, or without credentials.
    InvalidRequest,
    InvalidClient,
    UnsupportedGrantType,
    TooManyTokens,
}

impl TokenRequestError {
    /// RFC 6749 section 5.2.
    #[must_use]
    pub(crate) const fn error_code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::TooManyTokens => "temporarily_unavailable",
        }
    }
}
