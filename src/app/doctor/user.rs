//! Checks the user identity: what must be registered in NinjaOne, and whether a login would be accepted.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use tokio::time::timeout;

use crate::{
    app::wiring::authorization_params,
    config::{Platform, UserIdentity},
    credentials::login::authorization::AuthorizationRequest,
    net::client::{endpoint::Endpoint, exchange::exchange, exchange_error::ExchangeError},
    ninjaone::paths::AUTHORIZE_ERROR_PATH,
};

use super::{
    check::{CheckName, DoctorCheck},
    service::wrong_region,
};

/// Timeout of the login page, including discovery.
const AUTHORIZE_TIMEOUT_MS: u64 = 8_000;

/// In the redirect URI of a Native application whose port is free to choose.
const ANY_PORT: u16 = 6468;

/// Longest login page that is read, in bytes; only its start counts.
const PAGE_BYTES_MAX: usize = 4 << 20;

pub(super) fn redirect(identity: &UserIdentity) -> DoctorCheck {
    let name = CheckName::Redirect;
    let text = &identity.redirect.uri;
    if identity.platform == Platform::Native {
        let rule = "NinjaOne accepts http://127.0.0.1 with any port for every Native application";
        let is_any = identity.redirect.loopback.is_some_and(|it| it.port() == 0);
        let seen = if is_any {
            let path = &identity.redirect.path;
            format!(
                "http://127.0.0.1:PORT{path}, where PORT is one that is free at each login: {rule}"
            )
        } else {
            format!("{text}: {rule}")
        };
        return DoctorCheck::ok(name, seen);
    }
    let exact = format!("must be registered in NinjaOne to the letter: {text}");
    let (_, after_scheme) = text.split_once("://").unwrap_or_default();
    if after_scheme.contains('/') && !text.ends_with('/') {
        return DoctorCheck::ok(name, exact);
    }
    let ends = if text.ends_with('/') {
        "ends with a slash"
    } else {
        "has no path, and browsers and forms like to add a slash"
    };
    DoctorCheck::warning(
        name,
        format!("{exact} ({ends})"),
        "Compare the last character with what NinjaOne shows: with and without a slash are two addresses. A path such as /callback avoids the trap.",
    )
}

/// Requests the login page as `login` would, without logging in.
pub(super) async fn authorize(endpoint: &Endpoint, identity: &UserIdentity) -> DoctorCheck {
    let asked = request_authorize_page(endpoint, identity);
    let response = timeout(Duration::from_millis(AUTHORIZE_TIMEOUT_MS), asked).await;
    match response {
        Ok(Ok(response)) => check_authorize_page(endpoint, identity, &response),
        Ok(Err(error)) => no_response(&error.to_string()),
        Err(_) => no_response("it took too long"),
    }
}

fn no_response(why: &str) -> DoctorCheck {
    DoctorCheck::warning(
        CheckName::Authorize,
        format!("NinjaOne's login page does not answer: {why}"),
        "Try again; see the checks of the host above.",
    )
}

async fn request_authorize_page(
    endpoint: &Endpoint,
    identity: &UserIdentity,
) -> Result<Response<Bytes>, ExchangeError> {
    // Where each login takes a free port, NinjaOne accepts any.
    let params = authorization_params(endpoint, identity).with_port(ANY_PORT);
    let begun = AuthorizationRequest::begin(params)
        .await
        .map_err(|_| ExchangeError::NotHttp)?;
    let origin = endpoint.origin();
    let target = begun.url().strip_prefix(&origin).unwrap_or_default();
    let request = Request::get(target)
        .body(Bytes::new())
        .map_err(|_| ExchangeError::NotHttp)?;
    let time_out = Duration::from_millis(AUTHORIZE_TIMEOUT_MS);
    exchange(endpoint, request, PAGE_BYTES_MAX, time_out).await
}

fn check_authorize_page(
    endpoint: &Endpoint,
    identity: &UserIdentity,
    response: &Response<Bytes>,
) -> DoctorCheck {
    let name = CheckName::Authorize;
    let (host, status) = (endpoint.authority(), response.status());
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let redirect = authorization_params(endpoint, identity)
        .with_port(ANY_PORT)
        .redirect_uri;
    if status.as_u16() == 404 {
        return DoctorCheck::failed(
            name,
            format!(
                "{host} has no login page for this client id (404): it is unknown there, or the application is of the platform API Services, which nobody logs in to"
            ),
            format!(
                "Use an application of the platform Web, Native or Single Page. {}",
                wrong_region(endpoint)
            ),
        );
    }
    if status.is_redirection() && location.contains(AUTHORIZE_ERROR_PATH) {
        return redirect_rejected(&redirect, &error_from_location(location));
    }
    if status.is_redirection() && location.starts_with(redirect.as_str()) {
        return match error_from_location(location).as_str() {
            "" => DoctorCheck::ok(
                name,
                format!("{host} accepts the client id and the redirect"),
            ),
            "invalid_scope" => DoctorCheck::failed(
                name,
                format!(
                    "{host} refuses the scopes {} (invalid_scope)",
                    identity.scopes.join(" ")
                ),
                "Tick them on the application (Administration, Apps, API), with Refresh Token for offline_access, or take them out of the user's scopes.",
            ),
            error => DoctorCheck::failed(
                name,
                format!("{host} refuses the login: {error}"),
                "Check the platform and the grant types of the application in NinjaOne: authorization code, and refresh token.",
            ),
        };
    }
    if status.is_success() || status.is_redirection() {
        return DoctorCheck::ok(
            name,
            format!("{host} shows its login page for this client id and redirect"),
        );
    }
    no_response(&format!("status {}", status.as_u16()))
}

/// NinjaOne's own error page: it cannot redirect the browser back.
fn redirect_rejected(redirect: &str, error: &str) -> DoctorCheck {
    DoctorCheck::failed(
        CheckName::Authorize,
        format!("NinjaOne refuses the redirect ({error}): {redirect} is not registered exactly so"),
        format!(
            "Register {redirect} to the letter (Administration, Apps, API), down to the last slash; a Native application takes http://127.0.0.1:PORT only, never localhost. After a change NinjaOne may remember the old one for about an hour."
        ),
    )
}

/// The error in a redirect's address, safe to print.
fn error_from_location(location: &str) -> String {
    const SAID_CHARS_MAX: usize = 100;
    let at = location
        .find(['?', '#'])
        .map_or(location.len(), |it| it + 1);
    let query = location.get(at..).unwrap_or_default();
    let value = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
    };
    let error = value("error").unwrap_or_default();
    let description = value("error_description").map_or_else(String::new, |it| format!(": {it}"));
    format!("{error}{description}")
        .chars()
        .take(SAID_CHARS_MAX)
        .collect()
}
