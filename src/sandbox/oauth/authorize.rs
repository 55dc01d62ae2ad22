//! `/ws/oauth/authorize`: a person is asked whether an app may act for them (RFC 6749 sections 4.1 and 4.2, RFC 7636).
//!
//! GET shows the question, POST takes the answer. The page carries the request along and it is checked anew, so nothing is kept
//! in between. The sandbox has no accounts: whoever is asked is logged in.

use form_urlencoded::Serializer;
use http::{HeaderValue, Method, StatusCode, header::LOCATION};

use crate::{
    ninjaone::paths::AUTHORIZE_ERROR_PATH,
    sandbox::{
        SandboxState, exchange::SandboxRequest, form_pairs::FormPairs, response::SandboxResponse,
    },
};

use super::{
    client_auth::form,
    clients::Client,
    discovery::issuer,
    granted_scopes::ValidatedToken,
    issued_code::{CodeBinding, PkceChallenge},
    page,
    responses::{invalid_request, no_such_client, server_error, with_oauth_headers},
    token_strings::{self, TokenStrings},
};

/// What the page sends back with `decision`.
const ALLOW: &str = "allow";

const DENY: &str = "deny";

/// The parameters that count; the page carries them along.
const PARAMETERS: [&str; 7] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// A request that may be put to a person.
struct AuthorizeRequest<'a> {
    place: usize,
    client: &'a Client,
    granted: ValidatedToken,
    wanted: ResponseType,
    back: RedirectTarget<'a>,
}

/// What the app asks for.
enum ResponseType {
    Code(Option<PkceChallenge>),
    /// The token itself, at once: the implicit grant.
    Token,
}

/// The way back to the app.
struct RedirectTarget<'a> {
    redirect: &'a str,
    state: Option<&'a str>,
    /// RFC 9207.
    issuer: Option<String>,
    /// The implicit grant answers after `#`, which browsers do not send to servers.
    in_fragment: bool,
}

pub(super) fn respond(state: &SandboxState, asked: &SandboxRequest) -> SandboxResponse {
    let answered = match asked.method {
        Method::GET => show_consent(state, asked),
        Method::POST => decide(state, asked),
        _ => Ok(SandboxResponse::empty(StatusCode::METHOD_NOT_ALLOWED)),
    };
    with_oauth_headers(answered.unwrap_or_else(|refusal| refusal))
}

/// `GET /ws/oauth/error`: where a person ends who cannot be sent back to an app.
pub(super) fn error(asked: &SandboxRequest) -> SandboxResponse {
    let text = |name: &str| asked.query.get(name).unwrap_or_default().to_owned();
    with_oauth_headers(page::error(&text("error"), &text("error_description")))
}

fn show_consent(
    state: &SandboxState,
    asked: &SandboxRequest,
) -> Result<SandboxResponse, SandboxResponse> {
    let request = AuthorizeRequest::read(state, &asked.query, &asked.origin)?;
    let carried: Vec<(&str, &str)> = PARAMETERS
        .into_iter()
        .filter_map(|name| Some((name, asked.query.get(name)?)))
        .collect();
    let question = page::ConsentPrompt {
        app: &request.client.id,
        granted: &request.granted,
        redirect: request.back.redirect,
        carried: &carried,
        allow: ALLOW,
        deny: DENY,
    };
    Ok(page::consent(&question))
}

fn decide(
    state: &SandboxState,
    asked: &SandboxRequest,
) -> Result<SandboxResponse, SandboxResponse> {
    let form = form(asked).ok_or_else(invalid_request)?;
    let request = AuthorizeRequest::read(state, &form, &asked.origin)?;
    match form.get("decision") {
        Some(ALLOW) => request.allow(state),
        Some(DENY) => Ok(request.back.error("access_denied")),
        _ => Err(invalid_request()),
    }
}

impl<'a> AuthorizeRequest<'a> {
    /// A person is sent back only to an address that is the app's. Until that is known, what is wrong is told here, and after
    /// that it is told to the app (RFC 6749 section 4.1.2.1).
    fn read(
        state: &'a SandboxState,
        query: &'a FormPairs,
        origin: &str,
    ) -> Result<Self, SandboxResponse> {
        let (place, client) = query
            .get("client_id")
            .and_then(|id| state.oauth.client(id))
            .ok_or_else(no_such_client)?;
        if !client.platform.supports_user_login() {
            return Err(SandboxResponse::not_found("There is nothing here"));
        }
        let redirect = query
            .get("redirect_uri")
            .filter(|target| client.may_redirect_to(target))
            .ok_or_else(wrong_redirect)?;
        let response_type = query.get("response_type");
        let back = RedirectTarget {
            redirect,
            state: query.get("state"),
            issuer: state
                .faults
                .persistent()
                .issuer_in_answers
                .then(|| issuer(origin)),
            in_fragment: response_type == Some("token"),
        };
        let wanted = match response_type {
            Some("code") => challenge(client, query).map(ResponseType::Code),
            Some("token") => Ok(ResponseType::Token),
            Some(_) => Err("unsupported_response_type"),
            None => Err("invalid_request"),
        };
        let wanted = wanted.map_err(|error| back.error(error))?;
        let granted = client
            .granted(query.get("scope"))
            .ok_or_else(|| back.error("invalid_scope"))?;
        Ok(Self {
            place,
            client,
            granted,
            wanted,
            back,
        })
    }

    fn allow(self, state: &SandboxState) -> Result<SandboxResponse, SandboxResponse> {
        let no_randomness = || server_error(StatusCode::INTERNAL_SERVER_ERROR);
        match self.wanted {
            ResponseType::Code(challenge) => {
                let code = token_strings::code().ok_or_else(no_randomness)?;
                let bound = CodeBinding {
                    client: self.place,
                    redirect: self.back.redirect.to_owned(),
                    challenge,
                };
                let oauth = &state.oauth;
                oauth
                    .issued()
                    .put_code(&code, bound, self.granted, oauth.code_life);
                Ok(self.back.with(&[("code", &code)]))
            }
            ResponseType::Token => {
                let texts = TokenStrings::new().ok_or_else(no_randomness)?;
                let terms = state.oauth.issuance_policy(&state.faults.persistent());
                let granted = self.granted.online();
                let mut issued = state.oauth.issued();
                let tokens = issued.log_in(texts, self.place, granted, &terms);
                Ok(self.back.with(&[
                    ("access_token", &tokens.access),
                    ("token_type", "Bearer"),
                    ("expires_in", &tokens.life.as_secs().to_string()),
                    ("scope", &tokens.granted.to_string()),
                ]))
            }
        }
    }
}

/// S256 only, and needed from an app that has no secret.
fn challenge(client: &Client, query: &FormPairs) -> Result<Option<PkceChallenge>, &'static str> {
    let method = query.get("code_challenge_method");
    let Some(challenge) = query.get("code_challenge") else {
        let is_needed = client.platform.requires_pkce() || method.is_some();
        return if is_needed {
            Err("invalid_request")
        } else {
            Ok(None)
        };
    };
    PkceChallenge::parse(challenge)
        .filter(|_| method == Some("S256"))
        .map(Some)
        .ok_or("invalid_request")
}

impl RedirectTarget<'_> {
    fn error(&self, error: &str) -> SandboxResponse {
        self.with(&[("error", error)])
    }

    fn with(&self, pairs: &[(&str, &str)]) -> SandboxResponse {
        let mut answer = Serializer::new(String::new());
        answer.extend_pairs(pairs);
        answer.extend_pairs(self.state.map(|state| ("state", state)));
        answer.extend_pairs(self.issuer.as_ref().map(|issuer| ("iss", issuer)));
        let mark = match (self.in_fragment, self.redirect.contains('?')) {
            (true, _) => '#',
            (false, true) => '&',
            (false, false) => '?',
        };
        redirect(&format!("{}{mark}{}", self.redirect, answer.finish()))
    }
}

/// An address that is not the app's gets nothing: the person is told.
fn wrong_redirect() -> SandboxResponse {
    let told = "error=unauthorized_client&error_description=Invalid+redirect_uri";
    redirect(&format!("{AUTHORIZE_ERROR_PATH}?{told}"))
}

fn redirect(target: &str) -> SandboxResponse {
    match HeaderValue::from_str(target) {
        Ok(target) => SandboxResponse::empty(StatusCode::FOUND).with(LOCATION, target),
        Err(_) => invalid_request(),
    }
}
