//! What the browser brings back from the authorization server: a code or a token, or an error (RFC 6749 sections 4.1.2 and
//! 4.2.2).

use std::fmt;

use crate::{
    clock::Reading,
    credentials::grant::{
        TokenSet, token_endpoint_error::TokenResponseError, token_response::TokenEndpointResponse,
    },
    secret::Secret,
};

/// Longest query or fragment that is read, in bytes. A fragment may hold an access token.
pub const CALLBACK_BYTES_MAX: usize = 32 * 1024;

/// Most parameters that are read.
const PARAMETERS_MAX: usize = 32;

/// How much of a server's error text is shown, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// Why a callback does not complete this login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    #[error("it is longer than {CALLBACK_BYTES_MAX} bytes, or has too many parameters")]
    TooLong,
    #[error("it names `{0}` twice")]
    DuplicateParameter(String),
    /// `state` is missing or not the one of this login.
    #[error("it does not belong to this login (wrong state)")]
    StateMismatch,
    /// `iss` names another authorization server (RFC 9207, mix-up attacks).
    #[error("it comes from a different server than the one that was asked (wrong iss)")]
    IssuerMismatch,
    #[error("it contains neither a code nor a token")]
    NoCodeOrToken,
    /// The authorization server refused. This login is over.
    #[error("{}", refusal_text(.0))]
    Refused(OAuthErrorResponse),
    /// The user pasted the address of NinjaOne's own error page, which it shows if it cannot redirect to us.
    #[error(
        "NinjaOne showed an error: {0}; check that the redirect is registered exactly as it is"
    )]
    ErrorPage(OAuthErrorResponse),
    #[error("the token in it cannot be used: {0}")]
    Token(TokenResponseError),
}

impl CallbackError {
    /// A name from a closed set.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::TooLong => "callback-too-long",
            Self::DuplicateParameter(_) => "callback-ambiguous",
            Self::StateMismatch => "state-wrong",
            Self::IssuerMismatch => "issuer-wrong",
            Self::NoCodeOrToken => "callback-empty",
            Self::Refused(response) if response.is_access_denied() => "denied",
            Self::Refused(_) | Self::ErrorPage(_) => "refused",
            Self::Token(error) => error.as_str(),
        }
    }

    /// Whether this login is over. A callback that does not belong to it leaves it open, because anybody can send one.
    #[must_use]
    pub const fn ends_login(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Token(_))
    }
}

/// An error response of the authorization server (RFC 6749 section 4.1.2.1), reduced to characters that are safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthErrorResponse {
    error: String,
    description: Option<String>,
}

impl OAuthErrorResponse {
    /// Whether the user denied the request.
    #[must_use]
    pub fn is_access_denied(&self) -> bool {
        self.error == "access_denied"
    }
}

fn refusal_text(response: &OAuthErrorResponse) -> String {
    if response.is_access_denied() {
        return format!("the user declined ({}); run login again", response.error);
    }
    format!("NinjaOne refused: {response}")
}

impl fmt::Display for OAuthErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.description {
            Some(description) => write!(f, "{} ({description})", self.error),
            None => f.write_str(&self.error),
        }
    }
}

/// The parameters of a callback. Each name occurs once (RFC 6749 section 3.1).
pub(in crate::credentials) struct CallbackParameters(Vec<(String, Secret<String>)>);

impl CallbackParameters {
    pub(in crate::credentials) fn parse(text: &str) -> Result<Self, CallbackError> {
        if text.len() > CALLBACK_BYTES_MAX {
            return Err(CallbackError::TooLong);
        }
        let mut read: Vec<(String, Secret<String>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if read.len() == PARAMETERS_MAX {
                return Err(CallbackError::TooLong);
            }
            if read.iter().any(|(other, _)| *other == name) {
                return Err(CallbackError::DuplicateParameter(printable(&name)));
            }
            read.push((name.into_owned(), Secret::new(value.into_owned())));
        }
        Ok(Self(read))
    }

    pub(in crate::credentials) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.expose())
    }

    pub(in crate::credentials) fn error_response(&self) -> OAuthErrorResponse {
        let description = self.get("error_description").map(printable);
        OAuthErrorResponse {
            error: self.get("error").map(printable).unwrap_or_default(),
            description: description.filter(|it| !it.is_empty()),
        }
    }

    /// The token response of the implicit grant (RFC 6749 section 4.2.2). Nobody knows how long it lay in the browser, so
    /// its lifetime counts from when the login was `begun`.
    pub(in crate::credentials) fn token_set(
        &self,
        begun: Reading,
    ) -> Option<Result<TokenSet, CallbackError>> {
        self.get("access_token")?;
        let members = ["access_token", "token_type", "expires_in", "scope"];
        let members = members
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), self.get(name)?.into())));
        let response = serde_json::Value::Object(members.collect());
        let response = serde_json::from_value::<TokenEndpointResponse>(response);
        let issued = response
            .map_err(|_| TokenResponseError::NotJson)
            .map(|it| it.token_set(begun))
            .and_then(|it| match &it.access {
                Ok(_) => Ok(it),
                Err(error) => Err(*error),
            });
        Some(issued.map_err(CallbackError::Token))
    }
}

/// A server's text, reduced to one line of printable ASCII.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|it| *it == ' ' || it.is_ascii_graphic())
        .take(DESCRIPTION_CHARS_MAX)
        .collect()
}
