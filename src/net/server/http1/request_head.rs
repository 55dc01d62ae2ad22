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
        origin_form::check_origin_form,
        parsed_request::{RequestHead, RequestParseError, shown_method},
        request_error::RequestError,
        target::{TARGET_BYTES_MAX, TargetError, find_bad_character},
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

/// The length of the head at the front of `buffer`, its empty line included; none while it is incomplete. `scanned` bytes
/// were searched before. Lines that end with a bare LF are found too, to be refused at once.
#[must_use]
pub fn find_end(buffer: &[u8], scanned: usize) -> Option<usize> {
    // The bytes that were searched last may be half of what is sought.
    let from = scanned.saturating_sub(2);
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
        Err(error) => Err(parse_error(&request, error)),
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
    read.map_err(|error| parse_error(&request, error))
}

/// The error for a head that is longer than allowed, with what could be read of it.
#[must_use]
pub fn too_large_error(part: &[u8]) -> RequestParseError {
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    // What it makes of the lines does not matter.
    let _ = parse(part, &mut request, &mut lines);
    let error = match (request.method, request.path) {
        (None, _) => RequestError::NotHttp,
        (Some(_), None) => TargetError::TooLong.into(),
        (Some(_), Some(path)) if path.len() > TARGET_BYTES_MAX => TargetError::TooLong.into(),
        (Some(_), Some(_)) => RequestError::HeadTooLarge,
    };
    parse_error(&request, error)
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
            // The parser tells a character that no target has from other errors no more than this.
            _ => target_of(bytes).map_or(RequestError::NotHttp, refused_target),
        })
}

/// The target of a request line that is refused for what stands in it: a space, above all. None if the line is not one of a
/// request otherwise.
fn target_of(bytes: &[u8]) -> Option<&[u8]> {
    let line = bytes.get(..memchr::memchr(b'\n', bytes)?)?.trim_ascii_end();
    let line = line
        .strip_suffix(b" HTTP/1.1")
        .or_else(|| line.strip_suffix(b" HTTP/1.0"))?;
    let target = line.get(memchr::memchr(b' ', line)? + 1..)?;
    let method = std::str::from_utf8(line.get(..line.len() - target.len() - 1)?).ok()?;
    Method::parse(method)?;
    let is_path = target.first() == Some(&b'/') && target.len() <= TARGET_BYTES_MAX;
    is_path.then_some(target)
}

fn refused_target(target: &[u8]) -> RequestError {
    find_bad_character(target).map_or(RequestError::NotHttp, |bad| {
        TargetError::Character(bad).into()
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
    let (mut framing_headers, mut builder, mut header_error) = (
        RequestFramingHeaders::default(),
        RequestHeadersBuilder::default(),
        None,
    );
    for line in request.headers.iter() {
        let Some(kind) = RequestHeaderKind::from_name(line.name) else {
            continue;
        };
        framing_headers.add(&kind, line.value)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value))
            .map_err(|_| RequestError::NotHttp)?;
        if header_error.is_none() {
            header_error = builder.add(kind, value).err();
        }
    }
    Ok(Http1RequestHead {
        framing: framing_headers.framing(is_http11)?,
        // RFC 9110 section 10.1.1: who speaks HTTP/1.0 does not know the sign.
        expects_continue: is_http11 && framing_headers.expects_continue,
        keep_alive: is_http11 && !framing_headers.connection_close,
        is_http11,
        head: RequestHead {
            method: Some(method),
            target,
            authority: None,
            headers: header_error.map_or_else(|| builder.build(), Err),
            head_bytes: bytes.len(),
        },
    })
}

/// RFC 9112 section 3.2: only the origin form is accepted here. The rest is left to `Target`.
fn parse_target(bytes: &Bytes, received: &str) -> Result<PathAndQuery, RequestError> {
    check_origin_form(received.as_bytes())?;
    PathAndQuery::from_maybe_shared(bytes.slice_ref(received.as_bytes()))
        .map_err(|_| refused_target(received.as_bytes()))
}

fn parse_error(request: &httparse::Request<'_, '_>, error: RequestError) -> RequestParseError {
    let target = request.path.unwrap_or_default();
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let method = request.method.and_then(Method::parse);
    let unknown = request.method.filter(|_| method.is_none());
    RequestParseError {
        method,
        unknown_method: unknown.and_then(|it| shown_method(it.as_bytes())),
        path: path.into(),
        error,
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
    fn add(&mut self, kind: &RequestHeaderKind, value: &[u8]) -> Result<(), RequestError> {
        match kind {
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
