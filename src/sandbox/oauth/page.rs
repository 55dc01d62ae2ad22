//! The pages that a user sees: plain forms without scripts, every text escaped.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
};

use crate::{net::url, ninjaone::paths::AUTHORIZE_PATH, sandbox::response::SandboxResponse};

use super::granted_scopes::GrantedScopes;

const HTML: HeaderValue = HeaderValue::from_static("text/html;charset=utf-8");

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:32em;margin:4em auto;padding:0 1em}\
                     button{font:inherit;padding:.4em 1.6em;margin-right:1em}";

const HARDENED: [(HeaderName, &str); 3] = [
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// What the consent page asks the user.
pub(super) struct ConsentPrompt<'a> {
    pub(super) app: &'a str,
    pub(super) granted: &'a GrantedScopes,
    /// Where the browser is redirected to afterwards.
    pub(super) redirect: &'a str,
    /// The request's parameters, posted back with the decision.
    pub(super) carried: &'a [(&'a str, &'a str)],
    /// The values of `decision`.
    pub(super) allow: &'a str,
    pub(super) deny: &'a str,
}

pub(super) fn consent(prompt: &ConsentPrompt<'_>) -> SandboxResponse {
    let app = escaped(prompt.app);
    let scopes = prompt.granted.to_string();
    let scopes: Vec<String> = scopes.split(' ').map(scope_line).collect();
    let scopes = scopes.concat();
    let carried: Vec<String> = prompt.carried.iter().map(hidden_field).collect();
    let carried = carried.concat();
    let (allow, deny) = (prompt.allow, prompt.deny);
    let inside = format!(
        "<h1>Allow {app}?</h1>\n\
         <p>The app <strong>{app}</strong> asks to act for you in a make-believe NinjaOne, with these scopes:</p>\n\
         <ul>\n{scopes}</ul>\n\
         <form method=\"post\" action=\"{AUTHORIZE_PATH}\">\n{carried}\
         <button type=\"submit\" name=\"decision\" value=\"{allow}\">Allow</button>\n\
         <button type=\"submit\" name=\"decision\" value=\"{deny}\">Deny</button>\n\
         </form>"
    );
    page(
        StatusCode::OK,
        "Allow an app",
        &inside,
        origin_of(prompt.redirect),
    )
}

fn scope_line(scope: &str) -> String {
    format!("<li>{}</li>\n", escaped(scope))
}

fn hidden_field((name, value): &(&str, &str)) -> String {
    let (name, value) = (escaped(name), escaped(value));
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n")
}

pub(super) fn error(error: &str, description: &str) -> SandboxResponse {
    let inside = format!(
        "<h1>This did not work</h1>\n<p>{}</p>\n<p>{}</p>",
        escaped(error),
        escaped(description)
    );
    page(StatusCode::BAD_REQUEST, "Error", &inside, None)
}

fn page(
    status: StatusCode,
    title: &str,
    inside: &str,
    form_target: Option<&str>,
) -> SandboxResponse {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body>\n{inside}\n</body></html>\n"
    );
    let mut response = SandboxResponse::bytes(status, HTML, html.into());
    for (name, value) in HARDENED {
        response = response.with(name, HeaderValue::from_static(value));
    }
    match HeaderValue::from_str(&content_policy(form_target)) {
        Ok(policy) => response.with(CONTENT_SECURITY_POLICY, policy),
        Err(_) => response,
    }
}

/// Browsers apply `form-action` to the redirect that follows a form too, so the app's own origin is allowed there.
fn content_policy(form_target: Option<&str>) -> String {
    let style = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let form_target = form_target.unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self' {form_target}; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

/// `https://host:port` of an address; none if it could be read as anything but one source of the policy.
fn origin_of(address: &str) -> Option<&str> {
    let origin = url::origin(address)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.:/[]".contains(&byte);
    origin.bytes().all(is_plain).then_some(origin)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
