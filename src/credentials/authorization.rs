//! A login under way (RFC 6749 sections 4.1 and 4.2, RFC 7636, RFC 8252): where the browser is sent, what it brings back,
//! and what is made of that. It can be finished once.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    basic::BasicClient,
};

use crate::{clock::Reading, ninjaone::endpoint::AUTHORIZE_ERROR_PATH, random, secret::Secret};

use super::{
    callback::{CALLBACK_BYTES_MAX, CallbackError, CallbackParameters},
    grant::{
        Issued,
        application::Application,
        discovery::Paths,
        mint_error::{TokenEndpointError, TokenRejection, TokenResponseError},
    },
    store::kept::{Kept, KeptAccess},
};

/// 32 bytes are 43 characters of base64url: what RFC 7636 section 4.1 asks for at least.
const RANDOM_BYTES: usize = 32;

/// What NinjaOne registers native applications with; a port follows.
const LOOPBACK: &str = "http://127.0.0.1";

/// A redirect to any port.
const ANY_PORT: &str = "http://127.0.0.1:0";

/// What a login brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// A code, which becomes tokens by a call of ours.
    Code,
    /// The access token itself, in the fragment. There is no refresh token.
    Implicit,
}

/// Which login is wanted.
#[derive(Clone)]
pub struct Wanted {
    pub application: Application,
    pub flow: Flow,
    pub scopes: Vec<String>,
    /// As it is registered in NinjaOne, to the letter.
    pub redirect: String,
}

impl Wanted {
    /// With the port at which the browser is awaited, where the application may have any: a redirect with the port 0.
    #[must_use]
    pub fn at_port(mut self, port: u16) -> Self {
        if self.needs_port()
            && let Some(rest) = self.redirect.strip_prefix(ANY_PORT)
        {
            self.redirect = format!("{LOOPBACK}:{port}{rest}");
        }
        self
    }

    /// Whether [`Wanted::at_port`] has to be called before the login can begin.
    #[must_use]
    pub fn needs_port(&self) -> bool {
        let rest = self.redirect.strip_prefix(ANY_PORT);
        rest.is_some_and(|it| it.is_empty() || it.starts_with(['/', '?']))
    }
}

/// A login that has been begun.
pub struct AuthorizationRequest {
    wanted: Wanted,
    paths: Paths,
    state: Secret<String>,
    verifier: Secret<String>,
    url: String,
    /// No token of this login is older.
    begun: Reading,
}

/// What came back and belongs to this login.
pub struct Received(Bearing);

enum Bearing {
    Code(Secret<String>),
    Token(Box<Issued>),
}

/// Why a login cannot be begun or finished.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationError {
    #[error("the system has no randomness to give")]
    NoRandomness,
    #[error("the address of the login page cannot be made of the host or the redirect")]
    Address,
    /// It is old or was used before, or does not belong to this redirect or verifier.
    #[error(
        "NinjaOne did not accept the code: it is too old, was used before, or was asked for with another redirect"
    )]
    CodeRefused,
    #[error("the code could not be exchanged for a token: {0}")]
    Exchange(TokenEndpointError),
    #[error("the login gave no token that can be used: {0}")]
    Token(TokenResponseError),
}

impl AuthorizationError {
    /// A name out of a closed set.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoRandomness => "no-randomness",
            Self::Address => "address",
            Self::CodeRefused => "code-refused",
            Self::Exchange(error) => error.as_str(),
            Self::Token(error) => error.as_str(),
        }
    }
}

impl AuthorizationRequest {
    /// Asks the host for its paths, and makes everything that is used once.
    ///
    /// # Errors
    /// See [`AuthorizationError`].
    pub async fn begin(wanted: Wanted) -> Result<Self, AuthorizationError> {
        let paths = Paths::discover(&wanted.application.endpoint).await;
        let (state, verifier) = (random_text()?, random_text()?);
        let url = url(&wanted, &paths, &state, &verifier)?;
        Ok(Self {
            wanted,
            paths,
            state: Secret::new(state),
            verifier: Secret::new(verifier),
            url,
            begun: Reading::now(),
        })
    }

    /// Where the browser goes.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    #[must_use]
    pub fn redirect(&self) -> &str {
        &self.wanted.redirect
    }

    #[must_use]
    pub fn application(&self) -> &Application {
        &self.wanted.application
    }

    #[must_use]
    pub fn flow(&self) -> Flow {
        self.wanted.flow
    }

    /// Reads what a person copied out of the browser: the whole address that it ended at, or only the query or the
    /// fragment of it. Uses nothing up.
    ///
    /// # Errors
    /// See [`CallbackError`].
    pub fn receive_copied(&self, text: &str) -> Result<Received, CallbackError> {
        if text.len() > CALLBACK_BYTES_MAX + self.wanted.redirect.len() {
            return Err(CallbackError::TooLong);
        }
        let (address, parameters) = copied(text, self.wanted.flow);
        let error_page = format!(
            "{}{AUTHORIZE_ERROR_PATH}",
            self.wanted.application.endpoint.origin()
        );
        if address == error_page {
            return Err(CallbackError::ErrorPage(
                CallbackParameters::parse(parameters)?.error_response(),
            ));
        }
        self.receive(parameters)
    }

    /// Reads the query, or with [`Flow::Implicit`] the fragment, that the browser came back with. Uses nothing up.
    ///
    /// # Errors
    /// See [`CallbackError`].
    pub fn receive(&self, parameters: &str) -> Result<Received, CallbackError> {
        let parameters = CallbackParameters::parse(parameters)?;
        let state = Secret::new(parameters.get("state").unwrap_or_default().to_owned());
        if state != self.state {
            return Err(CallbackError::State);
        }
        let is_origin =
            |it: &str| it.trim_end_matches('/') == self.wanted.application.endpoint.origin();
        if !parameters
            .get("iss")
            .map_or(!self.paths.names_issuer, is_origin)
        {
            return Err(CallbackError::Issuer);
        }
        if parameters.get("error").is_some() {
            return Err(CallbackError::Refused(parameters.error_response()));
        }
        let found = match self.wanted.flow {
            Flow::Code => parameters
                .get("code")
                .filter(|code| !code.is_empty())
                .map(|code| Bearing::Code(Secret::new(code.to_owned()))),
            Flow::Implicit => match parameters.token_set(self.begun) {
                Some(issued) => Some(Bearing::Token(Box::new(issued?))),
                None => None,
            },
        };
        found.map(Received).ok_or(CallbackError::Empty)
    }

    /// Exchanges a code, and gives what is to be kept.
    ///
    /// # Errors
    /// When NinjaOne refuses, or what it gives cannot be used.
    pub async fn finish(self, received: Received) -> Result<Kept, AuthorizationError> {
        let issued = match received.0 {
            Bearing::Token(issued) => *issued,
            Bearing::Code(code) => self.exchanged(&code).await?,
        };
        self.kept(issued)
    }

    async fn exchanged(&self, code: &Secret<String>) -> Result<Issued, AuthorizationError> {
        let Wanted {
            application,
            redirect,
            ..
        } = &self.wanted;
        application
            .exchange_code(code, &self.verifier, redirect, &self.paths.token)
            .await
            .map_err(|error| match error {
                TokenEndpointError::Rejected(TokenRejection::InvalidGrant) => {
                    AuthorizationError::CodeRefused
                }
                other => AuthorizationError::Exchange(other),
            })
    }

    fn kept(self, issued: Issued) -> Result<Kept, AuthorizationError> {
        let application = self.wanted.application;
        // Without an access token a refresh token is a login all the same.
        let granted = match (issued.access, &issued.refresh) {
            (Ok(granted), _) => Some(granted),
            (Err(_), Some(_)) => None,
            (Err(error), None) => return Err(AuthorizationError::Token(error)),
        };
        let told = granted.as_ref().map(|it| it.scopes.clone());
        let scopes = told.filter(|it| !it.is_empty()).unwrap_or_else(|| {
            let asked = self.wanted.scopes.iter();
            asked.map(|it| it.as_str().into()).collect()
        });
        Ok(Kept {
            generation: 1,
            client_id: application.client_id,
            host: application.endpoint.authority(),
            scopes,
            logged_in_at: issued.requested.at,
            refreshed_at: issued.requested.at,
            refresh_token: issued.refresh,
            access: granted
                .as_ref()
                .map(|it| KeptAccess::dated(issued.token, it.requested, it.lifetime)),
            mark: None,
            ended: None,
        })
    }
}

fn url(
    wanted: &Wanted,
    paths: &Paths,
    state: &str,
    verifier: &str,
) -> Result<String, AuthorizationError> {
    let address = |_| AuthorizationError::Address;
    let origin = wanted.application.endpoint.origin();
    let page = AuthUrl::new(format!("{origin}{}", paths.authorize)).map_err(address)?;
    let redirect = RedirectUrl::new(wanted.redirect.clone()).map_err(address)?;
    let client = BasicClient::new(ClientId::new(wanted.application.client_id.clone()))
        .set_auth_uri(page)
        .set_redirect_uri(redirect);
    let request = client
        .authorize_url(|| CsrfToken::new(state.to_owned()))
        .add_scopes(wanted.scopes.iter().cloned().map(Scope::new));
    let verifier = PkceCodeVerifier::new(verifier.to_owned());
    let (url, _) = match wanted.flow {
        Flow::Implicit => request.use_implicit_flow(),
        Flow::Code => {
            request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        }
    }
    .url();
    Ok(url.into())
}

fn random_text() -> Result<String, AuthorizationError> {
    let bytes = random::bytes::<RANDOM_BYTES>().ok_or(AuthorizationError::NoRandomness)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Address and parameters of what was copied out of a browser: a whole address, or only what follows its `?` or `#`.
#[must_use]
pub fn copied(text: &str, flow: Flow) -> (&str, &str) {
    let text = text.trim();
    let is_address = ["http://", "https://"]
        .iter()
        .any(|it| text.starts_with(it));
    let (address, rest) = match text.find(['?', '#']) {
        Some(at) if is_address => text.split_at(at),
        None if is_address => (text, ""),
        _ => ("", text),
    };
    let rest = rest.strip_prefix('?').unwrap_or(rest);
    let parameters = match (rest.split_once('#'), flow) {
        (Some(("", fragment)), _) => fragment,
        (Some((_, fragment)), Flow::Implicit) if !fragment.is_empty() => fragment,
        // What follows a code's query is not of NinjaOne.
        (Some((query, _)), _) => query,
        (None, _) => rest,
    };
    (address, parameters)
}
