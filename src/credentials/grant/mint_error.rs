//! Why no token was minted.

use std::time::Duration;

use crate::net::client::ExchangeError;

/// Why no token was minted. Holds nothing of what NinjaOne sent: an answer may contain a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MintError {
    /// 404 `Client app not exist`: a client id lives on one host only.
    #[error(
        "NinjaOne does not know this client id on this host: check the region or url, then the client id"
    )]
    WrongRegion,
    #[error(
        "the application in NinjaOne lacks a scope that we ask for: tick it there or take it out of `scopes`"
    )]
    InvalidScope,
    /// `invalid_client`, `unauthorized_client`, or a bare 401.
    #[error(
        "NinjaOne refuses the client id, the secret or the grant: check the secret and that the application allows client credentials"
    )]
    InvalidClient,
    /// `invalid_grant`, `invalid_token`, `expired_token`.
    #[error("the login has ended: log in again")]
    Final,
    #[error("NinjaOne throttles the token endpoint")]
    Throttled { retry_after: Option<Duration> },
    #[error("NinjaOne's token endpoint failed with status {status}")]
    Server {
        status: u16,
        retry_after: Option<Duration>,
    },
    #[error("the token endpoint answered with nothing")]
    Empty,
    /// A throttle page, or a host that is not NinjaOne.
    #[error("the token endpoint answered with a web page")]
    Html,
    #[error("the token endpoint's answer is not a JSON object as OAuth has it")]
    NotJson,
    #[error("the token endpoint answered with status {status}")]
    NotOk { status: u16 },
    /// A secret must not travel to where an answer points.
    #[error(
        "the token endpoint answered with a redirect, which is not followed: check the region or url"
    )]
    Redirected,
    #[error("the token has no life time (`expires_in`), so it cannot be used safely")]
    LifeMissing,
    #[error("the token's life time (`expires_in`) is zero or less")]
    LifeNotPositive,
    #[error("the token's life time (`expires_in`) is not a number")]
    LifeNotANumber,
    #[error("the token is not of the type `bearer`")]
    TokenTypeUnknown,
    /// Absent, empty, over 8 KiB, or with bytes that cannot stand in a header.
    #[error("the token is missing or cannot be sent in a header")]
    TokenMalformed,
    #[error("the token endpoint's answer is longer than 64 KiB")]
    TooLong,
    #[error("the token endpoint could not be reached: {0}")]
    Unreachable(ExchangeError),
    /// Nobody has logged in yet, or somebody has logged out.
    #[error("nobody is logged in")]
    NoLogin,
    /// The platform gives no refresh token (*Single Page*, or a login without `offline_access`).
    #[error("this login cannot be renewed: it ends with its token")]
    NotRenewable,
    /// NinjaOne refuses the refresh token, and every answer of its was stored.
    #[error("the login has ended: NinjaOne refuses its refresh token")]
    Refused,
    /// NinjaOne refuses the refresh token after a token call whose answer did not arrive.
    #[error(
        "the login was lost: NinjaOne's answer to the last renewal did not arrive, and the refresh token that it replaced is dead"
    )]
    AnswerLost,
    /// NinjaOne refuses the refresh token after a token call during which a process ended.
    #[error(
        "the login was lost: a process ended after it had sent the renewal and before the answer was on disk, and the refresh token that it replaced is dead"
    )]
    CrashWindow,
    /// The login is one of another application or host than the one that is configured.
    #[error("the stored login belongs to another client id or host than the configured one")]
    OtherApplication,
    /// Another process holds the login and does not let go.
    #[error("another process is renewing this login")]
    Busy,
    #[error("the store of logins cannot be read or written")]
    Store,
    /// The process was told to stop: no refresh token is used any more.
    #[error("the proxy is about to stop")]
    Ending,
}

impl MintError {
    /// A name for metrics and the audit log, from a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongRegion => "wrong-region",
            Self::InvalidScope => "invalid-scope",
            Self::InvalidClient => "invalid-client",
            Self::Final => "login-ended",
            Self::Throttled { .. } => "throttled",
            Self::Server { .. } => "server-error",
            Self::Empty => "empty",
            Self::Html => "html",
            Self::NotJson => "not-json",
            Self::NotOk { .. } => "not-ok",
            Self::Redirected => "redirected",
            Self::LifeMissing => "life-missing",
            Self::LifeNotPositive => "life-not-positive",
            Self::LifeNotANumber => "life-not-a-number",
            Self::TokenTypeUnknown => "token-type-unknown",
            Self::TokenMalformed => "token-malformed",
            Self::TooLong => "too-long",
            Self::Unreachable(_) => "unreachable",
            Self::NoLogin => "no-login",
            Self::NotRenewable => "login-due",
            Self::Refused => "login-refused",
            Self::AnswerLost => "login-lost-answer",
            Self::CrashWindow => "login-lost-crash",
            Self::OtherApplication => "other-application",
            Self::Busy => "busy",
            Self::Store => "store",
            Self::Ending => "ending",
        }
    }

    /// Why a login that was stored as ended has ended, by the name that was stored.
    #[must_use]
    pub fn of_ended(name: &str) -> Self {
        [Self::AnswerLost, Self::CrashWindow]
            .into_iter()
            .find(|it| it.as_str() == name)
            .unwrap_or(Self::Refused)
    }

    /// Whether only a person can help: the configuration, the application in NinjaOne or the login is wrong.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::WrongRegion
            | Self::InvalidScope
            | Self::InvalidClient
            | Self::Final
            | Self::NoLogin
            | Self::NotRenewable
            | Self::Refused
            | Self::AnswerLost
            | Self::CrashWindow
            | Self::OtherApplication
            | Self::Redirected => true,
            Self::NotOk { status } => status >= 400 && status < 500 && !matches!(status, 408 | 425),
            Self::Throttled { .. }
            | Self::Server { .. }
            | Self::Empty
            | Self::Html
            | Self::NotJson
            | Self::LifeMissing
            | Self::LifeNotPositive
            | Self::LifeNotANumber
            | Self::TokenTypeUnknown
            | Self::TokenMalformed
            | Self::TooLong
            | Self::Unreachable(_)
            | Self::Busy
            | Self::Store
            | Self::Ending => false,
        }
    }

    /// Whether nothing but a login helps. It is noticed when it comes; there is nothing to try until then.
    #[must_use]
    pub const fn needs_login(self) -> bool {
        matches!(
            self,
            Self::NoLogin
                | Self::NotRenewable
                | Self::Refused
                | Self::AnswerLost
                | Self::CrashWindow
                | Self::OtherApplication
        )
    }

    /// Whether a login has come to its end.
    #[must_use]
    pub const fn is_death(self) -> bool {
        matches!(self, Self::Refused | Self::AnswerLost | Self::CrashWindow)
    }

    /// Whether NinjaOne certainly issued nothing: the refresh token that was sent, if it was, is as good as before.
    #[must_use]
    pub const fn issued_nothing(self) -> bool {
        match self {
            Self::Unreachable(error) => matches!(
                error,
                ExchangeError::Resolve
                    | ExchangeError::Connect
                    | ExchangeError::Certificate
                    | ExchangeError::Tls
            ),
            Self::WrongRegion
            | Self::InvalidScope
            | Self::InvalidClient
            | Self::Final
            | Self::Throttled { .. }
            | Self::Redirected => true,
            Self::NotOk { status } => status >= 400 && status < 500,
            _ => false,
        }
    }

    /// How long NinjaOne asked us to wait.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Server { retry_after, .. } => retry_after,
            _ => None,
        }
    }
}
