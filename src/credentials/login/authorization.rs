//! A login under way (RFC 6749 sections 4.1 and 4.2, RFC 7636, RFC 8252): builds the URL for the browser, validates the
//! callback, and exchanges the code. Can be finished once.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    basic::BasicClient,
};

use crate::{
    clock::Reading,
    credentials::{
        grant::{
            TokenSet,
            application::Application,
            discovery::OAuthPaths,
            token_endpoint_error::{TokenEndpointError, TokenRejection, TokenResponseError},
        },
        store::stored_login::{StoredAccessToken, StoredLogin},
    },
    ninjaone::paths::AUTHORIZE_ERROR_PATH,
    random,
    secret::Secret,
};

use super::callback::{CALLBACK_BYTES_MAX, CallbackError, CallbackParameters};

/// 32 bytes make 43 characters of base64url, the minimum for a code verifier (RFC 7636 section 4.1).
const RANDOM_BYTES: usize = 32;

/// The origin of a native application's redirect URI at NinjaOne, without the port.
const LOOPBACK_ORIGIN: &str = "http://127.0.0.1";

/// Stands for a redirect URI with any port.
const LOOPBACK_ANY_PORT: &str = "http://127.0.0.1:0";

/// The OAuth flow of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationFlow {
    /// Authorization code: we exchange the code for tokens.
    Code,
    /// Implicit: the fragment holds the access token. There is no refresh token.
    Implicit,
}

/// The parameters of an authorization request.
#[derive(Clone)]
pub struct AuthorizationParams {
    pub application: Application,
    pub flow: AuthorizationFlow,
    pub scopes: Vec<String>,
    /// Exactly as it is registered in NinjaOne.
    pub redirect_uri: String,
}

impl AuthorizationParams {
    /// Replaces the port 0 of a loopback redirect URI with the port that the callback server listens on (RFC 8252 section
    /// 7.3).
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        if self.needs_port()
            && let Some(rest) = self.redirect_uri.strip_prefix(LOOPBACK_ANY_PORT)
        {
            self.redirect_uri = format!("{LOOPBACK_ORIGIN}:{port}{rest}");
        }
        self
    }

    /// Whether [`AuthorizationParams::with_port`] must be called before the login begins.
    #[must_use]
    pub fn needs_port(&self) -> bool {
        let rest = self.redirect_uri.strip_prefix(LOOPBACK_ANY_PORT);
        rest.is_some_and(|it| it.is_empty() || it.starts_with(['/', '?']))
    }
}

/// A login under way. Holds its `state` and PKCE verifier.
pub struct AuthorizationRequest {
    params: AuthorizationParams,
    paths: OAuthPaths,
    state: Secret<String>,
    pkce_verifier: Secret<String>,
    url: String,
    /// When the login began. No token of it is older.
    started: Reading,
}

/// A callback that belongs to this login: a code or a token.
pub struct AuthorizationResponse(AuthorizationResult);

enum AuthorizationResult {
    Code(Secret<String>),
    Token(Box<TokenSet>),
}

/// Why a login could not begin, or brought no tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationError {
    #[error("the system provides no randomness")]
    NoRandomness,
    #[error("the address of the login page cannot be built from the host and the redirect")]
    InvalidUrl,
    /// The code has expired, was used before, or does not match the redirect URI or the verifier.
    #[error(
        "NinjaOne did not accept the code: it is too old, was used before, or was issued for a different redirect"
    )]
    CodeRefused,
    #[error("the code could not be exchanged for a token: {0}")]
    Exchange(TokenEndpointError),
    #[error("the login gave no usable token: {0}")]
    Token(TokenResponseError),
}

impl AuthorizationError {
    /// A name from a closed set.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoRandomness => "no-randomness",
            Self::InvalidUrl => "address",
            Self::CodeRefused => "code-refused",
            Self::Exchange(error) => error.as_str(),
            Self::Token(error) => error.as_str(),
        }
    }
}

impl AuthorizationRequest {
    /// Discovers the host's paths and draws a fresh `state` and verifier.
    ///
    /// # Errors
    /// See [`AuthorizationError`].
    pub async fn begin(wanted: AuthorizationParams) -> Result<Self, AuthorizationError> {
        let paths = OAuthPaths::discover(&wanted.application.endpoint).await;
        let (state, verifier) = (random_base64url()?, random_base64url()?);
        let url = authorization_url(&wanted, &paths, &state, &verifier)?;
        Ok(Self {
            params: wanted,
            paths,
            state: Secret::new(state),
            pkce_verifier: Secret::new(verifier),
            url,
            started: Reading::now(),
        })
    }

    /// The URL that the browser opens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The redirect URI of the request.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.params.redirect_uri
    }

    /// The client that the user logs in to.
    #[must_use]
    pub fn application(&self) -> &Application {
        &self.params.application
    }

    /// Decides whether the callback is a query or a fragment.
    #[must_use]
    pub fn flow(&self) -> AuthorizationFlow {
        self.params.flow
    }

    /// Parses what a user pasted from the browser: the whole URL that it ended at, or only the query or fragment. May be
    /// called again after an error.
    ///
    /// # Errors
    /// See [`CallbackError`].
    pub fn parse_pasted(&self, text: &str) -> Result<AuthorizationResponse, CallbackError> {
        if text.len() > CALLBACK_BYTES_MAX + self.params.redirect_uri.len() {
            return Err(CallbackError::TooLong);
        }
        let (address, parameters) = split_pasted(text, self.params.flow);
        let error_page = format!(
            "{}{AUTHORIZE_ERROR_PATH}",
            self.params.application.endpoint.origin()
        );
        if address == error_page {
            return Err(CallbackError::ErrorPage(
                CallbackParameters::parse(parameters)?.error_response(),
            ));
        }
        self.parse_callback(parameters)
    }

    /// Parses the query, or with [`AuthorizationFlow::Implicit`] the fragment, of a callback. May be called again after an error.
    ///
    /// # Errors
    /// See [`CallbackError`].
    pub fn parse_callback(&self, parameters: &str) -> Result<AuthorizationResponse, CallbackError> {
        let parameters = CallbackParameters::parse(parameters)?;
        let state = Secret::new(parameters.get("state").unwrap_or_default().to_owned());
        if state != self.state {
            return Err(CallbackError::StateMismatch);
        }
        let is_origin =
            |it: &str| it.trim_end_matches('/') == self.params.application.endpoint.origin();
        if !parameters
            .get("iss")
            .map_or(!self.paths.iss_parameter_supported, is_origin)
        {
            return Err(CallbackError::IssuerMismatch);
        }
        if parameters.get("error").is_some() {
            return Err(CallbackError::Refused(parameters.error_response()));
        }
        let found = match self.params.flow {
            AuthorizationFlow::Code => parameters
                .get("code")
                .filter(|code| !code.is_empty())
                .map(|code| AuthorizationResult::Code(Secret::new(code.to_owned()))),
            AuthorizationFlow::Implicit => match parameters.token_set(self.started) {
                Some(issued) => Some(AuthorizationResult::Token(Box::new(issued?))),
                None => None,
            },
        };
        found
            .map(AuthorizationResponse)
            .ok_or(CallbackError::NoCodeOrToken)
    }

    /// Gets the tokens: exchanges a code, or takes the token of the callback.
    ///
    /// # Errors
    /// NinjaOne refuses, or its tokens cannot be used.
    pub async fn finish(
        self,
        received: AuthorizationResponse,
    ) -> Result<StoredLogin, AuthorizationError> {
        let issued = match received.0 {
            AuthorizationResult::Token(issued) => *issued,
            AuthorizationResult::Code(code) => self.exchange_code(&code).await?,
        };
        self.into_stored_login(issued)
    }

    async fn exchange_code(&self, code: &Secret<String>) -> Result<TokenSet, AuthorizationError> {
        let AuthorizationParams {
            application,
            redirect_uri: redirect,
            ..
        } = &self.params;
        application
            .exchange_code(code, &self.pkce_verifier, redirect, &self.paths.token)
            .await
            .map_err(|error| match error {
                TokenEndpointError::Rejected(TokenRejection::InvalidGrant) => {
                    AuthorizationError::CodeRefused
                }
                other => AuthorizationError::Exchange(other),
            })
    }

    fn into_stored_login(self, issued: TokenSet) -> Result<StoredLogin, AuthorizationError> {
        let application = self.params.application;
        // A refresh token alone is enough for a login.
        let granted = match (issued.access, &issued.refresh_token) {
            (Ok(granted), _) => Some(granted),
            (Err(_), Some(_)) => None,
            (Err(error), None) => return Err(AuthorizationError::Token(error)),
        };
        let told = granted.as_ref().map(|it| it.scopes.clone());
        let scopes = told.filter(|it| !it.is_empty()).unwrap_or_else(|| {
            let asked = self.params.scopes.iter();
            asked.map(|it| it.as_str().into()).collect()
        });
        Ok(StoredLogin {
            generation: 1,
            client_id: application.client_id,
            host: application.endpoint.authority(),
            scopes,
            logged_in_at: issued.requested.at,
            refreshed_at: issued.requested.at,
            refresh_token: issued.refresh_token,
            access_token: granted
                .as_ref()
                .map(|it| StoredAccessToken::dated(issued.access_token, it.requested, it.lifetime)),
            renewal_marker: None,
            ended: None,
        })
    }
}

fn authorization_url(
    wanted: &AuthorizationParams,
    paths: &OAuthPaths,
    state: &str,
    verifier: &str,
) -> Result<String, AuthorizationError> {
    let address = |_| AuthorizationError::InvalidUrl;
    let origin = wanted.application.endpoint.origin();
    let page = AuthUrl::new(format!("{origin}{}", paths.authorize)).map_err(address)?;
    let redirect = RedirectUrl::new(wanted.redirect_uri.clone()).map_err(address)?;
    let client = BasicClient::new(ClientId::new(wanted.application.client_id.clone()))
        .set_auth_uri(page)
        .set_redirect_uri(redirect);
    let request = client
        .authorize_url(|| CsrfToken::new(state.to_owned()))
        .add_scopes(wanted.scopes.iter().cloned().map(Scope::new));
    let verifier = PkceCodeVerifier::new(verifier.to_owned());
    let (url, _) = match wanted.flow {
        AuthorizationFlow::Implicit => request.use_implicit_flow(),
        AuthorizationFlow::Code => {
            request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        }
    }
    .url();
    Ok(url.into())
}

fn random_base64url() -> Result<String, AuthorizationError> {
    let bytes = random::bytes::<RANDOM_BYTES>().ok_or(AuthorizationError::NoRandomness)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Splits pasted text into address and parameters. The text is a whole URL, or only what follows its `?` or `#`.
#[must_use]
pub fn split_pasted(text: &str, flow: AuthorizationFlow) -> (&str, &str) {
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
        (Some((_, fragment)), AuthorizationFlow::Implicit) if !fragment.is_empty() => fragment,
        // NinjaOne puts no fragment behind a code: the browser or a page did.
        (Some((query, _)), _) => query,
        (None, _) => rest,
    };
    (address, parameters)
}
