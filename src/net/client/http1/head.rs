//! Writes a request's head and parses a response's. A response that two readers could frame differently is refused
//! (RFC 9112 section 6.3).

use std::mem::MaybeUninit;

use bytes::{Buf, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::net::{
    client::forwardable_response_headers,
    http1::framing::{self, Framing},
    method::Method,
    response::ResponseHeaders,
};

/// Longest head of a response, in bytes.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most header lines in one.
pub const RESPONSE_HEADERS_MAX: usize = 100;

/// The head of a request, without what frames its body.
pub struct OutgoingRequestHead<'a> {
    /// Decides whether the response may have a body.
    pub method: Method,
    /// Path and query, as they go on the wire.
    pub target: &'a str,
    /// The value of `Host`.
    pub host: &'a HeaderValue,
    /// The caller's.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// Our own, written after those.
    pub extra_headers: &'a [(HeaderName, &'a HeaderValue)],
}

/// The head of a response.
#[derive(Debug)]
pub struct ResponseHead {
    /// 100 to 599.
    pub status: StatusCode,
    /// Those that may reach a caller, and no others.
    pub headers: ResponseHeaders,
    /// How the body is framed.
    pub framing: Framing,
    /// The connection may serve another request after this response.
    pub keep_alive: bool,
}

/// Why a response's head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseHeadError {
    #[error("it is not the head of an HTTP/1 answer")]
    Syntax(#[from] httparse::Error),
    #[error("a line does not end with CRLF, or lines stand before the first")]
    LineEnd,
    #[error("it is longer than {RESPONSE_HEAD_BYTES_MAX} bytes")]
    TooLong,
    #[error("the status is not one of HTTP's")]
    Status,
    #[error("the length is not one number")]
    Length,
    #[error("the encoding is not 'chunked' alone")]
    Encoding,
    #[error("a header's value is not one")]
    Value,
}

/// Appends the head, with the header lines that tell how long its body is.
pub fn write_request_head(out: &mut Vec<u8>, head: &OutgoingRequestHead<'_>, framing: Framing) {
    let mut put = |part: &[u8]| out.extend_from_slice(part);
    put(head.method.as_str().as_bytes());
    put(b" ");
    put(head.target.as_bytes());
    put(b" HTTP/1.1\r\nhost: ");
    put(head.host.as_bytes());
    let forwarded = head.headers.iter().map(|(name, value)| (name, value));
    let more = head
        .extra_headers
        .iter()
        .map(|(name, value)| (name, *value));
    for (name, value) in forwarded.chain(more) {
        put(b"\r\n");
        put(name.as_str().as_bytes());
        put(b": ");
        put(value.as_bytes());
    }
    match framing {
        Framing::Length(length) => {
            put(b"\r\ncontent-length: ");
            put(length.to_string().as_bytes());
        }
        Framing::Chunked => put(b"\r\ntransfer-encoding: chunked"),
        Framing::None | Framing::UntilClose => {}
    }
    put(b"\r\n\r\n");
}

/// Takes a response's head off the front of `buffer`; none while it is incomplete.
///
/// # Errors
/// When it is malformed, or could be framed in two ways.
pub fn parse_response_head(
    buffer: &mut BytesMut,
    method: Method,
) -> Result<Option<ResponseHead>, ResponseHeadError> {
    let mut lines = [const { MaybeUninit::uninit() }; RESPONSE_HEADERS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        buffer,
        &mut lines,
    )?;
    let httparse::Status::Complete(length) = parsed else {
        return if buffer.len() < RESPONSE_HEAD_BYTES_MAX {
            Ok(None)
        } else {
            Err(ResponseHeadError::TooLong)
        };
    };
    if length > RESPONSE_HEAD_BYTES_MAX {
        return Err(ResponseHeadError::TooLong);
    }
    // The parser would pass over empty lines before the first.
    let head = buffer.get(..length).unwrap_or_default();
    if head.first() != Some(&b'H') || !framing::ends_lines_with_crlf(head, response.headers.len()) {
        return Err(ResponseHeadError::LineEnd);
    }
    let status = response
        .code
        .filter(|it| forwardable_response_headers::VALID_STATUS_CODES.contains(it))
        .and_then(|it| StatusCode::from_u16(it).ok())
        .ok_or(ResponseHeadError::Status)?;
    let (mut framing_headers, mut headers) = (
        ResponseFramingHeaders::default(),
        ResponseHeaders::default(),
    );
    for line in response.headers.iter() {
        framing_headers.add(line, &mut headers)?;
    }
    let is_http11 = response.version == Some(1);
    let framing = framing_headers.framing(status, method, is_http11)?;
    let keep_alive =
        is_http11 && !framing_headers.connection_close && framing != Framing::UntilClose;
    buffer.advance(length);
    Ok(Some(ResponseHead {
        status,
        headers,
        framing,
        keep_alive,
    }))
}

/// What the header lines say about the message's framing and its connection.
#[derive(Default)]
struct ResponseFramingHeaders {
    length: Option<u64>,
    chunked: bool,
    connection_close: bool,
}

impl ResponseFramingHeaders {
    fn add(
        &mut self,
        line: &httparse::Header<'_>,
        kept: &mut ResponseHeaders,
    ) -> Result<(), ResponseHeadError> {
        let (name, value) = (line.name, line.value);
        if name.eq_ignore_ascii_case("content-length") {
            let length = framing::parse_decimal(value).ok_or(ResponseHeadError::Length)?;
            if self.length.replace(length).is_some_and(|it| it != length) {
                return Err(ResponseHeadError::Length);
            }
            kept.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(ResponseHeadError::Encoding);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            self.connection_close |= framing::has_close_option(value);
        } else if let Some(name) = forwardable_response_headers::forwardable_response_header(name) {
            let value = HeaderValue::from_bytes(value).map_err(|_| ResponseHeadError::Value)?;
            kept.append(name, value);
        }
        Ok(())
    }

    /// RFC 9112 section 6.3.
    fn framing(
        &self,
        status: StatusCode,
        method: Method,
        is_http11: bool,
    ) -> Result<Framing, ResponseHeadError> {
        if self.chunked && (self.length.is_some() || !is_http11) {
            return Err(ResponseHeadError::Encoding);
        }
        let bodiless = status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(match self.length {
            _ if bodiless || method == Method::Head => Framing::None,
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None if self.chunked => Framing::Chunked,
            None => Framing::UntilClose,
        })
    }
}
