//! Headers: what a request brings is sorted into what we need and what may reach NinjaOne, and what an answer brings is
//! reduced to what may reach a caller. Allow-lists both ways: a header that nobody thought of
//! does not pass.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Evidence;

/// Most header lines in a request.
pub const HEADERS_MAX: usize = 64;
/// Longest `NJP-Reason` and `NJP-On-Behalf-Of`, in bytes.
pub const NOTE_BYTES_MAX: usize = 256;

/// Why a request's headers are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeaderError {
    #[error("there are more than {HEADERS_MAX} header lines")]
    TooMany,
    #[error("a header that may stand once stands twice")]
    Repeated,
    #[error("a header value has bytes that are not visible ASCII")]
    NotVisible,
    #[error("a header asks for another method than the request's")]
    MethodOverride,
    #[error("the request comes from a web page")]
    Browser,
    #[error("only 'Expect: 100-continue' is understood")]
    Expectation,
    #[error(
        "the body is framed otherwise than by 'Content-Length' or 'Transfer-Encoding: chunked'"
    )]
    Framing,
    #[error("NJP-Reason and NJP-On-Behalf-Of hold 1 to 256 bytes of printable text")]
    Note,
}

/// A request's headers, sorted.
#[derive(Default)]
pub struct Sorted {
    /// May reach NinjaOne.
    pub forwarded: Vec<(HeaderName, HeaderValue)>,
    pub evidence: Evidence,
    pub tenant: Option<Box<str>>,
    pub reason: Option<Box<str>>,
    pub on_behalf_of: Option<Box<str>>,
    pub host: Option<HeaderValue>,
    /// The map that they came in, empty: its room serves the request that goes on.
    pub emptied: HeaderMap,
}

/// # Errors
/// When a header is one that we refuse, or could be read in two ways.
pub fn sort_request(mut headers: HeaderMap) -> Result<Sorted, HeaderError> {
    if headers.len() > HEADERS_MAX {
        return Err(HeaderError::TooMany);
    }
    check_framing(&headers)?;
    let mut sorted = Sorted {
        forwarded: Vec::with_capacity(8),
        ..Sorted::default()
    };
    let mut hop_by_hop: Vec<HeaderValue> = Vec::new();
    let mut current = None;
    for (name, value) in headers.drain() {
        if name.is_some() {
            current = name;
        }
        if let Some(name) = &current {
            sort_one(&mut sorted, &mut hop_by_hop, name, value)?;
        }
    }
    // RFC 9110 section 7.6.1: what `Connection` names ends here, before anything of ours is added.
    for listed in &hop_by_hop {
        for name in listed.to_str().unwrap_or_default().split(',') {
            let name = name.trim();
            sorted
                .forwarded
                .retain(|(kept, _)| !kept.as_str().eq_ignore_ascii_case(name));
        }
    }
    sorted.emptied = headers;
    Ok(sorted)
}

/// RFC 9112 section 6.1: we decode no other encoding than `chunked`, and the library takes lists that end with it.
fn check_framing(headers: &HeaderMap) -> Result<(), HeaderError> {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(HeaderError::Framing),
    }
}

fn sort_one(
    sorted: &mut Sorted,
    hop_by_hop: &mut Vec<HeaderValue>,
    name: &HeaderName,
    value: HeaderValue,
) -> Result<(), HeaderError> {
    match name.as_str() {
        "host" => once(&mut sorted.host, value),
        "user-agent" | "content-type" | "if-none-match" | "if-modified-since" => {
            if sorted.forwarded.iter().any(|(kept, _)| kept == name) {
                return Err(HeaderError::Repeated);
            }
            forward(sorted, name, value)
        }
        "accept" | "accept-encoding" | "accept-language" => forward(sorted, name, value),
        "authorization" => once(&mut sorted.evidence.authorization, value),
        "x-api-key" => once(&mut sorted.evidence.api_key, value),
        "connection" => {
            hop_by_hop.push(value);
            Ok(())
        }
        "njp-tenant" => note(&mut sorted.tenant, &value),
        "njp-reason" => note(&mut sorted.reason, &value),
        "njp-on-behalf-of" => note(&mut sorted.on_behalf_of, &value),
        // A browser sends these without being asked, and a page cannot hold them back (Fetch standard, forbidden
        // request headers). No browser has business here: a rebound DNS name would make it somebody else's hand.
        "origin" => Err(HeaderError::Browser),
        "sec-fetch-site" if value.as_bytes() != b"none" => Err(HeaderError::Browser),
        "x-http-method-override" | "x-method-override" | "x-http-method" => {
            Err(HeaderError::MethodOverride)
        }
        "expect" if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(HeaderError::Expectation)
        }
        _ => Ok(()),
    }
}

fn once(place: &mut Option<HeaderValue>, value: HeaderValue) -> Result<(), HeaderError> {
    if place.is_some() {
        return Err(HeaderError::Repeated);
    }
    *place = Some(value);
    Ok(())
}

fn forward(sorted: &mut Sorted, name: &HeaderName, value: HeaderValue) -> Result<(), HeaderError> {
    if value.to_str().is_err() {
        return Err(HeaderError::NotVisible);
    }
    sorted.forwarded.push((name.clone(), value));
    Ok(())
}

fn note(place: &mut Option<Box<str>>, value: &HeaderValue) -> Result<(), HeaderError> {
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| HeaderError::Note)?
        .trim();
    if place.is_some() {
        return Err(HeaderError::Repeated);
    }
    if text.is_empty() || text.len() > NOTE_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(HeaderError::Note);
    }
    *place = Some(text.into());
    Ok(())
}

pub const NINJAONE_REQUEST_ID: HeaderName = HeaderName::from_static("x-nj-request-id");

/// The longest name in [`answer_name`], in bytes.
const ANSWER_NAME_BYTES_MAX: usize = "content-disposition".len();

/// The name of a response header of NinjaOne's, if it may reach a caller.
#[must_use]
pub fn answer_name(name: &str) -> Option<HeaderName> {
    let mut lower = [0; ANSWER_NAME_BYTES_MAX];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"content-type" => header::CONTENT_TYPE,
        b"content-length" => header::CONTENT_LENGTH,
        b"content-disposition" => header::CONTENT_DISPOSITION,
        b"content-encoding" => header::CONTENT_ENCODING,
        b"content-language" => header::CONTENT_LANGUAGE,
        b"etag" => header::ETAG,
        b"last-modified" => header::LAST_MODIFIED,
        b"cache-control" => header::CACHE_CONTROL,
        b"date" => header::DATE,
        b"location" => header::LOCATION,
        b"retry-after" => header::RETRY_AFTER,
        b"x-nj-request-id" => NINJAONE_REQUEST_ID,
        _ => return None,
    })
}

/// Reduces NinjaOne's response headers to those that may reach a caller. The map stays the same, and so does its room.
///
/// `content-length` stays only because the body is passed on unchanged; the server frames it anew.
#[must_use]
pub fn sort_answer(mut headers: HeaderMap) -> HeaderMap {
    let mut kept: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(8);
    let mut current = None;
    for (name, value) in headers.drain() {
        if let Some(name) = name {
            current = answer_name(name.as_str());
        }
        if let Some(name) = &current {
            kept.push((name.clone(), value));
        }
    }
    for (name, value) in kept {
        headers.append(name, value);
    }
    headers
}
