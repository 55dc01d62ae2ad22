//! What the token endpoint answers, read with suspicion (RFC 6749 section 5, and what NinjaOne is known to do).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse, basic::BasicTokenType};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    clock::{Reading, Timestamp},
    limits::retry_after::retry_after,
    secret::Secret,
};

use super::{
    Issued,
    issued_token::IssuedToken,
    mint_error::{TokenEndpointError, TokenRejection, TokenResponseError},
};

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// A token that claims to live longer is renewed as if it lived this long.
const LIFE_S_MAX: u64 = 24 * 60 * 60;

/// Scopes that are kept, to show them; NinjaOne has four.
const SCOPES_MAX: usize = 16;

/// Longest scope that is kept, in bytes.
const SCOPE_BYTES_MAX: usize = 64;

/// A token answer in which nothing is certain yet, so that each thing that is wrong gets its own name.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::credentials) struct Answer {
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

impl TokenResponse for Answer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.life().ok()
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl Answer {
    /// All of it: a refresh token that came with an access token of no use must be kept all the same.
    pub(in crate::credentials) fn issued(&self, requested: Reading) -> Issued {
        let refresh = self.refresh_token.as_ref();
        Issued {
            requested,
            access: self.judge(requested),
            token: Secret::new(self.access_token.secret().clone()),
            refresh: refresh.map(|it| Secret::new(it.secret().clone())),
        }
    }

    pub(super) fn judge(&self, requested: Reading) -> Result<IssuedToken, TokenResponseError> {
        if !matches!(self.token_type, BasicTokenType::Bearer) {
            return Err(TokenResponseError::TokenTypeUnknown);
        }
        let lifetime = self.life()?;
        let authorization = authorization(self.access_token.secret())?;
        Ok(IssuedToken {
            authorization,
            requested,
            lifetime,
            scopes: self.scopes_granted(),
        })
    }

    /// A number, or a text of digits: some OAuth servers put it in quotes.
    fn life(&self) -> Result<Duration, TokenResponseError> {
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
        let longest = Duration::from_secs(LIFE_S_MAX);
        Ok(Duration::try_from_secs_f64(seconds.floor()).map_or(longest, |life| life.min(longest)))
    }

    fn scopes_granted(&self) -> Vec<Box<str>> {
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

/// `Bearer <token>`; the token is one of RFC 6750's: visible ASCII without a space.
pub(in crate::credentials) fn authorization(
    token: &str,
) -> Result<HeaderValue, TokenResponseError> {
    let fits = (1..=TOKEN_BYTES_MAX).contains(&token.len());
    if !fits || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenResponseError::TokenMalformed);
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| TokenResponseError::TokenMalformed)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A refresh token that cannot be one is as good as none.
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

/// The type is compared without regard to case (RFC 6749 section 5.1).
fn type_or_none<'de, D: Deserializer<'de>>(source: D) -> Result<BasicTokenType, D::Error> {
    Ok(match Value::deserialize(source)? {
        Value::String(text) if text.eq_ignore_ascii_case("bearer") => BasicTokenType::Bearer,
        _ => no_type(),
    })
}

/// Lets through what is worth reading as a token; names everything else.
pub(super) fn sift(answer: Response<Bytes>) -> Result<Response<Vec<u8>>, TokenEndpointError> {
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(refusal(&answer));
    }
    if answer.body().trim_ascii().is_empty() {
        return Err(TokenResponseError::EmptyBody.into());
    }
    if is_html(&answer) {
        return Err(TokenResponseError::HtmlBody.into());
    }
    // Checked here because the library stops reading where the first value ends, and takes an array for an object.
    if !is_object(answer.body()) {
        return Err(TokenResponseError::NotJson.into());
    }
    // Without its headers: what the content type claims adds nothing to what the body is.
    Ok(Response::new(answer.into_body().into()))
}

fn refusal(answer: &Response<Bytes>) -> TokenEndpointError {
    let status = answer.status();
    let retry_after = retry_after_of(answer);
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
    let said: Complaint = serde_json::from_slice(answer.body()).unwrap_or_default();
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
    if is_html(answer) {
        return TokenResponseError::HtmlBody.into();
    }
    if status == StatusCode::UNAUTHORIZED {
        return TokenRejection::InvalidClient.into();
    }
    TokenEndpointError::UnexpectedStatus {
        status: status.as_u16(),
    }
}

/// What an error answer says: OAuth's member and NinjaOne's own.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Complaint {
    error: Value,
    #[serde(rename = "resultCode")]
    result_code: Value,
}

fn retry_after_of(answer: &Response<Bytes>) -> Option<Duration> {
    let value = answer.headers().get(header::RETRY_AFTER)?;
    retry_after(value.to_str().ok()?, Timestamp::now())
}

fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

fn is_html(answer: &Response<Bytes>) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let claims = kind.is_some_and(|kind| {
        let start = kind.as_bytes().get(..9);
        start.is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
    });
    claims || answer.body().trim_ascii_start().starts_with(b"<")
}
