//! `POST /ws/oauth/token`: exchanges a code, a refresh token or client credentials for an access token.

use std::io;

use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{
    State,
    exchange::Asked,
    faults::{Cause, StatedLife, TokenTrouble},
    response::Answer,
};

use super::{
    client_auth::{Proved, form, prove},
    grant_type::GrantType,
    issued_code::Redemption,
    responses::{
        dressed, invalid_client, invalid_request, invalid_scope, invalid_token, no_such_client,
        refusal, server_error, unauthorized_client,
    },
    token_registry::{Bearer, NotRotated, Terms, Tokens},
    token_strings::Texts,
};

/// # Errors
/// The answer is lost on purpose.
pub(super) async fn answer(state: &State, asked: &Asked) -> io::Result<Answer> {
    let grant = grant_type(asked);
    state.oauth.issued().counts.token_calls.count(grant);
    if asked.method != Method::POST {
        return Ok(Answer::empty(StatusCode::METHOD_NOT_ALLOWED));
    }
    let (trouble, retry_after) = state.switches.for_token(grant);
    if let Some(delay) = trouble.and_then(TokenTrouble::delay_before) {
        tokio::time::sleep(delay).await;
    }
    let answer = match trouble.and_then(|it| refused(it, retry_after)) {
        Some(refused) => refused,
        None => issue(state, asked, trouble).unwrap_or_else(|refused| refused),
    };
    if let Some(delay) = trouble.and_then(TokenTrouble::delay_after) {
        tokio::time::sleep(delay).await;
    }
    if trouble == Some(TokenTrouble::LoseResponse) {
        return Err(io::Error::other("lost on purpose"));
    }
    Ok(dressed(answer))
}

fn grant_type(asked: &Asked) -> Option<GrantType> {
    GrantType::parse(form(asked)?.get("grant_type")?)
}

/// The answer of a trouble because of which nothing is done.
fn refused(trouble: TokenTrouble, retry_after: Option<u32>) -> Option<Answer> {
    Some(match trouble {
        TokenTrouble::Hang
        | TokenTrouble::Slow(_)
        | TokenTrouble::SlowStart(_)
        | TokenTrouble::LoseResponse
        | TokenTrouble::NoRefreshToken
        | TokenTrouble::Only(_)
        | TokenTrouble::Life(_) => return None,
        TokenTrouble::Page => Answer::throttle_page(),
        TokenTrouble::Empty => Answer::empty(StatusCode::OK),
        TokenTrouble::NotJson => Answer::bytes(
            StatusCode::OK,
            HeaderValue::from_static("application/json"),
            "{\"access_token\":".into(),
        ),
        TokenTrouble::Refuse(cause) => refusal(cause.as_str()),
        TokenTrouble::Status(400) => refusal(Cause::InvalidToken.as_str()),
        TokenTrouble::Status(401) => invalid_client(),
        TokenTrouble::Status(404) => no_such_client(),
        TokenTrouble::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            server_error(status).with_retry_after(retry_after)
        }
    })
}

fn issue(state: &State, asked: &Asked, trouble: Option<TokenTrouble>) -> Result<Answer, Answer> {
    let proved = prove(&state.oauth, asked)?;
    let grant = proved.form.get("grant_type").ok_or_else(invalid_request)?;
    let grant = GrantType::parse(grant).ok_or_else(|| refusal("unsupported_grant_type"))?;
    if !proved.client.platform.offers(grant) {
        return Err(unauthorized_client());
    }
    let terms = terms(state, trouble);
    let texts = Texts::new().ok_or_else(|| server_error(StatusCode::INTERNAL_SERVER_ERROR))?;
    let tokens = match grant {
        GrantType::ClientCredentials => for_the_app_itself(state, &proved, texts, &terms)?,
        GrantType::AuthorizationCode => for_a_code(state, &proved, texts, &terms)?,
        GrantType::RefreshToken => for_a_refresh_token(state, &proved, texts, &terms)?,
    };
    let stated = stated_life(&tokens, trouble);
    Ok(Answer::ok(&body(&tokens, stated)))
}

fn terms(state: &State, trouble: Option<TokenTrouble>) -> Terms {
    let terms = state.oauth.terms(&state.switches.lasting());
    match trouble {
        Some(TokenTrouble::Only(scope)) => Terms {
            only: Some(scope),
            ..terms
        },
        Some(TokenTrouble::NoRefreshToken) => Terms {
            rotate: false,
            ..terms
        },
        _ => terms,
    }
}

fn for_the_app_itself(
    state: &State,
    proved: &Proved<'_>,
    texts: Texts,
    terms: &Terms,
) -> Result<Tokens, Answer> {
    let client = proved.client;
    let granted = client
        .granted(proved.form.get("scope"))
        .ok_or_else(invalid_scope)?;
    let granted = match terms.only {
        Some(only) => granted.narrowed_to(only),
        None => granted,
    };
    let bearer = Bearer {
        client: proved.place,
        scopes: granted.scopes.clone(),
        user_context: client.user_context,
    };
    let mut issued = state.oauth.issued();
    issued.admit(texts.access.clone(), bearer, terms.life);
    Ok(Tokens {
        access: texts.access,
        refresh: None,
        life: terms.life,
        granted,
    })
}

fn for_a_code(
    state: &State,
    proved: &Proved<'_>,
    texts: Texts,
    terms: &Terms,
) -> Result<Tokens, Answer> {
    let form = &proved.form;
    let code = form.get("code").ok_or_else(invalid_request)?;
    let redemption = Redemption {
        client: proved.place,
        redirect: form.get("redirect_uri").ok_or_else(invalid_request)?,
        verifier: form.get("code_verifier"),
    };
    let mut issued = state.oauth.issued();
    issued
        .redeem(code, &redemption, texts, terms)
        .ok_or_else(invalid_token)
}

fn for_a_refresh_token(
    state: &State,
    proved: &Proved<'_>,
    texts: Texts,
    terms: &Terms,
) -> Result<Tokens, Answer> {
    let form = &proved.form;
    let refresh = form.get("refresh_token").ok_or_else(invalid_request)?;
    let mut issued = state.oauth.issued();
    issued
        .rotate(refresh, proved.place, form.get("scope"), texts, terms)
        .map_err(|not_rotated| match not_rotated {
            NotRotated::Dead => invalid_token(),
            NotRotated::Scope => invalid_scope(),
        })
}

/// What `expires_in` says, if it is there.
fn stated_life(tokens: &Tokens, trouble: Option<TokenTrouble>) -> Option<Value> {
    let seconds = tokens.life.as_secs();
    match trouble {
        Some(TokenTrouble::Life(StatedLife::Seconds(seconds))) => Some(json!(seconds)),
        Some(TokenTrouble::Life(StatedLife::Text)) => Some(json!(seconds.to_string())),
        Some(TokenTrouble::Life(StatedLife::Absent)) => None,
        _ => Some(json!(seconds)),
    }
}

/// RFC 6749 section 5.1, with the members in NinjaOne's order.
pub(super) fn body(tokens: &Tokens, life: Option<Value>) -> Value {
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
