//! Why a call to NinjaOne's OAuth endpoints brought no token. Holds nothing of what NinjaOne sent: a response may contain a
//! token.

use std::time::Duration;

use crate::net::client::exchange_error::ExchangeError;

/// Why a call to the token endpoint, or to the revocation endpoint, failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenEndpointError {
    /// NinjaOne understood the request and issued nothing. Trying again is pointless until somebody changes something.
    #[error(transparent)]
    Rejected(#[from] TokenRejection),
    #[error("NinjaOne throttles the token endpoint")]
    Throttled { retry_after: Option<Duration> },
    #[error("NinjaOne's token endpoint failed with status {status}")]
    ServerError {
        status: u16,
        retry_after: Option<Duration>,
    },
    /// Neither 200, nor a redirect, nor a server error, nor a rejection that we know.
    #[error("the token endpoint answered with status {status}")]
    UnexpectedStatus { status: u16 },
    /// A response came, but no token that can be used. NinjaOne may have issued one all the same.
    #[error(transparent)]
    Response(#[from] TokenResponseError),
    #[error("the token endpoint could not be reached: {0}")]
    Unreachable(ExchangeError),
}

/// Why NinjaOne refused to issue a token (RFC 6749 section 5.2, and NinjaOne's own responses).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenRejection {
    /// 404 `Client app not exist`: a client id lives on one host only.
    #[error(
        "NinjaOne does not know this client id on this host: check the region or url, then the client id"
    )]
    WrongRegion,
    #[error(
        "the application in NinjaOne lacks a scope that we ask for: tick it there, or remove it from scopes"
    )]
    InvalidScope,
    /// `invalid_client`, `unauthorized_client`, or a bare 401.
    #[error(
        "NinjaOne refuses the client id, the secret or the grant: check the secret and that the application allows client credentials"
    )]
    InvalidClient,
    /// `invalid_grant`, `invalid_token`, `expired_token`.
    #[error("the login has ended: log in again")]
    InvalidGrant,
    /// A secret must not travel to where a response points.
    #[error(
        "the token endpoint answered with a redirect, which is not followed: check the region or url"
    )]
    Redirected,
}

/// What is wrong with a response that should hold a token (RFC 6749 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenResponseError {
    #[error("the token endpoint answered with an empty body")]
    EmptyBody,
    /// A throttle page, or a host that is not NinjaOne.
    #[error("the token endpoint answered with a web page")]
    HtmlBody,
    #[error("the token endpoint's answer is not a JSON object as OAuth defines it")]
    NotJson,
    #[error("the token has no lifetime (expires_in), so it cannot be used safely")]
    LifetimeMissing,
    #[error("the token's lifetime (expires_in) is zero or less")]
    LifetimeNotPositive,
    #[error("the token's lifetime (expires_in) is not a number")]
    LifetimeNotANumber,
    #[error("the token is not of the type bearer")]
    TokenTypeUnknown,
    /// Absent, empty, over 8 KiB, or with bytes that cannot stand in a header.
    #[error("the token is missing or cannot be sent in a header")]
    TokenMalformed,
    #[error("the token endpoint's answer is longer than 64 KiB")]
    TooLong,
}

/// When trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryHint {
    /// The trouble may pass by itself. NinjaOne may have said how long to wait.
    Soon { retry_after: Option<Duration> },
    /// Only an operator can help, and may do so without telling us: the configuration or the application in NinjaOne is wrong.
    Rarely,
    /// Not before somebody logs in, which we notice.
    AfterLogin,
}

impl TokenEndpointError {
    /// A name for metrics and the audit log, from a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.as_str(),
            Self::Throttled { .. } => "throttled",
            Self::ServerError { .. } => "server-error",
            Self::UnexpectedStatus { .. } => "not-ok",
            Self::Response(error) => error.as_str(),
            Self::Unreachable(_) => "unreachable",
        }
    }

    /// Whether NinjaOne certainly issued nothing: a refresh token that was sent is as good as before.
    #[must_use]
    pub const fn issued_nothing(self) -> bool {
        match self {
            Self::Rejected(_) | Self::Throttled { .. } => true,
            Self::UnexpectedStatus { status } => is_client_error(status),
            Self::Unreachable(error) => matches!(
                error,
                ExchangeError::Resolve
                    | ExchangeError::ResolveTimedOut
                    | ExchangeError::Connect
                    | ExchangeError::ConnectTimedOut
                    | ExchangeError::Certificate
                    | ExchangeError::Tls
                    | ExchangeError::Tunnel(_)
            ),
            Self::ServerError { .. } | Self::Response(_) => false,
        }
    }

    /// When to send the same request again.
    #[must_use]
    pub const fn retry(self) -> RetryHint {
        match self {
            Self::Rejected(_) => RetryHint::Rarely,
            // 408 Request Timeout and 425 Too Early say themselves that the same request may succeed.
            Self::UnexpectedStatus { status }
                if is_client_error(status) && !matches!(status, 408 | 425) =>
            {
                RetryHint::Rarely
            }
            Self::Throttled { retry_after } | Self::ServerError { retry_after, .. } => {
                RetryHint::Soon { retry_after }
            }
            Self::UnexpectedStatus { .. } | Self::Response(_) | Self::Unreachable(_) => {
                RetryHint::Soon { retry_after: None }
            }
        }
    }
}

const fn is_client_error(status: u16) -> bool {
    status >= 400 && status < 500
}

impl TokenRejection {
    /// A name for metrics and the audit log, from a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongRegion => "wrong-region",
            Self::InvalidScope => "invalid-scope",
            Self::InvalidClient => "invalid-client",
            Self::InvalidGrant => "login-ended",
            Self::Redirected => "redirected",
        }
    }
}

impl TokenResponseError {
    /// A name for metrics and the audit log, from a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyBody => "empty",
            Self::HtmlBody => "html",
            Self::NotJson => "not-json",
            Self::LifetimeMissing => "life-missing",
            Self::LifetimeNotPositive => "life-not-positive",
            Self::LifetimeNotANumber => "life-not-a-number",
            Self::TokenTypeUnknown => "token-type-unknown",
            Self::TokenMalformed => "token-malformed",
            Self::TooLong => "too-long",
        }
    }
}
