//! Parses a request's head off the front of what a caller sent. What two readers could frame differently is refused
//! (RFC 9112 sections 2.2, 3 and 6).

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, uri::PathAndQuery};

use crate::net::{
    http1::framing::{self, Framing},
    method::Method,
    request::{
        headers::{HEADERS_MAX, HeaderError, RequestHeaderKind, RequestHeadersBuilder},
        incoming_request::{RequestError, RequestHead, RequestParseError},
        origin_form::check_origin_form,
        target::{TARGET_BYTES_MAX, TargetError},
    },
};

/// A request's head, and how its connection goes on.
pub struct Http1RequestHead {
    /// What does not depend on the protocol.
    pub head: RequestHead,
    /// How the body is framed.
    pub framing: Framing,
    /// The caller waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1).
    pub expects_continue: bool,
    /// Another request may follow on this connection.
    pub keep_alive: bool,
    /// The caller speaks HTTP/1.1, not 1.0: it understands chunks.
    pub is_http11: bool,
}

type HeaderSlots<'bytes> = [MaybeUninit<httparse::Header<'bytes>>; HEADERS_MAX];

/// The length of the head at the front of `buffer`, its empty line included; none while it is incomplete. `looked_at` bytes
/// were searched before. Lines that end with a bare LF are found too, to be refused at once.
#[must_use]
pub fn find_end(buffer: &[u8], looked_at: usize) -> Option<usize> {
    // The bytes that were searched last may be half of what is sought.
    let from = looked_at.saturating_sub(2);
    let searched = buffer.get(from..)?;
    memchr::memchr_iter(b'\n', searched).find_map(|at| {
        let more = match searched.get(at + 1..)? {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return None,
        };
        Some(from + at + 1 + more)
    })
}

/// Checks whether an incomplete head can still become a valid one.
///
/// # Errors
/// It cannot.
pub fn check_partial(part: &[u8]) -> Result<(), RequestParseError> {
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    match parse(part, &mut request, &mut lines) {
        Ok(_) => Ok(()),
        Err(why) => Err(parse_error(&request, why)),
    }
}

/// Parses a complete head.
///
/// # Errors
/// When it is malformed, or could be read in two ways.
pub fn parse_head(bytes: &Bytes) -> Result<Http1RequestHead, RequestParseError> {
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let read = parse(bytes, &mut request, &mut lines).and_then(|parsed| match parsed {
        httparse::Status::Complete(length) if length == bytes.len() => {
            from_httparse(bytes, &request)
        }
        // The parser sees another end of the head than we do.
        _ => Err(RequestError::NotHttp),
    });
    read.map_err(|why| parse_error(&request, why))
}

/// The error for a head that is longer than allowed, with what could be read of it.
#[must_use]
pub fn too_large_error(part: &[u8]) -> RequestParseError {
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    // What it makes of the lines does not matter.
    let _ = parse(part, &mut request, &mut lines);
    let why = match (request.method, request.path) {
        (None, _) => RequestError::NotHttp,
        (Some(_), None) => TargetError::TooLong.into(),
        (Some(_), Some(path)) if path.len() > TARGET_BYTES_MAX => TargetError::TooLong.into(),
        (Some(_), Some(_)) => RequestError::HeadTooLarge,
    };
    parse_error(&request, why)
}

/// The error for an incomplete head whose memory is needed, with what could be read of it.
#[must_use]
pub fn incomplete_error(part: &[u8]) -> RequestParseError {
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    // What it makes of the lines does not matter.
    let _ = parse(part, &mut request, &mut lines);
    parse_error(&request, RequestError::HeadUnfinished)
}

/// Takes `length` bytes off the front of `buffer`.
pub fn split_head(buffer: &mut BytesMut, length: usize) -> Bytes {
    if buffer.len() == length {
        // Nothing stays: the head's memory is not shared with what comes next.
        std::mem::take(buffer).freeze()
    } else {
        buffer.split_to(length).freeze()
    }
}

fn parse<'lines, 'bytes>(
    bytes: &'bytes [u8],
    request: &mut httparse::Request<'lines, 'bytes>,
    lines: &'lines mut HeaderSlots<'bytes>,
) -> Result<httparse::Status<usize>, RequestError> {
    // The parser would pass over empty lines of any kind.
    if matches!(bytes.first(), Some(b'\r' | b'\n')) {
        return Err(RequestError::NotHttp);
    }
    httparse::ParserConfig::default()
        .parse_request_with_uninit_headers(request, bytes, lines)
        .map_err(|error| match error {
            httparse::Error::TooManyHeaders => HeaderError::TooMany.into(),
            _ => RequestError::NotHttp,
        })
}

fn from_httparse(
    bytes: &Bytes,
    request: &httparse::Request<'_, '_>,
) -> Result<Http1RequestHead, RequestError> {
    if !framing::ends_lines_with_crlf(bytes, request.headers.len()) {
        return Err(RequestError::NotHttp);
    }
    let method = Method::parse(request.method.unwrap_or_default()).ok_or(RequestError::Method)?;
    let target = parse_target(bytes, request.path.unwrap_or_default())?;
    let is_http11 = request.version == Some(1);
    let (mut said, mut sorting, mut refused) = (
        RequestFramingHeaders::default(),
        RequestHeadersBuilder::default(),
        None,
    );
    for line in request.headers.iter() {
        let Some(purpose) = RequestHeaderKind::from_name(line.name) else {
            continue;
        };
        said.add(&purpose, line.value)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value))
            .map_err(|_| RequestError::NotHttp)?;
        if refused.is_none() {
            refused = sorting.add(purpose, value).err();
        }
    }
    Ok(Http1RequestHead {
        framing: said.framing(is_http11)?,
        // RFC 9110 section 10.1.1: who speaks HTTP/1.0 does not know the sign.
        expects_continue: is_http11 && said.expects_continue,
        keep_alive: is_http11 && !said.connection_close,
        is_http11,
        head: RequestHead {
            method: Some(method),
            target,
            authority: None,
            headers: refused.map_or_else(|| Ok(sorting.build()), Err),
            head_bytes: bytes.len(),
        },
    })
}

/// RFC 9112 section 3.2: only the origin form is answered here. The rest is left to `Target`.
fn parse_target(bytes: &Bytes, received: &str) -> Result<PathAndQuery, RequestError> {
    check_origin_form(received.as_bytes())?;
    PathAndQuery::from_maybe_shared(bytes.slice_ref(received.as_bytes()))
        .map_err(|_| TargetError::PathCharacter.into())
}

fn parse_error(request: &httparse::Request<'_, '_>, why: RequestError) -> RequestParseError {
    let target = request.path.unwrap_or_default();
    let path = target.split(['?', '#']).next().unwrap_or_default();
    RequestParseError {
        method: request.method.and_then(Method::parse),
        path: path.into(),
        error: why,
    }
}

/// What the header lines say about the message's framing and its connection.
#[derive(Default)]
struct RequestFramingHeaders {
    length: Option<u64>,
    chunked: bool,
    connection_close: bool,
    expects_continue: bool,
}

impl RequestFramingHeaders {
    fn add(&mut self, purpose: &RequestHeaderKind, value: &[u8]) -> Result<(), RequestError> {
        match purpose {
            RequestHeaderKind::ContentLength => {
                let length = framing::parse_decimal(value).ok_or(HeaderError::Framing)?;
                if self.length.replace(length).is_some() {
                    return Err(HeaderError::Framing.into());
                }
            }
            RequestHeaderKind::TransferEncoding => {
                let again = std::mem::replace(&mut self.chunked, true);
                if again || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(HeaderError::Framing.into());
                }
            }
            RequestHeaderKind::Connection => {
                self.connection_close |= framing::has_close_option(value);
            }
            RequestHeaderKind::Expect => self.expects_continue = true,
            _ => {}
        }
        Ok(())
    }

    /// RFC 9112 section 6.1: both at once is how one request is hidden in another.
    fn framing(&self, is_http11: bool) -> Result<Framing, HeaderError> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(HeaderError::Framing),
            (None, true) if !is_http11 => Err(HeaderError::Framing),
            (None, true) => Ok(Framing::Chunked),
            (Some(0) | None, false) => Ok(Framing::None),
            (Some(length), false) => Ok(Framing::Length(length)),
        }
    }
}
