//! Turns what a protocol parsed into a well-formed request, or refuses it.

use http::{
    HeaderName, HeaderValue,
    uri::{Authority, PathAndQuery},
};
use http_body::Body;
use tokio::time::Instant;

use crate::{
    clock::Timestamp,
    names::RequestId,
    net::{
        body::{incoming_body::IncomingBody, request_body::RequestBody, timeouts::BodyTimeouts},
        method::Method,
        peer::Peer,
    },
};

use super::{
    allowed_hosts::{AllowedHosts, HostMatch},
    headers::{HeaderError, RequestHeaders},
    presented_credentials::PresentedCredentials,
    target::{Target, TargetError},
};

/// Longest part of a refused path that is recorded, in bytes.
pub const RECORDED_PATH_BYTES_MAX: usize = 256;

/// A request as it came off a connection.
pub struct ReceivedRequest {
    /// Ours; in the response and the audit line.
    pub id: RequestId,
    /// When its head was complete, by the wall clock.
    pub received_at: Timestamp,
    /// The same moment, for durations.
    pub started: Instant,
    /// From whom.
    pub peer: Peer,
    /// What the protocol made of the bytes.
    pub parsed: ParsedRequest,
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
    /// What stood in the request line's path, if that could be told.
    pub path: Box<str>,
    /// The first error.
    pub error: RequestError,
}

/// The rules that every request must keep, whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRules {
    /// Names that `Host` may have.
    pub allowed_hosts: AllowedHosts,
    /// Longest head, in bytes.
    pub head_bytes_max: usize,
    /// Longest body, in bytes, for operations that take no file.
    pub body_bytes_max: u64,
    /// Longest body, in bytes, for operations that take one.
    pub upload_bytes_max: u64,
    /// For a body to arrive.
    pub body_timeouts: BodyTimeouts,
}

/// A well-formed request: everything that two readers could read differently has been refused.
///
/// Made by [`IncomingRequest::parse`] alone and read-only from then on, so that what policy looks at is what is sent. The body
/// travels beside it.
pub struct IncomingRequest {
    id: RequestId,
    received_at: Timestamp,
    started: Instant,
    peer: Peer,
    method: Method,
    target: Target,
    credentials: PresentedCredentials,
    tenant: Option<Box<str>>,
    reason: Option<Box<str>>,
    on_behalf_of: Option<Box<str>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A request that is malformed, that two readers could read differently, or that is not for us.
pub struct Malformed {
    /// As in [`ReceivedRequest`].
    pub id: RequestId,
    /// As in [`ReceivedRequest`].
    pub started: Instant,
    /// As in [`ReceivedRequest`].
    pub peer: Peer,
    /// If that could be told.
    pub method: Option<Method>,
    /// At most 256 bytes of what stood in the request line's path, printable ASCII only.
    pub path: Box<str>,
    /// The first error.
    pub error: RequestError,
}

/// Why a request is refused before authentication. The texts go to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("the method is not one of GET, HEAD, POST, PUT, PATCH, DELETE")]
    Method,
    #[error("the request names no host, or names it in two ways")]
    Host,
    #[error("this host name is not answered here")]
    MisdirectedHost,
    #[error("the request's head is longer than allowed")]
    HeadTooLarge,
    #[error("the request's head was not finished, and its room was needed for others")]
    HeadUnfinished,
    #[error("a pseudo-header field is missing, repeated, unknown or out of place")]
    PseudoHeader,
    #[error("the scheme is neither http nor https")]
    Scheme,
    #[error("GET and HEAD carry no body")]
    UnexpectedBody,
    #[error("the body is longer than any operation takes")]
    BodyTooLarge,
    #[error("the target must not name a host")]
    AbsoluteForm,
    /// The HTTP parser refused the bytes themselves.
    #[error("the bytes are not an HTTP request")]
    NotHttp,
}

impl IncomingRequest {
    /// Checks a request that came off the wire; gives it and its body, of which nothing has been read yet.
    ///
    /// # Errors
    /// When the request could be read in two ways, is from a browser, or names a host that is not ours.
    pub fn parse(
        arrival: ReceivedRequest,
        doors: &RequestRules,
    ) -> Result<(Box<Self>, RequestBody), Box<Malformed>> {
        let ReceivedRequest {
            id,
            received_at: at,
            started,
            peer,
            parsed: wire,
        } = arrival;
        let malformed = |method: Option<Method>, path: &str, why: RequestError| {
            Box::new(Malformed {
                id,
                started,
                peer,
                method,
                path: printable(path),
                error: why,
            })
        };
        let (mut received, body) = wire.map_err(|it| malformed(it.method, &it.path, it.error))?;
        let headers = std::mem::replace(&mut received.headers, Ok(RequestHeaders::default()));
        match check(&received, headers, &body, doors) {
            Ok((method, target, sorted)) => {
                let request = Box::new(Self {
                    id,
                    received_at: at,
                    started,
                    peer,
                    method,
                    target,
                    credentials: sorted.credentials,
                    tenant: sorted.tenant,
                    reason: sorted.reason,
                    on_behalf_of: sorted.on_behalf_of,
                    headers: sorted.forwarded,
                });
                let (most, upload_most) = (doors.body_bytes_max, doors.upload_bytes_max);
                let body = RequestBody::new(body, most, upload_most, doors.body_timeouts);
                Ok((request, body))
            }
            Err(why) => Err(malformed(received.method, received.target.path(), why)),
        }
    }

    /// The id that the caller is told, and that stands in every audit line of this request.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// When the head had been read, by the wall clock.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// When the head had been read, by the monotonic clock: durations are measured from here.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The other end of the connection.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The request's method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// What the request asks for: the canonical form that policy matches, and the received bytes that are forwarded.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What the caller presented to prove who it is.
    #[must_use]
    pub fn credentials(&self) -> &PresentedCredentials {
        &self.credentials
    }

    /// Takes the caller's credentials out; they are needed once and must not live as long as the request.
    pub fn take_credentials(&mut self) -> PresentedCredentials {
        std::mem::take(&mut self.credentials)
    }

    /// `NJP-Tenant`, as sent.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// `NJP-Reason`: at most 256 bytes of printable UTF-8.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// `NJP-On-Behalf-Of`: at most 256 bytes of printable UTF-8. The caller's claim; nobody checks it.
    #[must_use]
    pub fn on_behalf_of(&self) -> Option<&str> {
        self.on_behalf_of.as_deref()
    }

    /// The headers that may reach NinjaOne: the allow-list of [`super::headers`], nothing else.
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }
}

fn check(
    received: &RequestHead,
    headers: Result<RequestHeaders, HeaderError>,
    body: &IncomingBody,
    doors: &RequestRules,
) -> Result<(Method, Target, RequestHeaders), RequestError> {
    let method = received.method.ok_or(RequestError::Method)?;
    if received.head_bytes > doors.head_bytes_max {
        return Err(RequestError::HeadTooLarge);
    }
    let sorted = headers?;
    check_host(received.authority.as_ref(), &sorted, &doors.allowed_hosts)?;
    let target = Target::parse(&received.target)?;
    if matches!(method, Method::Get | Method::Head) && !body.is_end_stream() {
        return Err(RequestError::UnexpectedBody);
    }
    if body.size_hint().lower() > doors.upload_bytes_max.max(doors.body_bytes_max) {
        return Err(RequestError::BodyTooLarge);
    }
    Ok((method, target, sorted))
}

/// RFC 9112 section 3.2 and RFC 9113 section 8.3.1: exactly one host, and the same in both places.
fn check_host(
    authority: Option<&Authority>,
    sorted: &RequestHeaders,
    hosts: &AllowedHosts,
) -> Result<(), RequestError> {
    let authority = authority.map(|it| it.as_str().as_bytes());
    let host = sorted.host.as_ref().map(HeaderValue::as_bytes);
    let value = match (authority, host) {
        (Some(authority), Some(host)) if authority != host => return Err(RequestError::Host),
        (Some(value), _) | (None, Some(value)) => value,
        (None, None) => return Err(RequestError::Host),
    };
    match hosts.check(value) {
        HostMatch::Allowed => Ok(()),
        HostMatch::Misdirected => Err(RequestError::MisdirectedHost),
        HostMatch::Malformed => Err(RequestError::Host),
    }
}

fn printable(path: &str) -> Box<str> {
    path.bytes()
        .take(RECORDED_PATH_BYTES_MAX)
        .map(|b| {
            if b.is_ascii_graphic() {
                char::from(b)
            } else {
                '?'
            }
        })
        .collect()
}
