//! A login under way (RFC 6749 sections 4.1 and 4.2, RFC 7636, RFC 8252): where the browser is sent, what it brings back,
//! and what is made of that. It can be finished once.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    basic::BasicClient,
};
use tokio::task::spawn_blocking;

use crate::{
    clock::{Moment, Timestamp},
    random,
    secret::Secret,
};

use super::{
    grant::{
        Granted, Issued,
        answer::Answer,
        application::{Application, TOKEN_CALL_MS_MAX},
        discovery::Paths,
        mint_error::MintError,
    },
    login::kept_access,
    store::{
        Store,
        error::StoreError,
        kept::{Kept, Slot},
    },
};

/// Longest query or fragment that is read, in bytes. A fragment holds an access token.
pub const CALLBACK_BYTES_MAX: usize = 32 * 1024;

/// Most parameters that are looked at.
const PARAMETERS_MAX: usize = 32;

/// How much of what a server says of an error is shown, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// 32 bytes are 43 characters of base64url: what RFC 7636 section 4.1 asks for at least.
const RANDOM_BYTES: usize = 32;

/// Longest that a new login waits for a renewal of the one before, in milliseconds.
const LOCK_WAIT_MS_MAX: u64 = TOKEN_CALL_MS_MAX + 5_000;

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

/// A login that has been begun.
pub struct AuthorizationRequest {
    wanted: Wanted,
    paths: Paths,
    state: Secret<String>,
    verifier: Secret<String>,
    url: String,
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
    #[error("NinjaOne did not accept the code: {0}")]
    Exchange(MintError),
    #[error("the login gave no token that can be used: {0}")]
    Token(MintError),
}

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
    #[error("NinjaOne refused: {error}{description}")]
    Refused { error: String, description: String },
    #[error("the token that it holds cannot be used: {0}")]
    Token(MintError),
}

impl CallbackError {
    /// Whether this login is over. What does not belong to it changes nothing: anybody could send it.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Token(_))
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
    pub fn flow(&self) -> Flow {
        self.wanted.flow
    }

    /// Reads the query, or with [`Flow::Implicit`] the fragment, that the browser came back with. Uses nothing up.
    ///
    /// # Errors
    /// See [`CallbackError`].
    pub fn receive(&self, parameters: &str) -> Result<Received, CallbackError> {
        let parameters = Parameters::read(parameters)?;
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
        if let Some(error) = parameters.get("error") {
            let description = parameters.get("error_description").map(shown);
            return Err(CallbackError::Refused {
                error: shown(error),
                description: description.map_or_else(String::new, |it| format!(" ({it})")),
            });
        }
        let found = match self.wanted.flow {
            Flow::Code => parameters
                .get("code")
                .map(|code| Bearing::Code(Secret::new(code.to_owned()))),
            Flow::Implicit => match parameters.token() {
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
        let asked = (Moment::now(), Timestamp::now());
        let issued = match received.0 {
            Bearing::Token(issued) => *issued,
            Bearing::Code(code) => {
                let application = &self.wanted.application;
                application
                    .exchange_code(
                        &code,
                        &self.verifier,
                        &self.wanted.redirect,
                        &self.paths.token,
                    )
                    .await
                    .map_err(AuthorizationError::Exchange)?
            }
        };
        self.kept(issued, asked)
    }

    fn kept(
        self,
        issued: Issued,
        (asked, asked_at): (Moment, Timestamp),
    ) -> Result<Kept, AuthorizationError> {
        let application = self.wanted.application;
        // Without an access token a refresh token is a login all the same.
        let granted = match (issued.access, &issued.refresh) {
            (Ok(granted), _) => Some(granted),
            (Err(_), Some(_)) => None,
            (Err(error), None) => return Err(AuthorizationError::Token(error)),
        };
        let told = granted.as_ref().map(|it: &Granted| it.scopes.clone());
        let scopes = told.filter(|it| !it.is_empty()).unwrap_or_else(|| {
            let asked = self.wanted.scopes.iter();
            asked.map(|it| it.as_str().into()).collect()
        });
        Ok(Kept {
            generation: 1,
            client_id: application.client_id,
            host: application.endpoint.authority(),
            scopes,
            logged_in_at: asked_at,
            refreshed_at: asked_at,
            refresh_token: issued.refresh,
            access: granted
                .as_ref()
                .map(|it| kept_access(issued.token, it, (asked, asked_at))),
            mark: None,
            ended: None,
        })
    }
}

/// Puts a new login in the place of whatever was there, and lets processes that keep the one before know.
///
/// # Errors
/// When it is not stored: then it is lost, and NinjaOne still knows it.
pub async fn keep(store: &Store, slot: &Slot, mut login: Kept) -> Result<(), StoreError> {
    let longest = std::time::Duration::from_millis(LOCK_WAIT_MS_MAX);
    let locked = store.lock(slot, longest).await?;
    let stored = spawn_blocking(move || {
        // What cannot be read is what a new login is the cure for.
        let before = locked.read().ok().flatten();
        login.generation += before.map_or(0, |it| it.kept.generation);
        locked.start_anew(&login)
    });
    stored
        .await
        .unwrap_or_else(|_| Err(StoreError::interrupted(slot)))
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

/// What a server says, fit for a terminal: one line of plain characters.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|it| *it == ' ' || it.is_ascii_graphic())
        .take(DESCRIPTION_CHARS_MAX)
        .collect()
}

/// Names and values, each name once.
struct Parameters(Vec<(String, Secret<String>)>);

impl Parameters {
    fn read(text: &str) -> Result<Self, CallbackError> {
        if text.len() > CALLBACK_BYTES_MAX {
            return Err(CallbackError::TooLong);
        }
        let mut read: Vec<(String, Secret<String>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if read.len() == PARAMETERS_MAX {
                return Err(CallbackError::TooLong);
            }
            if read.iter().any(|(other, _)| *other == name) {
                return Err(CallbackError::Twice(shown(&name)));
            }
            read.push((name.into_owned(), Secret::new(value.into_owned())));
        }
        Ok(Self(read))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.expose())
    }

    /// The members of a token answer, as RFC 6749 section 4.2.2 puts them into a fragment.
    fn token(&self) -> Option<Result<Issued, CallbackError>> {
        self.get("access_token")?;
        let members = ["access_token", "token_type", "expires_in", "scope"];
        let members = members
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), self.get(name)?.into())));
        let answer = serde_json::Value::Object(members.collect());
        let answer = serde_json::from_value::<Answer>(answer);
        let issued = answer
            .map_err(|_| MintError::NotJson)
            .map(|it| it.issued())
            .and_then(|it| match &it.access {
                Ok(_) => Ok(it),
                Err(error) => Err(*error),
            });
        Some(issued.map_err(CallbackError::Token))
    }
}
