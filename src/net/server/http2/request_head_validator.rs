//! Validates a request's fields over HTTP/2 before the library sees them (RFC 9113 sections 8.2 and 8.3): it would cut a
//! fragment off the path, accept what we refuse over HTTP/1.1, and reject the rest without an id, a body or an audit line. A
//! refused request reaches it as one that says so, and gets a response like any other.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    uri::{Authority, PathAndQuery},
};

use crate::net::{
    http1::framing,
    method::Method,
    request::{
        bad_character::BadCharacter,
        headers::{HEADERS_MAX, HeaderError},
        origin_form::check_origin_form,
        parsed_request::{RequestParseError, recorded_text, shown_method},
        request_error::RequestError,
        target::{TargetError, find_bad_character},
    },
};

use super::hpack;

/// The field that says why a request is refused. A caller's own is dropped.
const REFUSED_HEADER: HeaderName = HeaderName::from_static("njp-refused");

/// Stands before the number of a [`BadCharacter`] in [`REFUSED_HEADER`].
const CHARACTER_MARK: char = 'c';

/// What a request can be refused for here, besides a character of its target. [`REFUSED_HEADER`] carries the index in this list.
const REFUSAL_ERRORS: [RequestError; 14] = [
    RequestError::NotHttp,
    RequestError::Method,
    RequestError::Host,
    RequestError::HeadTooLarge,
    RequestError::AbsoluteForm,
    RequestError::PseudoHeader,
    RequestError::Scheme,
    RequestError::Target(TargetError::TooLong),
    RequestError::Target(TargetError::NotAPath),
    RequestError::Target(TargetError::Fragment),
    RequestError::Header(HeaderError::Malformed),
    RequestError::Header(HeaderError::HopByHop),
    RequestError::Header(HeaderError::Framing),
    RequestError::Header(HeaderError::TooMany),
];

/// Names that mean something to one connection only (RFC 9113 section 8.2.2), besides `te`.
const HOP_BY_HOP: [&[u8]; 5] = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
];

/// Validates the fields of one header block as they come.
pub struct RequestHeadValidator {
    head_bytes_max: usize,
    is_trailers: bool,
    /// Bytes so far, never more than HTTP/1.1 would write: what is within its limit is within this one.
    bytes: usize,
    method: Option<Box<[u8]>>,
    scheme: Option<Box<[u8]>>,
    authority: Option<Box<[u8]>>,
    path: Option<Box<[u8]>>,
    /// All but pseudo-headers, encoded anew.
    fields: Vec<u8>,
    field_count: usize,
    length: Option<u64>,
    /// The first error.
    error: Option<RequestError>,
}

impl RequestHeadValidator {
    /// For the block of a request, or of its trailers.
    #[must_use]
    pub fn new(head_bytes_max: usize, is_trailers: bool) -> Self {
        Self {
            head_bytes_max,
            is_trailers,
            bytes: 0,
            method: None,
            scheme: None,
            authority: None,
            path: None,
            fields: Vec::new(),
            field_count: 0,
            length: None,
            error: None,
        }
    }

    /// Validates one field. An error is kept for [`finish`](Self::finish).
    pub fn add_field(&mut self, name: &[u8], value: &[u8]) {
        let is_pseudo = name.starts_with(b":");
        // The audit line wants the path all the same.
        if self.error.is_some() && !is_pseudo {
            return;
        }
        let result = if is_pseudo {
            self.add_pseudo_header(name, value)
        } else {
            self.add_regular_field(name, value)
        };
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    /// RFC 9113 section 8.3: each once, before all others, none in trailers and none that we do not know.
    fn add_pseudo_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), RequestError> {
        let slot = match name {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            _ => return Err(RequestError::PseudoHeader),
        };
        if self.field_count > 0 || self.is_trailers || slot.is_some() {
            return Err(RequestError::PseudoHeader);
        }
        self.bytes += value.len();
        if self.bytes > self.head_bytes_max {
            return Err(RequestError::HeadTooLarge);
        }
        *slot = Some(value.into());
        Ok(())
    }

    /// RFC 9113 sections 8.2.1 and 8.2.2.
    fn add_regular_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), RequestError> {
        const AROUND_FIELD: usize = ": \r\n".len();
        self.field_count += 1;
        if self.field_count > HEADERS_MAX {
            return Err(HeaderError::TooMany.into());
        }
        self.bytes += name.len() + value.len() + AROUND_FIELD;
        if self.bytes > self.head_bytes_max {
            return Err(RequestError::HeadTooLarge);
        }
        let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        let is_name = HeaderName::from_lowercase(name).is_ok();
        let has_blanks = is_blank(value.first()) || is_blank(value.last());
        if !is_name || has_blanks || HeaderValue::from_bytes(value).is_err() {
            return Err(HeaderError::Malformed.into());
        }
        if HOP_BY_HOP.contains(&name) || (name == b"te" && value != b"trailers") {
            return Err(HeaderError::HopByHop.into());
        }
        if name == b"content-length" {
            let length = framing::parse_decimal(value).ok_or(HeaderError::Framing)?;
            if self.length.replace(length).is_some() {
                return Err(HeaderError::Framing.into());
            }
        }
        if name != REFUSED_HEADER.as_str().as_bytes() {
            hpack::encode_field(name, value, &mut self.fields);
        }
        Ok(())
    }

    /// The block for the library: the request, or why it is refused. `ends_stream`: no body follows.
    #[must_use]
    pub fn finish(mut self, ends_stream: bool) -> Vec<u8> {
        if self.is_trailers {
            // Trailers are dropped: see `MeteredBody`.
            let mut block = Vec::new();
            if let Some(error) = self.error {
                encode_refusal(error, "", "", &mut block);
            }
            return block;
        }
        let result = match self.error.take() {
            Some(error) => Err(error),
            None => self.validate(ends_stream),
        };
        match result {
            Ok(block) => block,
            Err(error) => self.refusal_block(error),
        }
    }

    fn validate(&mut self, ends_stream: bool) -> Result<Vec<u8>, RequestError> {
        let method = as_utf8(self.method.as_deref()).ok_or(RequestError::PseudoHeader)?;
        if Method::parse(method).is_none() {
            return Err(RequestError::Method);
        }
        let scheme = self.scheme.as_deref().ok_or(RequestError::PseudoHeader)?;
        if !matches!(scheme, b"http" | b"https") {
            return Err(RequestError::Scheme);
        }
        let path = self.path.as_deref().ok_or(RequestError::PseudoHeader)?;
        check_path(path)?;
        if let Some(authority) = self.authority.as_deref() {
            let is_host = !authority.contains(&b'@') && Authority::try_from(authority).is_ok();
            if !is_host {
                return Err(RequestError::Host);
            }
        }
        if ends_stream && self.length.is_some_and(|it| it > 0) {
            return Err(HeaderError::Framing.into());
        }
        let mut block = Vec::with_capacity(self.bytes + self.fields.len());
        let pseudo = [
            (":method", Some(method.as_bytes())),
            (":scheme", Some(scheme)),
            (":authority", self.authority.as_deref()),
            (":path", Some(path)),
        ];
        for (name, value) in pseudo {
            if let Some(value) = value {
                hpack::encode_field(name.as_bytes(), value, &mut block);
            }
        }
        block.append(&mut self.fields);
        Ok(block)
    }

    fn refusal_block(&self, error: RequestError) -> Vec<u8> {
        let method = as_utf8(self.method.as_deref()).unwrap_or_default();
        // Without a blank: it is one of three words.
        let method = shown_method(method.as_bytes()).unwrap_or_default();
        let path = self.path.as_deref().unwrap_or_default();
        let path = path.split(|it| matches!(it, b'?' | b'#')).next();
        let path = recorded_text(path.unwrap_or_default());
        let mut block = Vec::new();
        // A response to HEAD has no body (RFC 9110 section 9.3.2): the library must know that it is one.
        let asked = if &*method == "HEAD" { "HEAD" } else { "POST" };
        for (name, value) in [(":method", asked), (":scheme", "http"), (":path", "/")] {
            hpack::encode_field(name.as_bytes(), value.as_bytes(), &mut block);
        }
        encode_refusal(error, &method, &path, &mut block);
        block
    }
}

fn check_path(path: &[u8]) -> Result<(), RequestError> {
    check_origin_form(path)?;
    PathAndQuery::try_from(path)
        .map(drop)
        .map_err(|_| match find_bad_character(path) {
            Some(bad) => TargetError::Character(bad).into(),
            None => RequestError::NotHttp,
        })
}

fn as_utf8(value: Option<&[u8]>) -> Option<&str> {
    value.and_then(|it| std::str::from_utf8(it).ok())
}

fn encode_refusal(error: RequestError, method: &str, path: &str, block: &mut Vec<u8>) {
    let code = match error {
        RequestError::Target(TargetError::Character(bad)) => {
            format!("{CHARACTER_MARK}{}", bad.to_bits())
        }
        error => {
            let number = REFUSAL_ERRORS.iter().position(|it| *it == error);
            number.unwrap_or_default().to_string()
        }
    };
    let value = format!("{code} {method} {path}");
    // No blanks at its ends: it is a value like any other.
    hpack::encode_field(
        REFUSED_HEADER.as_str().as_bytes(),
        value.trim_end().as_bytes(),
        block,
    );
}

/// Whether these fields, from the library, stand for refused ones.
#[must_use]
pub fn is_refused(headers: &HeaderMap) -> bool {
    headers.contains_key(REFUSED_HEADER)
}

/// Why the request with these fields, from the library, is refused, if it is.
#[must_use]
pub fn decode_refusal(headers: &HeaderMap) -> Option<RequestParseError> {
    let value = headers.get(REFUSED_HEADER)?.to_str().unwrap_or_default();
    let mut parts = value.splitn(3, ' ');
    let error = parts.next().and_then(|code| {
        if let Some(bits) = code.strip_prefix(CHARACTER_MARK) {
            let bad = BadCharacter::from_bits(bits.parse().ok()?);
            return Some(TargetError::Character(bad).into());
        }
        REFUSAL_ERRORS.get(code.parse::<usize>().ok()?).copied()
    });
    let sent = parts.next().unwrap_or_default();
    let method = Method::parse(sent);
    Some(RequestParseError {
        unknown_method: shown_method(sent.as_bytes()).filter(|_| method.is_none()),
        method,
        path: parts.next().unwrap_or_default().into(),
        error: error.unwrap_or(RequestError::NotHttp),
    })
}
