//! Bytes become a well-formed request here, or are refused.

use http::{HeaderMap, Request, Version, uri::PathAndQuery};
use tokio::time::Instant;

use crate::{clock::Timestamp, names::RequestId};

use super::{
    Evidence, Method, Peer,
    body::RequestBody,
    headers::{self, HeaderError, Sorted},
    host::{HostVerdict, Hosts},
    target::{Target, TargetError},
};

/// Longest part of a refused path that is kept for the record, in bytes.
const KEPT_PATH_BYTES_MAX: usize = 256;

/// A request as it came off the wire, and from whom.
pub struct Arrival {
    pub id: RequestId,
    pub at: Timestamp,
    pub started: Instant,
    pub request: Request<hyper::body::Incoming>,
    pub peer: Peer,
    /// The request line had a '#', which the HTTP parser cuts off without a word.
    pub fragment: bool,
}

/// What every request is held against before anybody is asked who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doors {
    pub hosts: Hosts,
    /// Longest head, in bytes. The HTTP parser's own bound is that of its buffer, which a head may overrun by one read.
    pub head_bytes_max: usize,
    /// Longest body, in bytes, for operations that take no file.
    pub body_bytes_max: u64,
    /// Longest body, in bytes, for operations that take one.
    pub upload_bytes_max: u64,
    /// Longest wait between two pieces of a body.
    pub idle: std::time::Duration,
}

/// A well-formed request: everything that two readers could read differently has been refused.
pub struct Incoming {
    pub id: RequestId,
    pub at: Timestamp,
    pub started: Instant,
    pub peer: Peer,
    pub method: Method,
    pub target: Target,
    pub evidence: Evidence,
    /// `NJP-Tenant`, as sent.
    pub tenant: Option<Box<str>>,
    /// `NJP-Reason`: at most 256 bytes of printable UTF-8.
    pub reason: Option<Box<str>>,
    /// `NJP-On-Behalf-Of`: at most 256 bytes of printable UTF-8. What the caller says, not what we know.
    pub on_behalf_of: Option<Box<str>>,
    /// What the caller sent and may reach NinjaOne: the allow-list of `headers`, nothing else.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// An empty map with room for them: the first request that is sent takes it.
    pub emptied: HeaderMap,
    pub body: RequestBody,
}

/// A request that two readers could read differently, or that must not be here at all.
pub struct Malformed {
    pub id: RequestId,
    pub started: Instant,
    pub peer: Peer,
    pub method: Option<Method>,
    /// At most 256 bytes of what stood in the request line's path, printable ASCII only.
    pub path: Box<str>,
    pub why: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("the method is not one of GET, HEAD, POST, PUT, PATCH, DELETE")]
    Method,
    #[error("the request names no host, or names it in two ways")]
    Host,
    #[error("this host name is not answered here")]
    ForeignHost,
    #[error("the request's head is longer than allowed")]
    HeadTooLarge,
    #[error("GET and HEAD carry no body")]
    BodyOnRead,
    #[error("the body is longer than any operation takes")]
    BodyTooLarge,
    #[error("the target must not name a host")]
    AbsoluteForm,
    /// The HTTP parser refused the bytes themselves.
    #[error("the bytes are not an HTTP request")]
    NotHttp,
}

impl Incoming {
    /// # Errors
    /// When the request could be read in two ways, is from a browser, or names a host that is not ours.
    pub fn parse(arrival: Arrival, doors: &Doors) -> Result<Box<Self>, Box<Malformed>> {
        let Arrival {
            id,
            at,
            started,
            request,
            peer,
            fragment,
        } = arrival;
        let method = Method::parse(request.method().as_str());
        let malformed = |uri: &http::Uri, why: Fault| {
            Box::new(Malformed {
                id,
                started,
                peer,
                method,
                path: printable(uri.path()),
                why,
            })
        };
        let (mut parts, body) = request.into_parts();
        let headers = std::mem::take(&mut parts.headers);
        match check(&parts, method, fragment, headers, &body, doors) {
            Ok((method, target, sorted)) => Ok(Box::new(Self {
                id,
                at,
                started,
                peer,
                method,
                target,
                evidence: sorted.evidence,
                tenant: sorted.tenant,
                reason: sorted.reason,
                on_behalf_of: sorted.on_behalf_of,
                headers: sorted.forwarded,
                emptied: sorted.emptied,
                body: RequestBody::new(
                    body,
                    doors.body_bytes_max,
                    doors.upload_bytes_max,
                    doors.idle,
                ),
            })),
            Err(why) => Err(malformed(&parts.uri, why)),
        }
    }
}

fn check(
    parts: &http::request::Parts,
    method: Option<Method>,
    fragment: bool,
    headers: HeaderMap,
    body: &hyper::body::Incoming,
    doors: &Doors,
) -> Result<(Method, Target, Sorted), Fault> {
    let method = method.ok_or(Fault::Method)?;
    if fragment {
        return Err(TargetError::Fragment.into());
    }
    if head_bytes(parts, &headers) > doors.head_bytes_max {
        return Err(Fault::HeadTooLarge);
    }
    let sorted = headers::sort_request(headers)?;
    check_host(parts, &sorted, &doors.hosts)?;
    let received = parts
        .uri
        .path_and_query()
        .map_or_else(|| PathAndQuery::from_static("/"), PathAndQuery::clone);
    let target = Target::parse(&received)?;
    if matches!(method, Method::Get | Method::Head) && !http_body::Body::is_end_stream(body) {
        return Err(Fault::BodyOnRead);
    }
    let announced = http_body::Body::size_hint(body).lower();
    if announced > doors.upload_bytes_max.max(doors.body_bytes_max) {
        return Err(Fault::BodyTooLarge);
    }
    Ok((method, target, sorted))
}

/// As HTTP/1.1 would write it: the request line, and for each field its name, ": ", its value and the line end.
fn head_bytes(parts: &http::request::Parts, headers: &HeaderMap) -> usize {
    const AROUND_LINE: usize = "  HTTP/1.1\r\n\r\n".len();
    const AROUND_FIELD: usize = ": \r\n".len();
    let target = parts.uri.path_and_query().map_or(1, |it| it.as_str().len());
    let fields = headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + AROUND_FIELD);
    parts.method.as_str().len() + target + AROUND_LINE + fields.sum::<usize>()
}

/// RFC 9112 section 3.2 and RFC 9113 section 8.3.1: exactly one host, and the same in both places.
fn check_host(parts: &http::request::Parts, sorted: &Sorted, hosts: &Hosts) -> Result<(), Fault> {
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    if authority.is_some() && parts.version < Version::HTTP_2 {
        return Err(Fault::AbsoluteForm);
    }
    let host = sorted.host.as_ref().map(http::HeaderValue::as_bytes);
    let value = match (authority.map(str::as_bytes), host) {
        (Some(authority), Some(host)) if authority != host => return Err(Fault::Host),
        (Some(value), _) | (None, Some(value)) => value,
        (None, None) => return Err(Fault::Host),
    };
    match hosts.judge(value) {
        HostVerdict::Ours => Ok(()),
        HostVerdict::Foreign => Err(Fault::ForeignHost),
        HostVerdict::Malformed => Err(Fault::Host),
    }
}

fn printable(path: &str) -> Box<str> {
    path.bytes()
        .take(KEPT_PATH_BYTES_MAX)
        .map(|b| {
            if b.is_ascii_graphic() {
                char::from(b)
            } else {
                '?'
            }
        })
        .collect()
}
