//! How requests to our own token endpoint end: a token (RFC 6749 section 5.1), a revoked token (RFC 7009), the metadata
//! (RFC 8414), or an error (RFC 6749 section 5.2).

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use zeroize::Zeroizing;

use crate::{caller::Caller, net::IncomingRequest, typed_command::typed};

use super::error_code::ErrorCode;

/// A token of ours, issued.
pub(crate) struct TokenIssued {
    /// The request for a token.
    pub incoming: Box<IncomingRequest>,
    /// Whom it was issued to.
    pub caller: Arc<Caller>,
    /// The JSON of RFC 6749 section 5.1.
    pub response_json: Zeroizing<String>,
}

/// A token of ours was given back, or was none.
pub(crate) struct TokenRevoked {
    /// The request.
    pub incoming: Box<IncomingRequest>,
    /// Who gave it back.
    pub caller: Arc<Caller>,
}

/// The metadata of our token endpoint, for anybody.
pub(crate) struct MetadataServed {
    /// The request.
    pub incoming: Box<IncomingRequest>,
    /// The JSON of RFC 8414 section 3.2.
    pub metadata_json: String,
}

/// Neither a token nor a revocation (RFC 6749 section 5.2).
pub(crate) struct TokenRefused {
    /// The request.
    pub incoming: Box<IncomingRequest>,
    /// If it was proved.
    pub caller: Option<Arc<Caller>>,
    /// Why.
    pub error: TokenRequestError,
}

/// Why a request to the token endpoint failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenRequestError {
    /// Too long, too slow, or cut off.
    FormNotReceived,
    RepeatedParameter,
    MissingGrantType,
    UnsupportedGrantType,
    MissingClient,
    WrongClient,
    /// `Basic` that is not base64 of a name, a colon and a key.
    MalformedBasic,
    /// `Basic`, and another client or another secret in the form.
    TwoClients,
    /// The two readings of `Basic` prove two callers.
    AmbiguousClient,
    /// The first one that NinjaOne does not have.
    UnknownScope(Box<str>),
    CallerLimit {
        retry_after: Duration,
    },
    NoRandomness,
    MissingToken,
    TokenOfAnother,
    RevocationOfKey,
    TooManyRevoked,
    RevocationNotStored,
}

impl TokenRequestError {
    /// The `error` of RFC 6749 section 5.2 and RFC 7009 section 2.2.1.
    #[must_use]
    pub(crate) const fn error_code(&self) -> &'static str {
        match self {
            Self::FormNotReceived
            | Self::RepeatedParameter
            | Self::MissingGrantType
            | Self::MalformedBasic
            | Self::TwoClients
            | Self::MissingToken => "invalid_request",
            Self::MissingClient | Self::WrongClient | Self::AmbiguousClient => "invalid_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnknownScope(_) => "invalid_scope",
            Self::TokenOfAnother => "unauthorized_client",
            Self::RevocationOfKey => "unsupported_token_type",
            Self::CallerLimit { .. }
            | Self::NoRandomness
            | Self::TooManyRevoked
            | Self::RevocationNotStored => "temporarily_unavailable",
        }
    }

    /// The status, and the code of the audit line and the metrics.
    #[must_use]
    pub(crate) const fn status(&self) -> (StatusCode, ErrorCode) {
        match self {
            Self::MissingClient | Self::WrongClient | Self::AmbiguousClient => {
                (StatusCode::UNAUTHORIZED, ErrorCode::Unauthenticated)
            }
            Self::CallerLimit { .. } => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::CallerLimit),
            Self::NoRandomness | Self::TooManyRevoked | Self::RevocationNotStored => {
                (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TokenUnavailable)
            }
            Self::FormNotReceived
            | Self::RepeatedParameter
            | Self::MissingGrantType
            | Self::UnsupportedGrantType
            | Self::MalformedBasic
            | Self::TwoClients
            | Self::UnknownScope(_)
            | Self::MissingToken
            | Self::TokenOfAnother
            | Self::RevocationOfKey => (StatusCode::BAD_REQUEST, ErrorCode::BadRequest),
        }
    }

    /// What the audit line says more than the caller is told.
    #[must_use]
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::FormNotReceived => "form-not-received",
            Self::RepeatedParameter => "parameter-twice",
            Self::MissingGrantType => "no-grant-type",
            Self::UnsupportedGrantType => "grant-type",
            Self::MissingClient => "no-proof",
            Self::WrongClient => "unknown-key",
            Self::MalformedBasic => "proof-not-understood",
            Self::TwoClients => "two-proofs",
            Self::AmbiguousClient => "key-of-another",
            Self::UnknownScope(_) => "scope",
            Self::CallerLimit { .. } => "token-requests",
            Self::NoRandomness => "no-randomness",
            Self::MissingToken => "no-token",
            Self::TokenOfAnother => "token-of-another",
            Self::RevocationOfKey => "key-is-no-token",
            Self::TooManyRevoked => "too-many-revoked",
            Self::RevocationNotStored => "revocation-not-stored",
        }
    }

    /// `Retry-After`, where waiting helps.
    #[must_use]
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::CallerLimit { retry_after } => Some(*retry_after),
            Self::NoRandomness | Self::RevocationNotStored => Some(Duration::from_secs(5)),
            Self::TooManyRevoked => Some(Duration::from_mins(1)),
            _ => None,
        }
    }

    /// For the log of the program: what the client is told, and what an operator can do about it.
    #[must_use]
    pub(crate) fn text_for_operators(&self) -> String {
        let operator = match self {
            Self::MissingClient | Self::WrongClient | Self::AmbiguousClient => {
                "A new caller gets a key from 'ninjaone-proxy caller add NAME', a known one from 'ninjaone-proxy caller rotate NAME'."
            }
            Self::RevocationOfKey => {
                "To end the key, run 'ninjaone-proxy caller rotate NAME' or 'ninjaone-proxy caller revoke NAME'."
            }
            Self::CallerLimit { .. } => {
                "If the caller needs more tokens, raise limits.tokens.rate."
            }
            Self::NoRandomness | Self::TooManyRevoked | Self::RevocationNotStored => {
                "See what is wrong: run 'ninjaone-proxy status'."
            }
            Self::FormNotReceived
            | Self::RepeatedParameter
            | Self::MissingGrantType
            | Self::UnsupportedGrantType
            | Self::MalformedBasic
            | Self::TwoClients
            | Self::UnknownScope(_)
            | Self::MissingToken
            | Self::TokenOfAnother => return self.description(),
        };
        format!("{} {}", self.description(), typed(operator))
    }

    /// The `error_description`: what is wanted. Neither quotes nor backslashes (RFC 6749 section 5.2).
    #[must_use]
    pub(crate) fn description(&self) -> String {
        match self {
            Self::FormNotReceived => "The form did not come whole: send at most 8 KiB, within 10 seconds, as application/x-www-form-urlencoded.",
            Self::RepeatedParameter => "A parameter stands twice: send grant_type, client_id, client_secret, scope and token once each.",
            Self::MissingGrantType => "grant_type is missing: send grant_type=client_credentials as a form (application/x-www-form-urlencoded), not as JSON.",
            Self::UnsupportedGrantType => "Only grant_type=client_credentials is served here: the client id is the caller's name, the client secret its key.",
            Self::MissingClient => "Nobody is named: send client_id (the caller's name) and client_secret (its key) in the form, or both as Authorization: Basic.",
            Self::WrongClient => "The client is not known: client_id must be the caller's name, and client_secret a valid key of that caller.",
            Self::MalformedBasic => "Authorization: Basic cannot be read: it must be base64 of the caller's name, a colon and its key.",
            Self::TwoClients => "Authenticate once: by Authorization: Basic, or by client_id and client_secret in the form.",
            Self::AmbiguousClient => "Read as sent and read form-encoded, Authorization: Basic proves two callers: send client_id and client_secret in the form.",
            Self::UnknownScope(scope) => {
                return format!("There is no scope '{scope}': ask for monitoring, management, control or offline_access, with blanks between them, or for none.");
            }
            Self::CallerLimit { .. } => "This caller asks for tokens faster than it may: keep a token until its end, or wait as Retry-After says.",
            Self::NoRandomness => "The system has no randomness to make a token of: try again.",
            Self::MissingToken => "token is missing: send the token to revoke as a form (application/x-www-form-urlencoded).",
            Self::TokenOfAnother => "The token was issued to another caller, who alone can revoke it.",
            Self::RevocationOfKey => "This is a key, not a token: only the operator of this proxy can revoke it.",
            Self::TooManyRevoked => "No more tokens can be revoked for now, and this one lives on: try again.",
            Self::RevocationNotStored => "The token has ended, but that could not be stored: try again, or it may live on after a restart.",
        }
        .to_owned()
    }
}
