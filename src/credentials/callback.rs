//! What the browser brings back from the authorization server: a code or a token, or an error (RFC 6749 sections 4.1.2 and
//! 4.2.2).

use std::fmt;

use crate::{clock::Reading, secret::Secret};

use super::grant::{Issued, answer::Answer, mint_error::TokenResponseError};

/// Longest query or fragment that is read, in bytes. A fragment holds an access token.
pub const CALLBACK_BYTES_MAX: usize = 32 * 1024;

/// Most parameters that are looked at.
const PARAMETERS_MAX: usize = 32;

/// How much of what a server says of an error is shown, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// Why what came back is not the end of this login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    #[error("it is longer than {CALLBACK_BYTES_MAX} bytes, or has too many parameters")]
    TooLong,
    #[error("it names `{0}` twice")]
    Twice(String),
    /// Of another login, or of nobody's.
    #[error("it does not belong to this login (wrong `state`)")]
    State,
    /// RFC 9207: another authorization server answered.
    #[error("it comes from another server than the one that was asked (wrong `iss`)")]
    Issuer,
    #[error("it holds neither a code nor a token")]
    Empty,
    /// The end of this login all the same.
    #[error("NinjaOne refused: {0}")]
    Refused(OAuthErrorResponse),
    /// NinjaOne's own page, where a browser ends that it cannot send back to us.
    #[error("NinjaOne showed an error: {0}; check that the redirect is registered to the letter")]
    ErrorPage(OAuthErrorResponse),
    #[error("the token that it holds cannot be used: {0}")]
    Token(TokenResponseError),
}

impl CallbackError {
    /// A name out of a closed set.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::TooLong => "callback-too-long",
            Self::Twice(_) => "callback-ambiguous",
            Self::State => "state-wrong",
            Self::Issuer => "issuer-wrong",
            Self::Empty => "callback-empty",
            Self::Refused(response) if response.is_access_denied() => "denied",
            Self::Refused(_) | Self::ErrorPage(_) => "refused",
            Self::Token(error) => error.as_str(),
        }
    }

    /// Whether this login is over. What does not belong to it changes nothing: anybody could send it.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Token(_))
    }
}

/// What an authorization server says is wrong (RFC 6749 section 4.1.2.1), fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthErrorResponse {
    error: String,
    description: Option<String>,
}

impl OAuthErrorResponse {
    /// Whether a person said no.
    #[must_use]
    pub fn is_access_denied(&self) -> bool {
        self.error == "access_denied"
    }
}

impl fmt::Display for OAuthErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.description {
            Some(description) => write!(f, "{} ({description})", self.error),
            None => f.write_str(&self.error),
        }
    }
}

/// Names and values, each name once.
pub(super) struct CallbackParameters(Vec<(String, Secret<String>)>);

impl CallbackParameters {
    pub(super) fn parse(text: &str) -> Result<Self, CallbackError> {
        if text.len() > CALLBACK_BYTES_MAX {
            return Err(CallbackError::TooLong);
        }
        let mut read: Vec<(String, Secret<String>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if read.len() == PARAMETERS_MAX {
                return Err(CallbackError::TooLong);
            }
            if read.iter().any(|(other, _)| *other == name) {
                return Err(CallbackError::Twice(printable(&name)));
            }
            read.push((name.into_owned(), Secret::new(value.into_owned())));
        }
        Ok(Self(read))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.expose())
    }

    pub(super) fn error_response(&self) -> OAuthErrorResponse {
        let description = self.get("error_description").map(printable);
        OAuthErrorResponse {
            error: self.get("error").map(printable).unwrap_or_default(),
            description: description.filter(|it| !it.is_empty()),
        }
    }

    /// The members of a token response, as RFC 6749 section 4.2.2 puts them into a fragment. Nobody knows how long it lay
    /// in the browser, so the token counts as asked for when the login was `begun`.
    pub(super) fn token_set(&self, begun: Reading) -> Option<Result<Issued, CallbackError>> {
        self.get("access_token")?;
        let members = ["access_token", "token_type", "expires_in", "scope"];
        let members = members
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), self.get(name)?.into())));
        let answer = serde_json::Value::Object(members.collect());
        let answer = serde_json::from_value::<Answer>(answer);
        let issued = answer
            .map_err(|_| TokenResponseError::NotJson)
            .map(|it| it.issued(begun))
            .and_then(|it| match &it.access {
                Ok(_) => Ok(it),
                Err(error) => Err(*error),
            });
        Some(issued.map_err(CallbackError::Token))
    }
}

/// What a server says, fit for a terminal: one line of plain characters.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|it| *it == ' ' || it.is_ascii_graphic())
        .take(DESCRIPTION_CHARS_MAX)
        .collect()
}
