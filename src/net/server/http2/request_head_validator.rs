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
        headers::{HEADERS_MAX, HeaderError},
        incoming_request::{Fault, KEPT_PATH_BYTES_MAX, Unreadable},
        origin_form::check_origin_form,
        target::TargetError,
    },
};

use super::hpack;

/// The field that says why a request is refused. A caller's own is dropped.
const REFUSED: HeaderName = HeaderName::from_static("njp-refused");

/// What a request can be refused for here. [`REFUSED`] carries the index in this list.
const FAULTS: [Fault; 15] = [
    Fault::NotHttp,
    Fault::Method,
    Fault::Host,
    Fault::HeadTooLarge,
    Fault::AbsoluteForm,
    Fault::Pseudo,
    Fault::Scheme,
    Fault::Target(TargetError::TooLong),
    Fault::Target(TargetError::NotAPath),
    Fault::Target(TargetError::Fragment),
    Fault::Target(TargetError::PathCharacter),
    Fault::Header(HeaderError::Malformed),
    Fault::Header(HeaderError::HopByHop),
    Fault::Header(HeaderError::Framing),
    Fault::Header(HeaderError::TooMany),
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
pub struct Judge {
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
    fields_seen: usize,
    length: Option<u64>,
    /// The first error.
    fault: Option<Fault>,
}

impl Judge {
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
            fields_seen: 0,
            length: None,
            fault: None,
        }
    }

    /// Validates one field. An error is kept for [`finish`](Self::finish).
    pub fn take(&mut self, name: &[u8], value: &[u8]) {
        let is_pseudo = name.starts_with(b":");
        // The audit line wants the path all the same.
        if self.fault.is_some() && !is_pseudo {
            return;
        }
        let judged = if is_pseudo {
            self.take_pseudo(name, value)
        } else {
            self.take_field(name, value)
        };
        if let Err(fault) = judged {
            self.fault.get_or_insert(fault);
        }
    }

    /// RFC 9113 section 8.3: each once, before all others, none in trailers and none that we do not know.
    fn take_pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        let place = match name {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            _ => return Err(Fault::Pseudo),
        };
        if self.fields_seen > 0 || self.is_trailers || place.is_some() {
            return Err(Fault::Pseudo);
        }
        self.bytes += value.len();
        if self.bytes > self.head_bytes_max {
            return Err(Fault::HeadTooLarge);
        }
        *place = Some(value.into());
        Ok(())
    }

    /// RFC 9113 sections 8.2.1 and 8.2.2.
    fn take_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        const AROUND_FIELD: usize = ": \r\n".len();
        self.fields_seen += 1;
        if self.fields_seen > HEADERS_MAX {
            return Err(HeaderError::TooMany.into());
        }
        self.bytes += name.len() + value.len() + AROUND_FIELD;
        if self.bytes > self.head_bytes_max {
            return Err(Fault::HeadTooLarge);
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
            let length = framing::decimal(value).ok_or(HeaderError::Framing)?;
            if self.length.replace(length).is_some() {
                return Err(HeaderError::Framing.into());
            }
        }
        if name != REFUSED.as_str().as_bytes() {
            hpack::write(name, value, &mut self.fields);
        }
        Ok(())
    }

    /// The block for the library: the request, or why it is refused. `ends_stream`: no body follows.
    #[must_use]
    pub fn finish(mut self, ends_stream: bool) -> Vec<u8> {
        if self.is_trailers {
            // Trailers are dropped: see `MeteredBody`.
            let mut block = Vec::new();
            if let Some(fault) = self.fault {
                write_refused(fault, "", "", &mut block);
            }
            return block;
        }
        let judged = match self.fault.take() {
            Some(fault) => Err(fault),
            None => self.judge(ends_stream),
        };
        match judged {
            Ok(block) => block,
            Err(fault) => self.refused(fault),
        }
    }

    fn judge(&mut self, ends_stream: bool) -> Result<Vec<u8>, Fault> {
        let method = text(self.method.as_deref()).ok_or(Fault::Pseudo)?;
        if Method::parse(method).is_none() {
            return Err(Fault::Method);
        }
        let scheme = self.scheme.as_deref().ok_or(Fault::Pseudo)?;
        if !matches!(scheme, b"http" | b"https") {
            return Err(Fault::Scheme);
        }
        let path = self.path.as_deref().ok_or(Fault::Pseudo)?;
        check_path(path)?;
        if let Some(authority) = self.authority.as_deref() {
            let is_host = !authority.contains(&b'@') && Authority::try_from(authority).is_ok();
            if !is_host {
                return Err(Fault::Host);
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
                hpack::write(name.as_bytes(), value, &mut block);
            }
        }
        block.append(&mut self.fields);
        Ok(block)
    }

    fn refused(&self, fault: Fault) -> Vec<u8> {
        let method = text(self.method.as_deref()).unwrap_or_default();
        // Unknown methods are not told apart.
        let method = Method::parse(method).map_or("", Method::as_str);
        let path = self.path.as_deref().unwrap_or_default();
        let path = path.split(|it| matches!(it, b'?' | b'#')).next();
        let path: String = path
            .unwrap_or_default()
            .iter()
            .take(KEPT_PATH_BYTES_MAX)
            .map(|it| {
                if it.is_ascii_graphic() {
                    char::from(*it)
                } else {
                    '?'
                }
            })
            .collect();
        let mut block = Vec::new();
        // A response to HEAD has no body (RFC 9110 section 9.3.2): the library must know that it is one.
        let asked = if method == "HEAD" { "HEAD" } else { "POST" };
        for (name, value) in [(":method", asked), (":scheme", "http"), (":path", "/")] {
            hpack::write(name.as_bytes(), value.as_bytes(), &mut block);
        }
        write_refused(fault, method, &path, &mut block);
        block
    }
}

fn check_path(path: &[u8]) -> Result<(), Fault> {
    check_origin_form(path)?;
    PathAndQuery::try_from(path)
        .map(drop)
        .map_err(|_| TargetError::PathCharacter.into())
}

fn text(value: Option<&[u8]>) -> Option<&str> {
    value.and_then(|it| std::str::from_utf8(it).ok())
}

fn write_refused(fault: Fault, method: &str, path: &str, block: &mut Vec<u8>) {
    let number = FAULTS.iter().position(|it| *it == fault);
    let value = format!("{} {method} {path}", number.unwrap_or_default());
    // No blanks at its ends: it is a value like any other.
    hpack::write(
        REFUSED.as_str().as_bytes(),
        value.trim_end().as_bytes(),
        block,
    );
}

/// Whether these fields, from the library, stand for refused ones.
#[must_use]
pub fn is_refused(fields: &HeaderMap) -> bool {
    fields.contains_key(REFUSED)
}

/// Why the request with these fields, from the library, is refused, if it is.
#[must_use]
pub fn refused(fields: &HeaderMap) -> Option<Unreadable> {
    let value = fields.get(REFUSED)?.to_str().unwrap_or_default();
    let mut parts = value.splitn(3, ' ');
    let number = parts.next().and_then(|it| it.parse::<usize>().ok());
    let fault = number.and_then(|it| FAULTS.get(it).copied());
    Some(Unreadable {
        method: parts.next().and_then(Method::parse),
        path: parts.next().unwrap_or_default().into(),
        why: fault.unwrap_or(Fault::NotHttp),
    })
}
