//! The faults of the token endpoint, and how they are written.

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::ninjaone::operation::Scope;

use super::{DELAY_MAX, is_error_status};

/// What the token endpoint does instead of what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenEndpointFault {
    /// 400 to 599, with the body that is known for it. Nothing is done, as in all until `Hang`.
    Status(u16),
    /// 400 with this word.
    Refuse(GrantErrorCode),
    Page,
    /// 200 without a body.
    Empty,
    /// 200 with a body that is no JSON.
    NotJson,
    /// Nothing, until the other end gives up or ten minutes have passed.
    Hang,
    /// So many milliseconds pass before anything is done: who gives up meanwhile has changed nothing.
    SlowStart(u32),
    /// The request is processed at once, and the response sent after so many milliseconds: a refresh token is invalid whether
    /// or not its successor arrives.
    Slow(u32),
    /// The request is processed, and the connection closes without a response.
    LoseResponse,
    /// A token without a refresh token; the one that was presented stays valid.
    NoRefreshToken,
    /// A token with this scope alone.
    Only(Scope),
    /// A token with this as `expires_in`.
    Life(ExpiresInFault),
}

/// Why a refresh token or a code is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantErrorCode {
    /// What NinjaOne says.
    InvalidToken,
    /// What it says according to one report.
    ExpiredToken,
    /// What RFC 6749 section 5.2 says.
    InvalidGrant,
}

/// What `expires_in` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiresInFault {
    Seconds(i64),
    /// `"3600"`: a string where a number should be.
    Text,
    Absent,
}

/// Not a fault of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`token` is a status from 400 to 599, invalid_token, expired_token, invalid_grant, html, empty, not_json, hang, slow:MS, \
     slow_start:MS, lose_response, no_refresh_token, scope:NAME, expires_in:N, expires_in:string or expires_in:absent"
)]
pub struct TokenEndpointFaultParseError;

impl TokenEndpointFault {
    /// How long to wait before the request is processed.
    pub(in crate::sandbox) fn delay_before(self) -> Option<Duration> {
        match self {
            Self::Hang => Some(DELAY_MAX),
            Self::SlowStart(millis) => Some(delay(millis)),
            _ => None,
        }
    }

    /// How long to wait between processing and response.
    pub(in crate::sandbox) fn delay_after(self) -> Option<Duration> {
        match self {
            Self::Slow(millis) => Some(delay(millis)),
            _ => None,
        }
    }

    /// Parses faults that consist of a name and a value.
    fn with_value(name: &str, value: &str) -> Option<Self> {
        match (name, value) {
            ("expires_in", "string") => Some(Self::Life(ExpiresInFault::Text)),
            ("expires_in", "absent") => Some(Self::Life(ExpiresInFault::Absent)),
            ("expires_in", seconds) => seconds
                .parse()
                .ok()
                .map(ExpiresInFault::Seconds)
                .map(Self::Life),
            ("slow", millis) => millis.parse().ok().map(Self::Slow),
            ("slow_start", millis) => millis.parse().ok().map(Self::SlowStart),
            ("scope", scope) => Scope::parse(scope).map(Self::Only),
            _ => None,
        }
    }

    fn without_value(text: &str) -> Option<Self> {
        Some(match text {
            "html" => Self::Page,
            "empty" => Self::Empty,
            "not_json" => Self::NotJson,
            "hang" => Self::Hang,
            "lose_response" => Self::LoseResponse,
            "no_refresh_token" => Self::NoRefreshToken,
            text => {
                return GrantErrorCode::parse(text)
                    .map(Self::Refuse)
                    .or_else(|| status(text));
            }
        })
    }
}

fn delay(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis)).min(DELAY_MAX)
}

fn status(text: &str) -> Option<TokenEndpointFault> {
    let status = text.parse().ok()?;
    is_error_status(status).then_some(TokenEndpointFault::Status(status))
}

impl GrantErrorCode {
    const ALL: [Self; 3] = [Self::InvalidToken, Self::ExpiredToken, Self::InvalidGrant];

    /// As in `error`.
    pub(in crate::sandbox) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidToken => "invalid_token",
            Self::ExpiredToken => "expired_token",
            Self::InvalidGrant => "invalid_grant",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

impl FromStr for TokenEndpointFault {
    type Err = TokenEndpointFaultParseError;

    fn from_str(text: &str) -> Result<Self, TokenEndpointFaultParseError> {
        match text.split_once(':') {
            Some((name, value)) => Self::with_value(name, value),
            None => Self::without_value(text),
        }
        .ok_or(TokenEndpointFaultParseError)
    }
}

impl TryFrom<String> for TokenEndpointFault {
    type Error = TokenEndpointFaultParseError;

    fn try_from(text: String) -> Result<Self, TokenEndpointFaultParseError> {
        text.parse()
    }
}

impl From<TokenEndpointFault> for String {
    fn from(fault: TokenEndpointFault) -> Self {
        match fault {
            TokenEndpointFault::Status(status) => status.to_string(),
            TokenEndpointFault::Refuse(cause) => cause.as_str().to_owned(),
            TokenEndpointFault::Page => "html".to_owned(),
            TokenEndpointFault::Empty => "empty".to_owned(),
            TokenEndpointFault::NotJson => "not_json".to_owned(),
            TokenEndpointFault::Hang => "hang".to_owned(),
            TokenEndpointFault::SlowStart(millis) => format!("slow_start:{millis}"),
            TokenEndpointFault::Slow(millis) => format!("slow:{millis}"),
            TokenEndpointFault::LoseResponse => "lose_response".to_owned(),
            TokenEndpointFault::NoRefreshToken => "no_refresh_token".to_owned(),
            TokenEndpointFault::Only(scope) => format!("scope:{scope}"),
            TokenEndpointFault::Life(ExpiresInFault::Seconds(seconds)) => {
                format!("expires_in:{seconds}")
            }
            TokenEndpointFault::Life(ExpiresInFault::Text) => "expires_in:string".to_owned(),
            TokenEndpointFault::Life(ExpiresInFault::Absent) => "expires_in:absent".to_owned(),
        }
    }
}
