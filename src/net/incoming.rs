//! Turns what a protocol parsed into a well-formed request, or refuses it.

use http::uri::{Authority, PathAndQuery};
use http_body::Body;
use tokio::time::Instant;

use crate::{clock::Timestamp, names::RequestId};

use super::{
    body::RequestBody,
    body_timeouts::BodyPatience,
    headers::{HeaderError, Sorted},
    host::{HostVerdict, Hosts},
    incoming_body::WireBody,
    method::Method,
    peer::Peer,
    presented_credentials::Evidence,
    target::{Target, TargetError},
};

/// Longest part of a refused path that is recorded, in bytes.
pub const KEPT_PATH_BYTES_MAX: usize = 256;

/// A request as it came off a connection.
pub struct Arrival {
    /// Ours; in the response and the audit line.
    pub id: RequestId,
    /// When its head was complete, by the wall clock.
    pub at: Timestamp,
    /// The same moment, for durations.
    pub started: Instant,
    /// From whom.
    pub peer: Peer,
    /// What the protocol made of the bytes.
    pub wire: Wire,
}

/// What a protocol made of the bytes: a head and a body, or neither.
pub type Wire = Result<(Received, WireBody), Unreadable>;

/// A request's head, parsed but not checked.
pub struct Received {
    /// None: an unknown one.
    pub method: Option<Method>,
    /// As sent; not parsed yet.
    pub target: PathAndQuery,
    /// HTTP/2's `:authority`.
    pub authority: Option<Authority>,
    /// Sorted by what they are for.
    pub headers: Result<Sorted, HeaderError>,
    /// The head's size as HTTP/1.1 writes it.
    pub head_bytes: usize,
}

/// Malformed bytes, or a request that must not be read further. Over HTTP/1.1 the connection ends.
pub struct Unreadable {
    /// If that could be told.
    pub method: Option<Method>,
    /// What stood in the request line's path, if that could be told.
    pub path: Box<str>,
    /// The first error.
    pub why: Fault,
}

/// The rules that every request must keep, whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doors {
    /// Names that `Host` may have.
    pub hosts: Hosts,
    /// Longest head, in bytes.
    pub head_bytes_max: usize,
    /// Longest body, in bytes, for operations that take no file.
    pub body_bytes_max: u64,
    /// Longest body, in bytes, for operations that take one.
    pub upload_bytes_max: u64,
    /// For a body to arrive.
    pub body: BodyPatience,
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
    pub body: RequestBody,
}

/// A request that is malformed, that two readers could read differently, or that is not for us.
pub struct Malformed {
    /// As in [`Arrival`].
    pub id: RequestId,
    /// As in [`Arrival`].
    pub started: Instant,
    /// As in [`Arrival`].
    pub peer: Peer,
    /// If that could be told.
    pub method: Option<Method>,
    /// At most 256 bytes of what stood in the request line's path, printable ASCII only.
    pub path: Box<str>,
    /// The first error.
    pub why: Fault,
}

/// Why a request is refused before authentication. The texts go to the caller.
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
    #[error("the request's head was not finished, and its room was needed for others")]
    HeadUnfinished,
    #[error("a pseudo-header field is missing, repeated, unknown or out of place")]
    Pseudo,
    #[error("the scheme is neither http nor https")]
    Scheme,
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
            peer,
            wire,
        } = arrival;
        let malformed = |method: Option<Method>, path: &str, why: Fault| {
            Box::new(Malformed {
                id,
                started,
                peer,
                method,
                path: printable(path),
                why,
            })
        };
        let (mut received, body) = wire.map_err(|it| malformed(it.method, &it.path, it.why))?;
        let headers = std::mem::replace(&mut received.headers, Ok(Sorted::default()));
        match check(&received, headers, &body, doors) {
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
                body: RequestBody::new(
                    body,
                    doors.body_bytes_max,
                    doors.upload_bytes_max,
                    doors.body,
                ),
            })),
            Err(why) => Err(malformed(received.method, received.target.path(), why)),
        }
    }
}

fn check(
    received: &Received,
    headers: Result<Sorted, HeaderError>,
    body: &WireBody,
    doors: &Doors,
) -> Result<(Method, Target, Sorted), Fault> {
    let method = received.method.ok_or(Fault::Method)?;
    if received.head_bytes > doors.head_bytes_max {
        return Err(Fault::HeadTooLarge);
    }
    let sorted = headers?;
    check_host(received.authority.as_ref(), &sorted, &doors.hosts)?;
    let target = Target::parse(&received.target)?;
    if matches!(method, Method::Get | Method::Head) && !body.is_end_stream() {
        return Err(Fault::BodyOnRead);
    }
    if body.size_hint().lower() > doors.upload_bytes_max.max(doors.body_bytes_max) {
        return Err(Fault::BodyTooLarge);
    }
    Ok((method, target, sorted))
}

/// RFC 9112 section 3.2 and RFC 9113 section 8.3.1: exactly one host, and the same in both places.
fn check_host(authority: Option<&Authority>, sorted: &Sorted, hosts: &Hosts) -> Result<(), Fault> {
    let authority = authority.map(|it| it.as_str().as_bytes());
    let host = sorted.host.as_ref().map(http::HeaderValue::as_bytes);
    let value = match (authority, host) {
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
