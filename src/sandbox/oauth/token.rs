//! `POST /ws/oauth/token`: exchanges a code, a refresh token or client credentials for an access token.

use std::io;

use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{
    SandboxState,
    faults::{ExpiresInFault, GrantErrorCode, TokenEndpointFault},
    received_request::SandboxRequest,
    response::SandboxResponse,
};

use super::{
    client_auth::{AuthenticatedForm, authenticate_client, form},
    grant_type::GrantType,
    issued_code::CodeRedemption,
    responses::{
        error_response, invalid_client, invalid_request, invalid_scope, invalid_token,
        no_such_client, server_error, unauthorized_client, with_oauth_headers,
    },
    token_registry::{Bearer, RotationError, TokenIssuancePolicy, TokenPair},
    token_strings::TokenStrings,
};

/// # Errors
/// The response is lost on purpose.
pub(super) async fn respond(
    state: &SandboxState,
    request: &SandboxRequest,
) -> io::Result<SandboxResponse> {
    let grant = grant_type(request);
    state.oauth.issued().counts.token_calls.count(grant);
    if request.method != Method::POST {
        return Ok(SandboxResponse::empty(StatusCode::METHOD_NOT_ALLOWED));
    }
    let (fault, retry_after) = state.faults.for_token(grant);
    if let Some(delay) = fault.and_then(TokenEndpointFault::delay_before) {
        tokio::time::sleep(delay).await;
    }
    let response = match fault.and_then(|it| fault_response(it, retry_after)) {
        Some(refused) => refused,
        None => issue(state, request, fault).unwrap_or_else(|refused| refused),
    };
    if let Some(delay) = fault.and_then(TokenEndpointFault::delay_after) {
        tokio::time::sleep(delay).await;
    }
    if fault == Some(TokenEndpointFault::LoseResponse) {
        return Err(io::Error::other("lost on purpose"));
    }
    Ok(with_oauth_headers(response))
}

fn grant_type(request: &SandboxRequest) -> Option<GrantType> {
    GrantType::parse(form(request)?.get("grant_type")?)
}

/// The response of a fault that replaces the normal processing.
fn fault_response(fault: TokenEndpointFault, retry_after: Option<u32>) -> Option<SandboxResponse> {
    Some(match fault {
        TokenEndpointFault::Hang
        | TokenEndpointFault::Slow(_)
        | TokenEndpointFault::SlowStart(_)
        | TokenEndpointFault::LoseResponse
        | TokenEndpointFault::NoRefreshToken
        | TokenEndpointFault::Only(_)
        | TokenEndpointFault::Life(_) => return None,
        TokenEndpointFault::Page => SandboxResponse::throttle_page("Request limit exceeded"),
        TokenEndpointFault::Empty => SandboxResponse::empty(StatusCode::OK),
        TokenEndpointFault::NotJson => SandboxResponse::bytes(
            StatusCode::OK,
            HeaderValue::from_static("application/json"),
            "{\"access_token\":".into(),
        ),
        TokenEndpointFault::Refuse(cause) => error_response(cause.as_str()),
        TokenEndpointFault::Status(400) => error_response(GrantErrorCode::InvalidToken.as_str()),
        TokenEndpointFault::Status(401) => invalid_client(),
        TokenEndpointFault::Status(404) => no_such_client(),
        TokenEndpointFault::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            server_error(status).with_retry_after(retry_after)
        }
    })
}

fn issue(
    state: &SandboxState,
    request: &SandboxRequest,
    fault: Option<TokenEndpointFault>,
) -> Result<SandboxResponse, SandboxResponse> {
    let authenticated = authenticate_client(&state.oauth, request)?;
    let grant = authenticated
        .form
        .get("grant_type")
        .ok_or_else(invalid_request)?;
    let grant = GrantType::parse(grant).ok_or_else(|| error_response("unsupported_grant_type"))?;
    if !authenticated.client.platform.supports_grant(grant) {
        return Err(unauthorized_client());
    }
    let policy = issuance_policy(state, fault);
    let strings =
        TokenStrings::new().ok_or_else(|| server_error(StatusCode::INTERNAL_SERVER_ERROR))?;
    let tokens = match grant {
        GrantType::ClientCredentials => {
            client_credentials_grant(state, &authenticated, strings, &policy)?
        }
        GrantType::AuthorizationCode => {
            authorization_code_grant(state, &authenticated, strings, &policy)?
        }
        GrantType::RefreshToken => refresh_token_grant(state, &authenticated, strings, &policy)?,
    };
    let stated = stated_life(&tokens, fault);
    Ok(SandboxResponse::ok(&body(&tokens, stated)))
}

fn issuance_policy(state: &SandboxState, fault: Option<TokenEndpointFault>) -> TokenIssuancePolicy {
    let policy = state.oauth.issuance_policy(&state.faults.persistent());
    match fault {
        Some(TokenEndpointFault::Only(scope)) => TokenIssuancePolicy {
            only: Some(scope),
            ..policy
        },
        Some(TokenEndpointFault::NoRefreshToken) => TokenIssuancePolicy {
            rotate: false,
            ..policy
        },
        _ => policy,
    }
}

fn client_credentials_grant(
    state: &SandboxState,
    authenticated: &AuthenticatedForm<'_>,
    strings: TokenStrings,
    policy: &TokenIssuancePolicy,
) -> Result<TokenPair, SandboxResponse> {
    let client = authenticated.client;
    let granted = client
        .granted(authenticated.form.get("scope"))
        .ok_or_else(invalid_scope)?;
    let granted = match policy.only {
        Some(only) => granted.narrowed_to(only),
        None => granted,
    };
    let bearer = Bearer {
        client: authenticated.client_index,
        scopes: granted.scopes.clone(),
        user_context: client.user_context,
    };
    let mut issued = state.oauth.issued();
    issued.insert_access_token(strings.access.clone(), bearer, policy.life);
    Ok(TokenPair {
        access: strings.access,
        refresh: None,
        life: policy.life,
        granted,
    })
}

fn authorization_code_grant(
    state: &SandboxState,
    authenticated: &AuthenticatedForm<'_>,
    strings: TokenStrings,
    policy: &TokenIssuancePolicy,
) -> Result<TokenPair, SandboxResponse> {
    let form = &authenticated.form;
    let code = form.get("code").ok_or_else(invalid_request)?;
    let redemption = CodeRedemption {
        client: authenticated.client_index,
        redirect: form.get("redirect_uri").ok_or_else(invalid_request)?,
        verifier: form.get("code_verifier"),
    };
    let mut issued = state.oauth.issued();
    issued
        .redeem(code, &redemption, strings, policy)
        .ok_or_else(invalid_token)
}

fn refresh_token_grant(
    state: &SandboxState,
    authenticated: &AuthenticatedForm<'_>,
    strings: TokenStrings,
    policy: &TokenIssuancePolicy,
) -> Result<TokenPair, SandboxResponse> {
    let form = &authenticated.form;
    let refresh = form.get("refresh_token").ok_or_else(invalid_request)?;
    let mut issued = state.oauth.issued();
    issued
        .rotate(
            refresh,
            authenticated.client_index,
            form.get("scope"),
            strings,
            policy,
        )
        .map_err(|not_rotated| match not_rotated {
            RotationError::InvalidToken => invalid_token(),
            RotationError::Scope => invalid_scope(),
        })
}

/// What `expires_in` says, if it is there.
fn stated_life(tokens: &TokenPair, fault: Option<TokenEndpointFault>) -> Option<Value> {
    let seconds = tokens.life.as_secs();
    match fault {
        Some(TokenEndpointFault::Life(ExpiresInFault::Seconds(seconds))) => Some(json!(seconds)),
        Some(TokenEndpointFault::Life(ExpiresInFault::Text)) => Some(json!(seconds.to_string())),
        Some(TokenEndpointFault::Life(ExpiresInFault::Absent)) => None,
        _ => Some(json!(seconds)),
    }
}

/// RFC 6749 section 5.1, with the members in NinjaOne's order.
pub(super) fn body(tokens: &TokenPair, life: Option<Value>) -> Value {
    let mut body = serde_json::Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("access_token", Some(json!(tokens.access)));
    put("expires_in", life);
    put("refresh_token", tokens.refresh.as_ref().map(|it| json!(it)));
    put("scope", Some(json!(tokens.granted.to_string())));
    put("token_type", Some(json!("Bearer")));
    Value::Object(body)
}
