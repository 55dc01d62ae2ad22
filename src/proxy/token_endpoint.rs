//! Our own OAuth server, as small as NinjaOne's clients need it: tokens at `/ws/oauth/token` and `/oauth/token`, their revocation
//! (RFC 7009) at `/ws/oauth/revoke` and `/oauth/revoke`, and the metadata (RFC 8414) that name both. An unmodified client
//! authenticates its caller here and gets an access token of ours. Nothing under `/ws/` or `/oauth/` is ever forwarded:
//! NinjaOne would issue credentials there.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::{
    caller::{Caller, api_key::KeyHash},
    net::{
        Method, body::request_body::RequestBody, request::incoming_request::IncomingRequest,
        server::connection_control::ConnectionControl,
    },
    ninjaone::{
        operation::Scope,
        paths::{API_BASE, REVOKE_PATH, REVOKE_PATH_ALIAS, is_token_path},
    },
};

use super::{
    client_form::ClientForm,
    outcome::Outcome,
    rules::Rules,
    server_metadata::MetadataRequest,
    token_authority::{RevocationError, TokenAuthority},
    token_response::{MetadataServed, TokenIssued, TokenRefused, TokenRequestError, TokenRevoked},
};

/// A scope that no operation belongs to: it asks for a refresh token, which a client with credentials does not need.
const OFFLINE_ACCESS: &str = "offline_access";

/// Longest unknown scope that is repeated in an answer, in bytes.
const SCOPE_SHOWN_BYTES_MAX: usize = 64;

/// What is asked of the server.
enum Endpoint {
    Token,
    Revocation,
    Metadata(MetadataRequest),
}

impl Endpoint {
    /// None if the request is for somebody else. One slash at the end changes nothing.
    fn of(incoming: &IncomingRequest) -> Option<Self> {
        let target = incoming.target();
        let path = target.canonical_path();
        // Nearly every request.
        if path.starts_with(API_BASE) {
            return None;
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        match incoming.method() {
            Method::Post if is_token_path(path) => Some(Self::Token),
            Method::Post if path == REVOKE_PATH || path == REVOKE_PATH_ALIAS => {
                Some(Self::Revocation)
            }
            Method::Get | Method::Head => {
                MetadataRequest::of(path, target.tenant()).map(Self::Metadata)
            }
            _ => None,
        }
    }
}

/// Passes on what is not for the server.
///
/// # Errors
/// The outcome, for what is.
pub(crate) async fn serve(
    incoming: Box<IncomingRequest>,
    body: &mut RequestBody,
    rules: &Rules,
    authority: &Arc<TokenAuthority>,
    unauthenticated: Option<&ConnectionControl>,
) -> Result<Box<IncomingRequest>, Outcome> {
    let Some(endpoint) = Endpoint::of(&incoming) else {
        return Ok(incoming);
    };
    // Boxed, so that the form does not lie in every request's future.
    let outcome = Box::pin(serve_endpoint(
        endpoint,
        incoming,
        body.take(),
        rules,
        authority,
        unauthenticated,
    ));
    Err(outcome.await)
}

async fn serve_endpoint(
    endpoint: Endpoint,
    incoming: Box<IncomingRequest>,
    body: RequestBody,
    rules: &Rules,
    authority: &Arc<TokenAuthority>,
    unauthenticated: Option<&ConnectionControl>,
) -> Outcome {
    if let Endpoint::Metadata(asked) = &endpoint {
        let metadata_json = asked.document(&incoming.origin());
        return Box::new(MetadataServed {
            incoming,
            metadata_json,
        })
        .into();
    }
    let authenticated = authenticate(&incoming, body, rules).await;
    let (client, form) = match authenticated {
        Ok(authenticated) => authenticated,
        Err(error) => {
            return Box::new(TokenRefused {
                incoming,
                caller: None,
                error,
            })
            .into();
        }
    };
    if let Some(connection) = unauthenticated {
        connection.mark_authenticated();
    }
    let caller = Arc::clone(&client.caller);
    let served = match endpoint {
        Endpoint::Token => issue(&incoming, &client, &form, rules, authority).map(Some),
        Endpoint::Revocation => revoke(&incoming, &client, form, rules, authority)
            .await
            .map(|()| None),
        Endpoint::Metadata(_) => Ok(None),
    };
    match served {
        Ok(Some(response_json)) => Box::new(TokenIssued {
            incoming,
            caller,
            response_json,
        })
        .into(),
        Ok(None) => Box::new(TokenRevoked { incoming, caller }).into(),
        Err(error) => Box::new(TokenRefused {
            incoming,
            caller: Some(caller),
            error,
        })
        .into(),
    }
}

/// A client that has proved which caller it is, and by which key.
struct AuthenticatedClient {
    caller: Arc<Caller>,
    key: KeyHash,
}

/// The limit counts who has proved something: a stranger cannot use it up for a caller.
async fn authenticate(
    incoming: &IncomingRequest,
    body: RequestBody,
    rules: &Rules,
) -> Result<(AuthenticatedClient, ClientForm), TokenRequestError> {
    let form = ClientForm::read(body).await?;
    let presented = form.client(incoming.credentials())?;
    let now = incoming.received_at();
    let mut proved: Option<(Arc<Caller>, KeyHash)> = None;
    for reading in &presented {
        let found = rules
            .callers
            .authenticate_client(&reading.id, &reading.secret, now);
        match (&proved, found) {
            (Some((one, _)), Some((other, _))) if one.index != other.index => {
                return Err(TokenRequestError::AmbiguousClient);
            }
            (None, found @ Some(_)) => proved = found,
            _ => {}
        }
    }
    let (caller, key) = proved.ok_or(TokenRequestError::WrongClient)?;
    Ok((AuthenticatedClient { caller, key }, form))
}

fn admit(client: &AuthenticatedClient, rules: &Rules) -> Result<(), TokenRequestError> {
    rules
        .token_requests
        .admit(client.caller.index)
        .map_err(|retry_after| TokenRequestError::CallerLimit { retry_after })
}

fn issue(
    incoming: &IncomingRequest,
    client: &AuthenticatedClient,
    form: &ClientForm,
    rules: &Rules,
    authority: &TokenAuthority,
) -> Result<Zeroizing<String>, TokenRequestError> {
    match form.grant_type.as_deref() {
        None => return Err(TokenRequestError::MissingGrantType),
        Some("client_credentials") => {}
        Some(_) => return Err(TokenRequestError::UnsupportedGrantType),
    }
    let scope = granted_scope(form.scope.as_deref())?;
    admit(client, rules)?;
    let now = incoming.received_at();
    // A token ends with its key: a client that were told more would go on sending it.
    let key_ends = rules.callers.key_expires(client.key);
    let life = key_ends.map_or(rules.token_lifetime, |end| {
        rules.token_lifetime.min(end.since(now))
    });
    let token = authority
        .tokens()
        .issue(&client.caller.name, client.key, now, life)
        .ok_or(TokenRequestError::NoRandomness)?;
    Ok(Zeroizing::new(format!(
        r#"{{"access_token":"{}","token_type":"Bearer","expires_in":{},"scope":"{scope}"}}"#,
        token.as_str(),
        life.as_secs(),
    )))
}

/// What was asked for, in that order: OAuth libraries refuse an answer with less, and what the caller may do is the policy's to
/// say, at each request. All of NinjaOne's scopes if nothing was asked for.
fn granted_scope(asked: Option<&str>) -> Result<String, TokenRequestError> {
    let asked: Vec<&str> = asked.unwrap_or_default().split_ascii_whitespace().collect();
    if asked.is_empty() {
        return Ok(Scope::ALL.map(Scope::as_str).join(" "));
    }
    let is_known = |scope: &&str| Scope::parse(scope).is_some() || *scope == OFFLINE_ACCESS;
    match asked.iter().find(|it| !is_known(it)) {
        None => Ok(asked.join(" ")),
        Some(unknown) => Err(TokenRequestError::UnknownScope(shown(unknown))),
    }
}

/// The start of what a caller sent, in the characters that RFC 6749 section 5.2 allows in a description.
fn shown(text: &str) -> Box<str> {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "_-.:/,".contains(*c);
    text.chars()
        .filter(plain)
        .take(SCOPE_SHOWN_BYTES_MAX)
        .collect()
}

/// RFC 7009 section 2.1: a token that is not known, or has ended, is as good as revoked.
async fn revoke(
    incoming: &IncomingRequest,
    client: &AuthenticatedClient,
    form: ClientForm,
    rules: &Rules,
    authority: &Arc<TokenAuthority>,
) -> Result<(), TokenRequestError> {
    let text = form.token.ok_or(TokenRequestError::MissingToken)?;
    admit(client, rules)?;
    let now = incoming.received_at();
    let Some(token) = authority.tokens().open(text.as_bytes()) else {
        if rules.callers.is_key(text.as_bytes()) {
            return Err(TokenRequestError::RevocationOfKey);
        }
        return Ok(());
    };
    if token.caller() != client.caller.name.as_str().as_bytes() {
        return Err(TokenRequestError::TokenOfAnother);
    }
    if now >= token.expires_at {
        return Ok(());
    }
    match authority.revoke(token, now).await {
        Ok(()) => Ok(()),
        Err(RevocationError::TooMany(_)) => Err(TokenRequestError::TooManyRevoked),
        Err(RevocationError::NotStored) => Err(TokenRequestError::RevocationNotStored),
    }
}
