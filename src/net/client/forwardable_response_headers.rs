//! Which headers and statuses of NinjaOne's responses may reach a caller. An allow-list: a header that nobody thought of does
//! not pass. Request headers: `net/request/headers.rs`.

use std::ops::RangeInclusive;

use http::{HeaderMap, HeaderName, header};

use crate::net::response::ResponseHeaders;

/// The status codes that HTTP defines classes for: a response with another one is malformed (RFC 9110 section 15).
pub const VALID_STATUS_CODES: RangeInclusive<u16> = 100..=599;

/// NinjaOne's id of a request, for its support.
pub const NINJAONE_REQUEST_ID: HeaderName = HeaderName::from_static("x-nj-request-id");

/// The longest name in [`forwardable_response_header`], in bytes: raise it with a longer one, which would be dropped without a word.
const RESPONSE_NAME_BYTES_MAX: usize = "content-disposition".len();

/// The name of a response header, if it may reach a caller. Any letter case (RFC 9110 section 5.1).
#[must_use]
pub fn forwardable_response_header(name: &str) -> Option<HeaderName> {
    let mut lower = [0; RESPONSE_NAME_BYTES_MAX];
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

/// Reduces the headers of a response that came over HTTP/2 to those that may reach a caller.
///
/// `content-length` stays only because the body is passed on unchanged; the server frames it anew.
#[must_use]
pub fn filter_response_headers(headers: HeaderMap) -> ResponseHeaders {
    let mut kept = ResponseHeaders::default();
    let mut current = None;
    for (name, value) in headers {
        if let Some(name) = name {
            current = forwardable_response_header(name.as_str());
        }
        if let Some(name) = &current {
            kept.append(name.clone(), value);
        }
    }
    kept
}
