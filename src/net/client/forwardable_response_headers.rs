//! Which headers and statuses of NinjaOne's responses may reach a caller. An allow-list: a header that nobody thought of does
//! not pass. Request headers: `net/request/headers.rs`.

use std::ops::RangeInclusive;

use http::{HeaderMap, HeaderName, header};

use crate::net::response::ResponseHeaders;

/// The status codes that HTTP defines classes for: a response with another one is malformed (RFC 9110 section 15).
pub const VALID_STATUS_CODES: RangeInclusive<u16> = 100..=599;

/// NinjaOne's id of a request, for its support.
pub const NINJAONE_REQUEST_ID: HeaderName = HeaderName::from_static("x-nj-request-id");

/// The table of response headers that may reach a caller. The longest name bounds what is looked up, so that none can be left out
/// by being longer.
macro_rules! response_headers {
    ($($name:literal => $header:expr,)*) => {
        /// The longest name in the table, in bytes.
        const RESPONSE_NAME_BYTES_MAX: usize = {
            let mut longest = 0;
            $(if $name.len() > longest {
                longest = $name.len();
            })*
            longest
        };

        fn header_of(lower: &[u8]) -> Option<HeaderName> {
            Some(match lower {
                $($name => $header,)*
                _ => return None,
            })
        }
    };
}

// What is not here is dropped: cookies; what speaks to browsers or of NinjaOne's servers (`refresh`, `strict-transport-security`,
// `access-control-…`, `server`, `alt-svc`); `www-authenticate`, because a 401 of NinjaOne's is no caller's; `trailer`, because
// trailers end here; `connection` and what it names. Nothing of that changes what a response means. `transfer-encoding` is read
// by the framing, which refuses what it does not know.
response_headers! {
    // What the body is.
    b"content-type" => header::CONTENT_TYPE,
    b"content-length" => header::CONTENT_LENGTH,
    b"content-disposition" => header::CONTENT_DISPOSITION,
    b"content-encoding" => header::CONTENT_ENCODING,
    b"content-language" => header::CONTENT_LANGUAGE,
    // Which part of it a 206 holds (RFC 9110 section 15.3.7), and that parts may be had.
    b"content-range" => header::CONTENT_RANGE,
    b"accept-ranges" => header::ACCEPT_RANGES,
    // For conditions, and how long and for which requests a cache may keep it.
    b"etag" => header::ETAG,
    b"last-modified" => header::LAST_MODIFIED,
    b"cache-control" => header::CACHE_CONTROL,
    b"expires" => header::EXPIRES,
    b"age" => header::AGE,
    b"vary" => header::VARY,
    b"date" => header::DATE,
    // Where to go on: references to NinjaOne itself are rewritten by `upstream`.
    b"location" => header::LOCATION,
    b"link" => header::LINK,
    // When to come back, and which methods a 405 would take (RFC 9110 section 15.5.6).
    b"retry-after" => header::RETRY_AFTER,
    b"allow" => header::ALLOW,
    b"x-nj-request-id" => NINJAONE_REQUEST_ID,
}

/// The name of a response header, if it may reach a caller. Any letter case (RFC 9110 section 5.1).
#[must_use]
pub fn forwardable_response_header(name: &str) -> Option<HeaderName> {
    let mut lower = [0; RESPONSE_NAME_BYTES_MAX];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    header_of(lower)
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
