//! Turns what a protocol parsed into a well-formed request, or refuses it.

use http::{HeaderName, HeaderValue, uri::Authority};
use http_body::Body;
use tokio::time::Instant;

use crate::{
    clock::Timestamp,
    names::RequestId,
    net::{
        body::{incoming_body::IncomingBody, request_body::RequestBody},
        exceeded_size::ExceededSize,
        method::Method,
        peer::Peer,
    },
};

use super::{
    allowed_hosts::{AllowedHosts, HostMatch},
    check_error::CheckError,
    headers::{HeaderError, RequestHeaders},
    parsed_request::{ParsedRequest, RequestHead, recorded_text},
    presented_credentials::PresentedCredentials,
    request_error::RequestError,
    request_rules::RequestRules,
    target::Target,
};

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
    /// Whether its connection speaks TLS.
    pub is_tls: bool,
    /// What the protocol made of the bytes.
    pub parsed: ParsedRequest,
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
    is_tls: bool,
    authority: RequestAuthority,
    method: Method,
    target: Target,
    credentials: PresentedCredentials,
    tenant: Option<Box<str>>,
    reason: Option<Box<str>>,
    on_behalf_of: Option<Box<str>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Where the protocols keep the host; moved, because hardly a request is asked for it.
enum RequestAuthority {
    Http1(Option<HeaderValue>),
    Http2(Authority),
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
    /// A method that is none of ours: at most 32 bytes, printable ASCII only.
    pub unknown_method: Option<Box<str>>,
    /// At most 256 bytes of what stood in the request line's path, printable ASCII only.
    pub path: Box<str>,
    /// The first error.
    pub error: RequestError,
    /// The host that it named, if that is not ours: at most 256 bytes, printable ASCII only.
    pub host: Option<Box<str>>,
    /// The sizes of what is too large, as far as they are known.
    pub exceeded: Option<ExceededSize>,
}

impl IncomingRequest {
    /// Checks a request that came off the wire; gives it and its body, of which nothing has been read yet.
    ///
    /// # Errors
    /// When the request could be read in two ways, is from a browser, or names a host that is not ours.
    pub fn parse(
        received: ReceivedRequest,
        rules: &RequestRules,
    ) -> Result<(Box<Self>, RequestBody), Box<Malformed>> {
        let ReceivedRequest {
            id,
            received_at,
            started,
            peer,
            is_tls,
            parsed,
        } = received;
        let malformed = |method: Option<Method>, path: &str, why: CheckError| {
            let CheckError {
                error,
                host,
                exceeded,
            } = why;
            Box::new(Malformed {
                id,
                started,
                peer,
                method,
                unknown_method: None,
                path: recorded_text(path.as_bytes()),
                error,
                host,
                exceeded: exceeded.or_else(|| rules.exceeded_size(error)),
            })
        };
        let (mut head, body) = parsed.map_err(|it| {
            let mut refused = malformed(it.method, &it.path, it.error.into());
            refused.unknown_method = it.unknown_method;
            refused
        })?;
        let headers = std::mem::replace(&mut head.headers, Ok(RequestHeaders::default()));
        match check(&head, headers, &body, rules) {
            Ok((method, target, headers)) => {
                let authority = match head.authority.take() {
                    Some(authority) => RequestAuthority::Http2(authority),
                    None => RequestAuthority::Http1(headers.host),
                };
                let request = Box::new(Self {
                    id,
                    received_at,
                    started,
                    peer,
                    is_tls,
                    authority,
                    method,
                    target,
                    credentials: headers.credentials,
                    tenant: headers.tenant,
                    reason: headers.reason,
                    on_behalf_of: headers.on_behalf_of,
                    headers: headers.forwarded,
                });
                let (bytes_max, upload_bytes_max) = (rules.body_bytes_max, rules.upload_bytes_max);
                let body = RequestBody::new(body, bytes_max, upload_bytes_max, rules.body_timeouts);
                Ok((request, body))
            }
            Err(why) => Err(malformed(head.method, head.target.path(), why)),
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

    /// The origin by which the caller reached us: `http://localhost:6465`.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let authority = match &self.authority {
            RequestAuthority::Http1(host) => host.as_ref().and_then(|it| it.to_str().ok()),
            RequestAuthority::Http2(authority) => Some(authority.as_str()),
        };
        // A request without a host is refused.
        format!("{scheme}://{}", authority.unwrap_or_default())
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
    head: &RequestHead,
    headers: Result<RequestHeaders, HeaderError>,
    body: &IncomingBody,
    rules: &RequestRules,
) -> Result<(Method, Target, RequestHeaders), CheckError> {
    let method = head.method.ok_or(RequestError::Method)?;
    if head.head_bytes > rules.head_bytes_max {
        let (allowed, sent) = (rules.head_bytes_max as u64, head.head_bytes as u64);
        return Err(CheckError::too_large(
            RequestError::HeadTooLarge,
            allowed,
            sent,
        ));
    }
    let headers = headers?;
    check_host(head.authority.as_ref(), &headers, &rules.allowed_hosts)?;
    let target = Target::parse(&head.target)?;
    if matches!(method, Method::Get | Method::Head) && !body.is_end_stream() {
        return Err(RequestError::UnexpectedBody.into());
    }
    if headers.is_encoded && !body.is_end_stream() {
        return Err(RequestError::EncodedBody.into());
    }
    let (allowed, declared) = (rules.any_body_bytes_max(), body.size_hint().lower());
    if declared > allowed {
        return Err(CheckError::too_large(
            RequestError::BodyTooLarge,
            allowed,
            declared,
        ));
    }
    Ok((method, target, headers))
}

/// RFC 9112 section 3.2 and RFC 9113 section 8.3.1: exactly one host, and the same in both fields.
fn check_host(
    authority: Option<&Authority>,
    headers: &RequestHeaders,
    hosts: &AllowedHosts,
) -> Result<(), CheckError> {
    let authority = authority.map(|it| it.as_str().as_bytes());
    let host = headers.host.as_ref().map(HeaderValue::as_bytes);
    let value = match (authority, host) {
        (Some(authority), Some(host)) if authority != host => return Err(RequestError::Host.into()),
        (Some(value), _) | (None, Some(value)) => value,
        (None, None) => return Err(RequestError::Host.into()),
    };
    match hosts.check(value) {
        HostMatch::Allowed => Ok(()),
        HostMatch::Misdirected => Err(CheckError {
            // As `listen.hosts` takes it: without port.
            host: Some(recorded_text(AllowedHosts::without_port(value))),
            ..CheckError::from(RequestError::MisdirectedHost)
        }),
        HostMatch::Malformed => Err(RequestError::Host.into()),
    }
}
