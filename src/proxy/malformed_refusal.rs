//! The wording of refusals of malformed requests, and of those that are not for us: before anybody is known.

use crate::net::{
    Method,
    request::{
        headers::HeaderError, incoming_request::Malformed, request_error::RequestError,
        target::TargetError,
    },
};

use super::{error_code::ErrorCode, hint::Hint, refusal::Refusal};

/// Of bytes that are no request, or one that could be read in two ways.
#[must_use]
pub(crate) fn malformed(it: &Malformed) -> Refusal {
    let mut refusal = Refusal::new(code(it.error), detail(it));
    refusal.error = Some(it.error.as_str());
    match hint(it) {
        Some(hint) => refusal.with_hint(hint),
        None => refusal,
    }
}

fn code(error: RequestError) -> ErrorCode {
    match error {
        RequestError::Target(TargetError::TooLong) => ErrorCode::TargetTooLong,
        RequestError::Target(TargetError::MethodOverride)
        | RequestError::Header(HeaderError::MethodOverride)
        | RequestError::Method => ErrorCode::MethodRefused,
        RequestError::Header(HeaderError::Browser) => ErrorCode::BrowserRefused,
        RequestError::Header(HeaderError::TooMany)
        | RequestError::HeadTooLarge
        | RequestError::HeadUnfinished => ErrorCode::HeadTooLarge,
        RequestError::Header(HeaderError::Expectation) => ErrorCode::ExpectationFailed,
        RequestError::MisdirectedHost => ErrorCode::HostRefused,
        RequestError::BodyTooLarge => ErrorCode::BodyTooLarge,
        RequestError::EncodedBody => ErrorCode::EncodingRefused,
        RequestError::Target(_)
        | RequestError::Header(_)
        | RequestError::Host
        | RequestError::UnexpectedBody
        | RequestError::PseudoHeader
        | RequestError::Scheme
        | RequestError::AbsoluteForm
        | RequestError::NotHttp => ErrorCode::BadRequest,
    }
}

/// What happened: with the host that is not ours, and with the sizes of what is too large.
fn detail(it: &Malformed) -> String {
    if let Some(host) = &it.host {
        return format!(
            "This proxy does not serve the host {host}; its operator can add it to listen.hosts."
        );
    }
    if let (RequestError::Method, Some(method)) = (it.error, &it.unknown_method) {
        return format!(
            "The method {method} is not one of GET, HEAD, POST, PUT, PATCH and DELETE."
        );
    }
    match (it.error, it.exceeded) {
        (RequestError::HeadTooLarge, Some(exceeded)) => {
            format!("The request's head (request line and headers) {exceeded}.")
        }
        (RequestError::Target(TargetError::TooLong), Some(exceeded)) => {
            format!("The request's target (path and query) {exceeded}.")
        }
        (RequestError::BodyTooLarge, Some(exceeded)) => format!("The body {exceeded}."),
        (error, _) => sentence(&error.to_string()),
    }
}

/// How to mend what people set up wrong most often.
fn hint(it: &Malformed) -> Option<Hint> {
    const NO_FORWARD_PROXY: &str = "This is a server, not a forward proxy: add its host to NO_PROXY, or unset 'http_proxy', 'HTTPS_PROXY' or curl's '-x'.";
    Some(match it.error {
        // A base URL and a path were put together.
        RequestError::Target(TargetError::EmptySegment(position))
            if it
                .path
                .get(usize::from(position.saturating_sub(1))..)
                .is_some_and(|it| it.starts_with("//v2/") || it.starts_with("//api/v2/")) =>
        {
            Hint::caller("The client's base URL probably ends with a slash: take it off.")
        }
        RequestError::Target(TargetError::TooLong) => {
            Hint::caller("Ask for less at a time: a shorter filter, or fewer ids.")
        }
        RequestError::AbsoluteForm => Hint::caller(NO_FORWARD_PROXY),
        // CONNECT names a host and a port.
        RequestError::Method if !it.path.starts_with('/') && it.path.contains(':') => {
            Hint::caller(NO_FORWARD_PROXY)
        }
        // RFC 9110 section 9.1: methods are case-sensitive.
        RequestError::Method
            if it
                .unknown_method
                .as_deref()
                .is_some_and(|it| Method::parse(&it.to_ascii_uppercase()).is_some()) =>
        {
            Hint::caller("Write the method in capitals.")
        }
        RequestError::Method => Hint::caller("Use GET, HEAD, POST, PUT, PATCH or DELETE."),
        RequestError::Target(TargetError::MethodOverride)
        | RequestError::Header(HeaderError::MethodOverride) => {
            Hint::caller("Send the method that is meant, and do not override it.")
        }
        RequestError::Header(HeaderError::Browser) => Hint::caller(
            "Call the proxy from a program or a script: a web page would show its key to whoever reads the page.",
        ),
        RequestError::Header(HeaderError::TooMany) => Hint::caller("Send fewer headers."),
        RequestError::Header(HeaderError::Expectation) => {
            Hint::caller("Send no 'Expect', or 'Expect: 100-continue'.")
        }
        RequestError::HeadTooLarge => Hint::either(
            "Send shorter headers.",
            "If such headers are meant, raise listen.max_header.",
        ),
        RequestError::HeadUnfinished => {
            Hint::caller("Send the request's head at once, or close connections that are not used.")
        }
        RequestError::MisdirectedHost => Hint::either(
            "Call this proxy by a host that it serves.",
            "See which hosts it serves: run 'ninjaone-proxy config show'.",
        ),
        RequestError::BodyTooLarge => Hint::either(
            "Send less in one request.",
            "If uploads of this length are meant, raise listen.max_upload.",
        ),
        RequestError::EncodedBody => Hint::caller("Send the body without 'Content-Encoding'."),
        RequestError::UnexpectedBody => Hint::caller("Send GET and HEAD without a body."),
        RequestError::Target(_)
        | RequestError::Header(_)
        | RequestError::Host
        | RequestError::PseudoHeader
        | RequestError::Scheme
        | RequestError::NotHttp => return None,
    })
}

/// Starts with a capital and ends with a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", chars.as_str())
}
