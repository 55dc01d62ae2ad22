//! A request target, parsed once: the bytes that were matched are the bytes that are sent.
//!
//! RFC 9110 section 7.7 forbids a proxy to change path and query, so targets are never normalised and forwarded. They are
//! decoded for matching only, and every target that another reader could understand differently is refused: dot segments,
//! empty segments, encoded separators, characters that RFC 3986 does not allow in a path, escapes that are not UTF-8.

use std::{fmt, ops::Range};

use http::uri::PathAndQuery;

use super::bad_character::{self, BadCharacter, TargetPart};

/// Longest target, in bytes (RFC 9112 section 3 recommends at least 8,000).
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Base path by which a caller chooses a tenant: `/tenant/<name>/v2/…`.
const TENANT_BASE: &str = "/tenant/";
/// NinjaOne answers `/api/v2/…` as `/v2/…`.
const ALIAS_BASE: &str = "/api";
const ALIASED: &str = "/api/v2";

/// A parsed target.
pub struct Target {
    received: PathAndQuery,
    /// Where the part that NinjaOne sees begins in `received`: after the tenant's base path.
    forwarded_from: usize,
    canonical: CanonicalPath,
    tenant: Option<Range<usize>>,
}

enum CanonicalPath {
    /// Nothing was escaped: the canonical path is a part of what was received.
    AsReceived(Range<usize>),
    Decoded {
        path: Box<str>,
        from: usize,
    },
}

/// Why a target is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TargetError {
    #[error("the target is longer than {TARGET_BYTES_MAX} bytes")]
    TooLong,
    #[error("the target must be a path that starts with '/'")]
    NotAPath,
    #[error("{0}")]
    Character(BadCharacter),
    /// At this position, counted from 1.
    #[error("the path has an empty segment ('//') at position {0} of the target")]
    EmptySegment(u16),
    #[error("the path has a segment of dots only")]
    DotSegment,
    #[error("{0}, where an escape is '%' and two hexadecimal digits")]
    BadEscape(BadEscape),
    #[error("the path has an escaped control character")]
    EscapedControl,
    #[error("the path's escapes are not UTF-8")]
    NotUtf8,
    #[error("a token must not travel in the query (RFC 6750 section 2.3)")]
    TokenInQuery,
    #[error("the query asks for another method than the request's")]
    MethodOverride,
    #[error("a '#' must not be sent in a target")]
    Fragment,
}

/// A `%` without two hexadecimal digits after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BadEscape {
    /// Where it stands.
    pub part: TargetPart,
    /// In bytes from the start of the target, counted from 1.
    pub position: u16,
}

impl fmt::Display for BadEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            TargetPart::Path => "path",
            TargetPart::Query => "query",
        };
        write!(
            f,
            "the {part} has a lone '%' at position {} of the target",
            self.position
        )
    }
}

/// The first character of a received target that must not stand in its path or query as it is.
#[must_use]
pub fn find_bad_character(received: &[u8]) -> Option<BadCharacter> {
    let mut part = TargetPart::Path;
    received.iter().enumerate().find_map(|(at, &byte)| {
        match part {
            TargetPart::Path if byte == b'?' => part = TargetPart::Query,
            TargetPart::Path if !PATH_BYTES[usize::from(byte)] => {
                return Some(BadCharacter::plain(part, byte, at));
            }
            TargetPart::Query if !is_query_byte(byte) => {
                return Some(BadCharacter::plain(part, byte, at));
            }
            TargetPart::Path | TargetPart::Query => {}
        }
        None
    })
}

fn is_query_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !matches!(byte, b'#' | b'<' | b'>' | b'\\' | b'"')
}

impl Target {
    /// Parses path and query as they came.
    ///
    /// # Errors
    /// When two readers could read the target differently.
    pub fn parse(received: &PathAndQuery) -> Result<Self, TargetError> {
        if received.as_str().len() > TARGET_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        let path = received.path();
        if let Some(query) = received.query() {
            check_query(query, path.len() + 1)?;
        }
        let escaped = check_path(path)?;
        let (forwarded_from, tenant) = tenant_base(path);
        let canonical = if escaped {
            let path = percent_decode_path(path, forwarded_from)?;
            let from = alias_length(&path);
            CanonicalPath::Decoded { path, from }
        } else {
            let from = forwarded_from + alias_length(&path[forwarded_from..]);
            CanonicalPath::AsReceived(from..path.len())
        };
        Ok(Self {
            received: received.clone(),
            forwarded_from,
            canonical,
            tenant,
        })
    }

    /// The path to match: percent-decoded, `/api/v2` folded onto `/v2`, without a `/tenant/<name>` base path.
    #[must_use]
    pub fn canonical_path(&self) -> &str {
        match &self.canonical {
            CanonicalPath::AsReceived(range) => &self.received.as_str()[range.clone()],
            CanonicalPath::Decoded { path, from } => &path[*from..],
        }
    }

    /// `/tenant/<name>` as received, where the caller used it; else empty.
    #[must_use]
    pub fn tenant_base(&self) -> &str {
        &self.received.as_str()[..self.forwarded_from]
    }

    /// Whether the caller wrote `/api/v2` for `/v2`.
    #[must_use]
    pub fn uses_alias(&self) -> bool {
        match &self.canonical {
            CanonicalPath::AsReceived(range) => range.start > self.forwarded_from,
            CanonicalPath::Decoded { from, .. } => *from > 0,
        }
    }

    /// The query as received, without `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.received.query()
    }

    /// The tenant that the base path `/tenant/<name>` names.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant
            .clone()
            .map(|range| &self.received.as_str()[range])
    }

    /// Path and query for NinjaOne: the bytes that were received, without the tenant's base path.
    #[must_use]
    pub fn forwarded(&self) -> PathAndQuery {
        if self.forwarded_from == 0 {
            return self.received.clone();
        }
        // A suffix of a valid path and query that begins with '/' is valid itself.
        PathAndQuery::try_from(&self.received.as_str()[self.forwarded_from..])
            .unwrap_or_else(|_| PathAndQuery::from_static("/"))
    }
}

/// Whether a byte may stand unescaped in a path: RFC 3986 `pchar` without ';', which some servers cut off.
const PATH_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let allowed =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/%";
    let mut i = 0;
    while i < allowed.len() {
        table[allowed[i] as usize] = true;
        i += 1;
    }
    table
};

/// Returns whether anything is escaped.
fn check_path(path: &str) -> Result<bool, TargetError> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return Err(TargetError::NotAPath);
    }
    let mut escaped = false;
    let (mut segment_length, mut dots) = (0_usize, 0_usize);
    for (at, &byte) in bytes.iter().enumerate() {
        if !PATH_BYTES[usize::from(byte)] {
            let bad = BadCharacter::plain(TargetPart::Path, byte, at);
            return Err(TargetError::Character(bad));
        }
        match byte {
            b'/' => {
                if at > 0 && segment_length == 0 {
                    let position = u16::try_from(at).unwrap_or(u16::MAX);
                    return Err(TargetError::EmptySegment(position));
                }
                if segment_length > 0 && dots == segment_length {
                    return Err(TargetError::DotSegment);
                }
                (segment_length, dots) = (0, 0);
                continue;
            }
            b'.' => dots += 1,
            b'%' => escaped = true,
            _ => {}
        }
        segment_length += 1;
    }
    if segment_length > 0 && dots == segment_length {
        return Err(TargetError::DotSegment);
    }
    Ok(escaped)
}

/// Length of `/tenant/<name>` at the front of a path, and where the name stands in it.
fn tenant_base(path: &str) -> (usize, Option<Range<usize>>) {
    let Some(rest) = path.strip_prefix(TENANT_BASE) else {
        return (0, None);
    };
    match rest.find('/') {
        Some(length) if length > 0 => {
            let name = TENANT_BASE.len()..TENANT_BASE.len() + length;
            (name.end, Some(name))
        }
        _ => (0, None),
    }
}

/// How much of a path is the alias: `/api/v2` and `/api/v2/…`, not `/api/v2x`.
fn alias_length(path: &str) -> usize {
    match path.strip_prefix(ALIASED) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => ALIAS_BASE.len(),
        _ => 0,
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

/// The byte that an escape stands for, given what follows its '%'; none if that is not two hexadecimal digits.
fn decode_escape(rest: &[u8]) -> Option<u8> {
    match rest {
        [high, low, ..] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
        _ => None,
    }
}

/// The same, of an escape at `offset` in a target. Refuses one that could be read as something else than a character.
fn check_escape(part: TargetPart, rest: &[u8], offset: usize) -> Result<u8, TargetError> {
    let byte = decode_escape(rest).ok_or_else(|| {
        TargetError::BadEscape(BadEscape {
            part,
            position: u16::try_from(offset + 1).unwrap_or(u16::MAX),
        })
    })?;
    if bad_character::is_refused_escape(part, byte) {
        let bad = BadCharacter::escaped(part, byte, offset);
        return Err(TargetError::Character(bad));
    }
    Ok(byte)
}

/// Decodes what follows the first `from` bytes of a path.
fn percent_decode_path(path: &str, from: usize) -> Result<Box<str>, TargetError> {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(path.len());
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            decoded.push(check_escape(TargetPart::Path, &bytes[at + 1..], at)?);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    let text = String::from_utf8(decoded).map_err(|_| TargetError::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(TargetError::EscapedControl);
    }
    Ok(text.into_boxed_str())
}

/// Checks a query that begins at `offset` in its target.
fn check_query(query: &str, offset: usize) -> Result<(), TargetError> {
    let bytes = query.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'%' {
            check_escape(TargetPart::Query, &bytes[at + 1..], offset + at)?;
        } else if !is_query_byte(byte) {
            let bad = BadCharacter::plain(TargetPart::Query, byte, offset + at);
            return Err(TargetError::Character(bad));
        }
    }
    query.split(['&', ';']).try_for_each(check_parameter)
}

/// Parameters that would give the request a token or a method of its own.
fn check_parameter(pair: &str) -> Result<(), TargetError> {
    let name = pair.split('=').next().unwrap_or_default();
    let name: std::borrow::Cow<'_, str> = if name.contains('%') {
        percent_encoding::percent_decode_str(name).decode_utf8_lossy()
    } else {
        name.into()
    };
    if name.eq_ignore_ascii_case("access_token") {
        return Err(TargetError::TokenInQuery);
    }
    let overrides = [
        "_method",
        "x-http-method-override",
        "x-method-override",
        "x-http-method",
    ];
    if overrides.iter().any(|it| name.eq_ignore_ascii_case(it)) {
        return Err(TargetError::MethodOverride);
    }
    Ok(())
}
