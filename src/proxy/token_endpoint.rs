//! Our own token endpoint, `POST /ws/oauth/token` and `/oauth/token`: an unmodified NinjaOne client authenticates its caller here
//! and gets an access token of ours. Nothing under `/ws/` or `/oauth/` is ever forwarded: NinjaOne would issue credentials there.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::{
    caller::{
        Caller, api_key,
        tokens::{self, CallerTokens},
    },
    net::{
        Method, body::request_body::RequestBody, request::incoming_request::IncomingRequest,
        server::connection_control::ConnectionControl,
    },
    ninjaone::{operation::Scope, paths::is_token_path},
};

use super::{
    outcome::Outcome,
    rules::Rules,
    token_response::{TokenIssued, TokenRefused, TokenRequestError},
};

/// Longest form, in bytes.
const FORM_BYTES_MAX: usize = 8 * 1024;
/// For the whole form: it is read before any caller is authenticated.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// Passes on what is not for the token endpoint.
///
/// # Errors
/// The outcome, for what is.
pub(crate) async fn serve(
    incoming: Box<IncomingRequest>,
    body: &mut RequestBody,
    rules: &Rules,
    tokens: &CallerTokens,
    unauthenticated: Option<&ConnectionControl>,
) -> Result<Box<IncomingRequest>, Outcome> {
    if incoming.method() != Method::Post || !is_token_path(incoming.target().canonical_path()) {
        return Ok(incoming);
    }
    // Boxed, so that the form does not lie in every request's future.
    Err(
        match Box::pin(issue_token(&incoming, body.take(), rules, tokens)).await {
            Ok((caller, response)) => {
                if let Some(connection) = unauthenticated {
                    connection.mark_authenticated();
                }
                Box::new(TokenIssued {
                    incoming,
                    caller,
                    response_json: response,
                })
                .into()
            }
            Err(why) => Box::new(TokenRefused {
                incoming,
                error: why,
            })
            .into(),
        },
    )
}

/// What the client sent, as far as we care.
#[derive(Default)]
struct TokenRequestForm {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
    scope: Option<String>,
}

async fn issue_token(
    incoming: &IncomingRequest,
    body: RequestBody,
    rules: &Rules,
    tokens: &CallerTokens,
) -> Result<(Arc<Caller>, Zeroizing<String>), TokenRequestError> {
    let form = Limited::new(body, FORM_BYTES_MAX).collect();
    let body = timeout(FORM_TIMEOUT, form)
        .await
        .map_err(|_| TokenRequestError::InvalidRequest)?
        .map_err(|_| TokenRequestError::InvalidRequest)?
        .to_bytes();
    let mut form = parse_form(&body)?;
    if let Some(authorization) = &incoming.credentials().authorization {
        let api_key::AuthorizationHeader::Basic { name, key } =
            api_key::parse_authorization(authorization.as_bytes())
                .ok_or(TokenRequestError::InvalidRequest)?
        else {
            return Err(TokenRequestError::InvalidRequest);
        };
        // RFC 6749 section 2.3: one authentication method only.
        if form.client_secret.is_some() || form.client_id.as_ref().is_some_and(|it| *it != name) {
            return Err(TokenRequestError::InvalidRequest);
        }
        (form.client_id, form.client_secret) = (Some(name), Some(key));
    }
    if form.grant_type.as_deref() != Some("client_credentials") {
        return Err(TokenRequestError::UnsupportedGrantType);
    }
    let (Some(client), Some(secret)) = (&form.client_id, &form.client_secret) else {
        return Err(TokenRequestError::InvalidClient);
    };
    let (caller, key) = rules
        .callers
        .authenticate_client(client, secret, incoming.received_at())
        .ok_or(TokenRequestError::InvalidClient)?;
    let token = Zeroizing::new(
        tokens
            .issue(key)
            .map_err(|_| TokenRequestError::TooManyTokens)?,
    );
    let scope = narrow_scope(
        &rules.policy.permitted_scopes(&caller),
        form.scope.as_deref(),
    );
    let life = tokens::TOKEN_LIFETIME.as_secs();
    let response = Zeroizing::new(format!(
        r#"{{"access_token":"{}","token_type":"Bearer","expires_in":{life},"scope":"{scope}"}}"#,
        token.as_str(),
    ));
    Ok((caller, response))
}

fn parse_form(body: &Bytes) -> Result<TokenRequestForm, TokenRequestError> {
    let mut form = TokenRequestForm::default();
    for (name, value) in form_urlencoded::parse(body) {
        let repeated = match name.as_ref() {
            "grant_type" => form.grant_type.replace(value.into_owned()).is_some(),
            "client_id" => form.client_id.replace(value.into_owned()).is_some(),
            "client_secret" => form
                .client_secret
                .replace(Zeroizing::new(value.into_owned()))
                .is_some(),
            "scope" => form.scope.replace(value.into_owned()).is_some(),
            _ => false,
        };
        // RFC 6749 section 3.2: a parameter must not stand twice.
        if repeated {
            return Err(TokenRequestError::InvalidRequest);
        }
    }
    Ok(form)
}

/// What the caller may do of what it asks for; asking for more is not an error.
fn narrow_scope(allowed: &[Scope], asked: Option<&str>) -> String {
    let asked: Option<Vec<&str>> = asked
        .map(|it| it.split_ascii_whitespace().collect())
        .filter(|it: &Vec<&str>| !it.is_empty());
    let granted: Vec<&str> = allowed
        .iter()
        .map(|scope| scope.as_str())
        .filter(|scope| asked.as_ref().is_none_or(|it| it.contains(scope)))
        .collect();
    granted.join(" ")
}
