//! Parses responses of the token endpoint defensively (RFC 6749 section 5, and how NinjaOne deviates from it).

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse, basic::BasicTokenType};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    clock::{Reading, Timestamp},
    limits::retry_after::parse_retry_after,
    secret::Secret,
};

use super::{
    issued_token::{IssuedToken, TOKEN_BYTES_MAX, bearer_header},
    token_endpoint_error::{TokenEndpointError, TokenRejection, TokenResponseError},
    token_set::TokenSet,
};

/// Longest lifetime that is believed, in seconds. A longer one is cut to this.
const LIFETIME_S_MAX: u64 = 24 * 60 * 60;

/// Most scopes that are kept for display. NinjaOne has four.
const SCOPES_MAX: usize = 16;

/// Longest scope name that is kept, in bytes.
const SCOPE_BYTES_MAX: usize = 64;

/// A token response before validation. Every member is optional here, so that each fault gets an error of its own.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::credentials) struct TokenEndpointResponse {
    #[serde(default = "no_token", deserialize_with = "token_or_none")]
    access_token: AccessToken,
    #[serde(default = "no_type", deserialize_with = "type_or_none")]
    token_type: BasicTokenType,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    scope: Value,
    #[serde(default, deserialize_with = "refresh_or_none")]
    refresh_token: Option<RefreshToken>,
}

impl TokenResponse for TokenEndpointResponse {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.lifetime().ok()
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl TokenEndpointResponse {
    /// The whole response. A refresh token is kept even if the access token beside it cannot be used.
    pub(in crate::credentials) fn token_set(&self, requested: Reading) -> TokenSet {
        let refresh = self.refresh_token.as_ref();
        TokenSet {
            requested,
            access: self.validate(requested),
            access_token: Secret::new(self.access_token.secret().clone()),
            refresh_token: refresh.map(|it| Secret::new(it.secret().clone())),
        }
    }

    pub(super) fn validate(&self, requested: Reading) -> Result<IssuedToken, TokenResponseError> {
        if !matches!(self.token_type, BasicTokenType::Bearer) {
            return Err(TokenResponseError::TokenTypeUnknown);
        }
        let lifetime = self.lifetime()?;
        let authorization = bearer_header(self.access_token.secret())?;
        Ok(IssuedToken {
            authorization,
            requested,
            lifetime,
            scopes: self.granted_scopes(),
        })
    }

    /// `expires_in`: a number, or a string of digits, because some OAuth servers put it in quotes.
    fn lifetime(&self) -> Result<Duration, TokenResponseError> {
        let seconds = match &self.expires_in {
            Value::Null => return Err(TokenResponseError::LifetimeMissing),
            Value::Number(number) => number.as_f64(),
            Value::String(text) if is_digits(text) => text.parse().ok(),
            _ => None,
        };
        let seconds = seconds.ok_or(TokenResponseError::LifetimeNotANumber)?;
        if seconds < 1.0 {
            return Err(TokenResponseError::LifetimeNotPositive);
        }
        let longest = Duration::from_secs(LIFETIME_S_MAX);
        Ok(Duration::try_from_secs_f64(seconds.floor())
            .map_or(longest, |lifetime| lifetime.min(longest)))
    }

    fn granted_scopes(&self) -> Vec<Box<str>> {
        let names = self.scope.as_str().unwrap_or_default().split(' ');
        names
            .filter(|name| (1..=SCOPE_BYTES_MAX).contains(&name.len()))
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()))
            .take(SCOPES_MAX)
            .map(Box::from)
            .collect()
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Treats a malformed refresh token as absent.
fn refresh_or_none<'de, D: Deserializer<'de>>(source: D) -> Result<Option<RefreshToken>, D::Error> {
    let fits = |text: &String| {
        (1..=TOKEN_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    Ok(match Value::deserialize(source)? {
        Value::String(text) => Some(text).filter(fits).map(RefreshToken::new),
        _ => None,
    })
}

fn no_token() -> AccessToken {
    AccessToken::new(String::new())
}

fn no_type() -> BasicTokenType {
    BasicTokenType::Extension(String::new())
}

fn token_or_none<'de, D: Deserializer<'de>>(source: D) -> Result<AccessToken, D::Error> {
    Ok(match Value::deserialize(source)? {
        Value::String(text) => AccessToken::new(text),
        _ => no_token(),
    })
}

/// Compares the token type without regard to case (RFC 6749 section 5.1).
fn type_or_none<'de, D: Deserializer<'de>>(source: D) -> Result<BasicTokenType, D::Error> {
    Ok(match Value::deserialize(source)? {
        Value::String(text) if text.eq_ignore_ascii_case("bearer") => BasicTokenType::Bearer,
        _ => no_type(),
    })
}

/// Passes on a 200 response with a JSON object; turns every other response into its error.
pub(super) fn check_response(
    response: Response<Bytes>,
) -> Result<Response<Vec<u8>>, TokenEndpointError> {
    let status = response.status();
    if status != StatusCode::OK {
        return Err(classify_error(&response));
    }
    if response.body().trim_ascii().is_empty() {
        return Err(TokenResponseError::EmptyBody.into());
    }
    if is_html(&response) {
        return Err(TokenResponseError::HtmlBody.into());
    }
    // The library stops reading after the first JSON value, and accepts an array as an object.
    if !is_object(response.body()) {
        return Err(TokenResponseError::NotJson.into());
    }
    // Without headers: the library would reject a body whose content type is wrong, and the body has been checked.
    Ok(Response::new(response.into_body().into()))
}

fn classify_error(response: &Response<Bytes>) -> TokenEndpointError {
    let status = response.status();
    let retry_after = retry_after_header(response);
    if status == StatusCode::TOO_MANY_REQUESTS {
        return TokenEndpointError::Throttled { retry_after };
    }
    if status.is_server_error() {
        return TokenEndpointError::ServerError {
            status: status.as_u16(),
            retry_after,
        };
    }
    if status.is_redirection() {
        return TokenRejection::Redirected.into();
    }
    let said: TokenErrorBody = serde_json::from_slice(response.body()).unwrap_or_default();
    match said.error.as_str().unwrap_or_default() {
        "invalid_scope" => return TokenRejection::InvalidScope.into(),
        "invalid_client" | "unauthorized_client" => return TokenRejection::InvalidClient.into(),
        "invalid_grant" | "invalid_token" | "expired_token" => {
            return TokenRejection::InvalidGrant.into();
        }
        _ => {}
    }
    if status == StatusCode::NOT_FOUND && said.result_code == "Client app not exist" {
        return TokenRejection::WrongRegion.into();
    }
    if is_html(response) {
        return TokenResponseError::HtmlBody.into();
    }
    if status == StatusCode::UNAUTHORIZED {
        return TokenRejection::InvalidClient.into();
    }
    TokenEndpointError::UnexpectedStatus {
        status: status.as_u16(),
    }
}

/// The members of an error response that are read: OAuth's `error` and NinjaOne's `resultCode`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenErrorBody {
    error: Value,
    #[serde(rename = "resultCode")]
    result_code: Value,
}

fn retry_after_header(response: &Response<Bytes>) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?;
    parse_retry_after(value.to_str().ok()?, Timestamp::now())
}

fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

fn is_html(response: &Response<Bytes>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let claims = kind.is_some_and(|kind| {
        let start = kind.as_bytes().get(..9);
        start.is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
    });
    claims || response.body().trim_ascii_start().starts_with(b"<")
}
