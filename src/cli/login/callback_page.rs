//! The pages that the browser shows after the redirect: fixed texts, with nothing from the request.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};

/// Where our page posts the fragment, which browsers do not send.
pub(super) const FRAGMENT_PATH: &str = "/.ninjaone-proxy/fragment";

/// Reads the fragment, removes it from the address bar and the history, and posts it to us.
const SCRIPT: &str = r#"(function(){
var text=location.hash.slice(1),shown=document.getElementById("shown");
history.replaceState(null,"",location.pathname);
function say(it){shown.textContent=it}
if(!text){say("This address holds no login. This window can be closed.");return}
fetch("/.ninjaone-proxy/fragment",{method:"POST",credentials:"omit",body:text}).then(
function(answer){say(answer.ok?"The login has arrived: the terminal says how it ended. This window can be closed.":"This is not the login that the proxy is waiting for. Look at the terminal.")},
function(){say("Nobody waits for this login any more. Look at the terminal.")})
})()"#;

/// Removes the code from the address bar and the history. It has been used by then, but is still private.
const CLEAR: &str = r#"history.replaceState(null,"",location.pathname)"#;

const STYLE: &str = "body{font:1.1em/1.5 system-ui,sans-serif;max-width:34em;margin:18vh auto;padding:0 1.5em;color:#1d2733;background:#f6f7f9}h1{font-size:1.3em}";

const BASE_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallbackPage {
    Received,
    /// NinjaOne or the user refused.
    Denied,
    /// The request does not belong to this login.
    Rejected,
    FragmentScript,
}

impl CallbackPage {
    const fn message(self) -> &'static str {
        match self {
            Self::Received => {
                "The login has arrived: the terminal says how it ended. This window can be closed."
            }
            Self::Denied => {
                "NinjaOne did not allow the login: the terminal says why. This window can be closed."
            }
            Self::Rejected => {
                "This is not the login that the proxy is waiting for. Look at the terminal."
            }
            Self::FragmentScript => "One moment.",
        }
    }

    const fn script(self) -> Option<&'static str> {
        match self {
            Self::Received | Self::Denied => Some(CLEAR),
            Self::Rejected => None,
            Self::FragmentScript => Some(SCRIPT),
        }
    }

    /// The content security policy: only what is in the page may run or be shown.
    fn content_security_policy(self) -> String {
        let mut policy = format!("{BASE_POLICY}; style-src {}", source(STYLE));
        if let Some(script) = self.script() {
            policy.push_str("; script-src ");
            policy.push_str(&source(script));
        }
        if self == Self::FragmentScript {
            policy.push_str("; connect-src 'self'");
        }
        policy
    }
}

fn source(text: &str) -> String {
    let hash = BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!("'sha256-{hash}'")
}

pub(super) fn response(status: StatusCode, page: CallbackPage) -> Response<Bytes> {
    let html = html(page);
    let mut response = Response::new(Bytes::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Used if the policy below were not a valid header value, which it always is.
        (CONTENT_SECURITY_POLICY, BASE_POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&page.content_security_policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn html(page: CallbackPage) -> String {
    let sentence = page.message();
    let script = page.script();
    let script = script.map_or_else(String::new, |it| format!("<script>{it}</script>"));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>ninjaone-proxy</title><style>{STYLE}</style></head>\n\
         <body><h1>ninjaone-proxy</h1><p id=\"shown\">{sentence}</p>{script}</body></html>\n"
    )
}
