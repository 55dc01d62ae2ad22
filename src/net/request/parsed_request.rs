//! What a protocol makes of a request's bytes, before anything is checked that does not depend on the protocol.

use http::uri::{Authority, PathAndQuery};

use crate::net::{body::incoming_body::IncomingBody, method::Method};

use super::{
    headers::{HeaderError, RequestHeaders},
    request_error::RequestError,
};

/// Longest part of a refused path or host that is recorded, in bytes.
const RECORDED_TEXT_BYTES_MAX: usize = 256;

/// The start of a refused path or host as it is recorded: printable ASCII, with `?` for any other byte.
pub(in crate::net) fn recorded_text(text: &[u8]) -> Box<str> {
    text.iter()
        .take(RECORDED_TEXT_BYTES_MAX)
        .map(|byte| {
            if byte.is_ascii_graphic() {
                char::from(*byte)
            } else {
                '?'
            }
        })
        .collect()
}

/// Longest part of a refused method that is shown, in bytes.
const SHOWN_METHOD_BYTES_MAX: usize = 32;

/// The start of a method that is none of ours as it is shown to whoever sent it; none if there is nothing to show.
pub(in crate::net) fn shown_method(method: &[u8]) -> Option<Box<str>> {
    let start = method.get(..SHOWN_METHOD_BYTES_MAX).unwrap_or(method);
    (!start.is_empty()).then(|| recorded_text(start))
}

/// What a protocol made of the bytes: a head and a body, or neither.
pub type ParsedRequest = Result<(RequestHead, IncomingBody), RequestParseError>;

/// A request's head, parsed but not checked.
pub struct RequestHead {
    /// None: an unknown one.
    pub method: Option<Method>,
    /// As sent; not parsed yet.
    pub target: PathAndQuery,
    /// HTTP/2's `:authority`.
    pub authority: Option<Authority>,
    /// Sorted by what they are for.
    pub headers: Result<RequestHeaders, HeaderError>,
    /// The head's size as HTTP/1.1 writes it.
    pub head_bytes: usize,
}

/// Malformed bytes, or a request that must not be read further. Over HTTP/1.1 the connection ends.
pub struct RequestParseError {
    /// If that could be told.
    pub method: Option<Method>,
    /// A method that is none of ours: at most 32 bytes, printable ASCII only.
    pub unknown_method: Option<Box<str>>,
    /// What stood in the request line's path, if that could be told.
    pub path: Box<str>,
    /// The first error.
    pub error: RequestError,
}
