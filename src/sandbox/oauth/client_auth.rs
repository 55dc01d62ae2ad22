//! Client authentication: which application a form comes from, and whether it proves that.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION, header::CONTENT_TYPE};

use crate::{
    sandbox::{
        form_pairs::{FormPairs, decode},
        received_request::SandboxRequest,
        response::SandboxResponse,
    },
    secret::Secret,
};

use super::{
    OAuthServer,
    clients::Client,
    responses::{invalid_client, invalid_request, no_such_client},
};

const FORM: &str = "application/x-www-form-urlencoded";

/// A form, and the authenticated client that sent it.
pub(super) struct AuthenticatedForm<'a> {
    pub(super) client_index: usize,
    pub(super) client: &'a Client,
    pub(super) form: FormPairs,
}

/// The body as a form; `None` if it does not claim to be one.
pub(super) fn form(request: &SandboxRequest) -> Option<FormPairs> {
    let text = std::str::from_utf8(&request.body).ok()?;
    is_form(&request.headers).then(|| FormPairs::parse(text))
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().starts_with(FORM))
}

/// RFC 6749 section 2.3.1: either Basic with form-encoded parts, or both values in the form. A client without a
/// secret sends its id alone.
pub(super) fn authenticate_client<'a>(
    oauth: &'a OAuthServer,
    request: &SandboxRequest,
) -> Result<AuthenticatedForm<'a>, SandboxResponse> {
    let form = form(request).ok_or_else(invalid_request)?;
    let (id, secret) = match request.headers.get(AUTHORIZATION) {
        Some(_) if form.get("client_secret").is_some() => return Err(invalid_request()),
        Some(header) => basic(header).ok_or_else(invalid_client)?,
        None => (
            form.get("client_id")
                .ok_or_else(invalid_request)?
                .to_owned(),
            form.get("client_secret").unwrap_or_default().to_owned(),
        ),
    };
    let (client_index, client) = oauth.client(&id).ok_or_else(no_such_client)?;
    if !client.authenticates_with(&Secret::new(secret)) {
        return Err(invalid_client());
    }
    Ok(AuthenticatedForm {
        client_index,
        client,
        form,
    })
}

fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((decode(id), decode(secret)))
}
