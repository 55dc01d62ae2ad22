//! `/ws/oauth/authorize`: asks the user whether an app may act for them (RFC 6749 sections 4.1 and 4.2, RFC 7636).
//!
//! GET shows the consent page, POST takes the decision. The page posts the request's parameters back and they are checked again,
//! so no state is held in between. The sandbox has no accounts: whoever opens the page is logged in.

use form_urlencoded::Serializer;
use http::{HeaderValue, Method, StatusCode, header::LOCATION};

use crate::{
    ninjaone::paths::AUTHORIZE_ERROR_PATH,
    sandbox::{
        SandboxState, form_pairs::FormPairs, received_request::SandboxRequest,
        response::SandboxResponse,
    },
};

use super::{
    client_auth::form,
    clients::Client,
    discovery::issuer,
    granted_scopes::GrantedScopes,
    issued_code::{CodeBinding, PkceChallenge},
    page,
    responses::{invalid_request, no_such_client, server_error, with_oauth_headers},
    token_strings::{self, TokenStrings},
};

/// The values of `decision`.
const ALLOW: &str = "allow";

const DENY: &str = "deny";

/// The parameters that matter; the page posts them back.
const PARAMETERS: [&str; 7] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// A valid request, ready for the user's consent.
struct AuthorizeRequest<'a> {
    client_index: usize,
    client: &'a Client,
    granted: GrantedScopes,
    wanted: ResponseType,
    back: RedirectTarget<'a>,
}

/// What the app asks for.
enum ResponseType {
    Code(Option<PkceChallenge>),
    /// The token itself, at once: the implicit grant.
    Token,
}

/// How the response gets back to the app.
struct RedirectTarget<'a> {
    redirect: &'a str,
    state: Option<&'a str>,
    /// RFC 9207.
    issuer: Option<String>,
    /// The implicit grant responds in the fragment, which browsers do not send to servers.
    in_fragment: bool,
}

pub(super) fn respond(state: &SandboxState, request: &SandboxRequest) -> SandboxResponse {
    let answered = match request.method {
        Method::GET => show_consent(state, request),
        Method::POST => decide(state, request),
        _ => Ok(SandboxResponse::empty(StatusCode::METHOD_NOT_ALLOWED)),
    };
    with_oauth_headers(answered.unwrap_or_else(|refusal| refusal))
}

/// `GET /ws/oauth/error`: the page for users who cannot be redirected back to an app.
pub(super) fn error(request: &SandboxRequest) -> SandboxResponse {
    let text = |name: &str| request.query.get(name).unwrap_or_default().to_owned();
    with_oauth_headers(page::error(&text("error"), &text("error_description")))
}

fn show_consent(
    state: &SandboxState,
    request: &SandboxRequest,
) -> Result<SandboxResponse, SandboxResponse> {
    let authorize = AuthorizeRequest::read(state, &request.query, &request.origin)?;
    let carried: Vec<(&str, &str)> = PARAMETERS
        .into_iter()
        .filter_map(|name| Some((name, request.query.get(name)?)))
        .collect();
    let prompt = page::ConsentPrompt {
        app: &authorize.client.id,
        granted: &authorize.granted,
        redirect: authorize.back.redirect,
        carried: &carried,
        allow: ALLOW,
        deny: DENY,
    };
    Ok(page::consent(&prompt))
}

fn decide(
    state: &SandboxState,
    request: &SandboxRequest,
) -> Result<SandboxResponse, SandboxResponse> {
    let form = form(request).ok_or_else(invalid_request)?;
    let authorize = AuthorizeRequest::read(state, &form, &request.origin)?;
    match form.get("decision") {
        Some(ALLOW) => authorize.allow(state),
        Some(DENY) => Ok(authorize.back.error("access_denied")),
        _ => Err(invalid_request()),
    }
}

impl<'a> AuthorizeRequest<'a> {
    /// Redirects only to a registered redirect URI. Until that is validated, errors are shown to the user; after that they
    /// are sent to the app (RFC 6749 section 4.1.2.1).
    fn read(
        state: &'a SandboxState,
        query: &'a FormPairs,
        origin: &str,
    ) -> Result<Self, SandboxResponse> {
        let (client_index, client) = query
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
            client_index,
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
                    client: self.client_index,
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
                let strings = TokenStrings::new().ok_or_else(no_randomness)?;
                let policy = state.oauth.issuance_policy(&state.faults.persistent());
                let granted = self.granted.without_offline_access();
                let mut issued = state.oauth.issued();
                let tokens = issued.log_in(strings, self.client_index, granted, &policy);
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

/// S256 only, and required from an app without a secret.
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
        let mut response = Serializer::new(String::new());
        response.extend_pairs(pairs);
        response.extend_pairs(self.state.map(|state| ("state", state)));
        response.extend_pairs(self.issuer.as_ref().map(|issuer| ("iss", issuer)));
        let mark = match (self.in_fragment, self.redirect.contains('?')) {
            (true, _) => '#',
            (false, true) => '&',
            (false, false) => '?',
        };
        redirect(&format!("{}{mark}{}", self.redirect, response.finish()))
    }
}

/// Nothing is sent to an unregistered redirect URI: the user sees the error.
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
