//! A request's headers, sorted into what the proxy needs and what may reach NinjaOne. An allow-list: a header that nobody
//! thought of does not pass.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::presented_credentials::PresentedCredentials;

/// Most header lines in a request.
pub const HEADERS_MAX: usize = 64;
/// Longest `NJP-Reason`, `NJP-On-Behalf-Of` and `NJP-Tenant`, in bytes.
pub const TEXT_HEADER_BYTES_MAX: usize = 256;

/// Room for the forwarded headers of most requests.
const TYPICAL_FORWARDED_HEADERS: usize = 4;

/// Why a request's headers are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeaderError {
    #[error("there are more than {HEADERS_MAX} header lines")]
    TooMany,
    #[error("a header that may stand once stands twice")]
    Repeated,
    #[error("a header value has bytes that are not visible ASCII")]
    NotVisible,
    #[error("a header's name or value has characters that it must not have, or blanks at its ends")]
    Malformed,
    #[error("a header speaks of the connection, which HTTP/2 does not allow")]
    HopByHop,
    #[error("a header asks for another method than the request's")]
    MethodOverride,
    #[error("the request comes from a web page")]
    Browser,
    #[error("only 'Expect: 100-continue' is understood")]
    Expectation,
    #[error(
        "the body is framed otherwise than by 'Content-Length' or 'Transfer-Encoding: chunked'"
    )]
    Framing,
    #[error("'Connection' names a header without which the request would mean something else")]
    NamedByConnection,
    #[error("a part of a body ('Content-Range') is not taken: send it whole")]
    ContentRange,
    #[error("NJP-Reason and NJP-On-Behalf-Of hold 1 to 256 bytes of printable text")]
    InvalidText,
}

/// A request's headers, sorted by what they are for.
#[derive(Default)]
pub struct RequestHeaders {
    /// May reach NinjaOne.
    pub forwarded: Vec<(HeaderName, HeaderValue)>,
    /// Never reaches NinjaOne.
    pub credentials: PresentedCredentials,
    /// `NJP-Tenant`.
    pub tenant: Option<Box<str>>,
    /// `NJP-Reason`.
    pub reason: Option<Box<str>>,
    /// `NJP-On-Behalf-Of`.
    pub on_behalf_of: Option<Box<str>>,
    /// As sent.
    pub host: Option<HeaderValue>,
    /// A body is encoded in a way that a policy cannot read: `Content-Encoding` is not `identity`.
    pub is_encoded: bool,
}

/// What a request's header is for. A header that is none of these is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestHeaderKind {
    Host,
    /// May reach NinjaOne, and stand once.
    ForwardOnce(HeaderName),
    /// May reach NinjaOne.
    Forward(HeaderName),
    Authorization,
    ApiKey,
    /// Names those that end here.
    Connection,
    Tenant,
    Reason,
    OnBehalfOf,
    Origin,
    FetchSite,
    MethodOverride,
    ContentEncoding,
    ContentRange,
    Expect,
    ContentLength,
    TransferEncoding,
}

/// The table of request headers: what each name is for. The longest name bounds what is looked up, so that none can be left out
/// by being longer.
macro_rules! request_headers {
    ($($name:literal => $kind:expr,)*) => {
        /// The longest name in the table, in bytes.
        const REQUEST_NAME_BYTES_MAX: usize = {
            let mut longest = 0;
            $(if $name.len() > longest {
                longest = $name.len();
            })*
            longest
        };

        fn kind_of(lower: &[u8]) -> Option<RequestHeaderKind> {
            Some(match lower {
                $($name => $kind,)*
                _ => return None,
            })
        }
    };
}

// What is not here is dropped. That must never change what a request means, so each header that does so is forwarded, read by us,
// or refused. Dropped on purpose, because a recipient may ignore them: `te`, `trailer` (trailers end here), `upgrade`,
// `http2-settings`, `prefer`, `priority`, `cache-control`, `pragma`, `max-forwards` (none of its methods is served), `date`,
// `from`, `referer`, digests; and because they are not NinjaOne's business: cookies, `forwarded`, `x-forwarded-…`, `via`.
request_headers! {
    b"host" => RequestHeaderKind::Host,
    b"user-agent" => RequestHeaderKind::ForwardOnce(header::USER_AGENT),
    b"accept" => RequestHeaderKind::Forward(header::ACCEPT),
    b"accept-encoding" => RequestHeaderKind::Forward(header::ACCEPT_ENCODING),
    b"accept-language" => RequestHeaderKind::Forward(header::ACCEPT_LANGUAGE),
    // What the body is.
    b"content-type" => RequestHeaderKind::ForwardOnce(header::CONTENT_TYPE),
    b"content-language" => RequestHeaderKind::Forward(header::CONTENT_LANGUAGE),
    // A policy must be able to read the body.
    b"content-encoding" => RequestHeaderKind::ContentEncoding,
    // A part of a body would be taken for the whole (RFC 9110 section 14.5).
    b"content-range" => RequestHeaderKind::ContentRange,
    // Without its condition a write overwrites what somebody else has changed, and a read gets what it has already.
    b"if-match" => RequestHeaderKind::Forward(header::IF_MATCH),
    b"if-none-match" => RequestHeaderKind::ForwardOnce(header::IF_NONE_MATCH),
    b"if-modified-since" => RequestHeaderKind::ForwardOnce(header::IF_MODIFIED_SINCE),
    b"if-unmodified-since" => RequestHeaderKind::ForwardOnce(header::IF_UNMODIFIED_SINCE),
    // Only together: a range of what has changed since is no part of what the caller holds.
    b"range" => RequestHeaderKind::ForwardOnce(header::RANGE),
    b"if-range" => RequestHeaderKind::ForwardOnce(header::IF_RANGE),
    // Ours: who asks, for which tenant, why.
    b"authorization" => RequestHeaderKind::Authorization,
    b"x-api-key" => RequestHeaderKind::ApiKey,
    b"njp-tenant" => RequestHeaderKind::Tenant,
    b"njp-reason" => RequestHeaderKind::Reason,
    b"njp-on-behalf-of" => RequestHeaderKind::OnBehalfOf,
    // From web pages.
    b"origin" => RequestHeaderKind::Origin,
    b"sec-fetch-site" => RequestHeaderKind::FetchSite,
    // Another method than the one that policy looks at.
    b"x-http-method-override" => RequestHeaderKind::MethodOverride,
    b"x-method-override" => RequestHeaderKind::MethodOverride,
    b"x-http-method" => RequestHeaderKind::MethodOverride,
    // The connection's and the framing's.
    b"connection" => RequestHeaderKind::Connection,
    b"expect" => RequestHeaderKind::Expect,
    b"content-length" => RequestHeaderKind::ContentLength,
    b"transfer-encoding" => RequestHeaderKind::TransferEncoding,
}

impl RequestHeaderKind {
    /// By the name, in any letter case (RFC 9110 section 5.1); none for a header that is dropped.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut lower = [0; REQUEST_NAME_BYTES_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        kind_of(lower)
    }

    /// Whether the request would mean something else without the header.
    fn changes_meaning(&self) -> bool {
        match self {
            Self::ForwardOnce(name) | Self::Forward(name) => !matches!(
                *name,
                header::USER_AGENT
                    | header::ACCEPT
                    | header::ACCEPT_ENCODING
                    | header::ACCEPT_LANGUAGE
            ),
            Self::ContentEncoding | Self::ContentRange | Self::MethodOverride => true,
            // Ours; they have been taken out.
            _ => false,
        }
    }
}

/// Sorts a request's headers, one after the other.
#[derive(Default)]
pub struct RequestHeadersBuilder {
    headers: RequestHeaders,
    connection_options: Vec<HeaderValue>,
}

impl RequestHeadersBuilder {
    /// Adds one header.
    ///
    /// # Errors
    /// When the header is one that we refuse, or could be read in two ways.
    pub fn add(&mut self, kind: RequestHeaderKind, value: HeaderValue) -> Result<(), HeaderError> {
        let sorted = &mut self.headers;
        match kind {
            RequestHeaderKind::Host => set_once(&mut sorted.host, value),
            RequestHeaderKind::ForwardOnce(name) => {
                if sorted.forwarded.iter().any(|(kept, _)| *kept == name) {
                    return Err(HeaderError::Repeated);
                }
                push_forwarded(sorted, name, value)
            }
            RequestHeaderKind::Forward(name) => push_forwarded(sorted, name, value),
            RequestHeaderKind::Authorization => {
                set_once(&mut sorted.credentials.authorization, value)
            }
            RequestHeaderKind::ApiKey => set_once(&mut sorted.credentials.api_key, value),
            RequestHeaderKind::Connection => {
                self.connection_options.push(value);
                Ok(())
            }
            RequestHeaderKind::Tenant => set_text_header(&mut sorted.tenant, &value),
            RequestHeaderKind::Reason => set_text_header(&mut sorted.reason, &value),
            RequestHeaderKind::OnBehalfOf => set_text_header(&mut sorted.on_behalf_of, &value),
            // A browser sends these without being asked, and a page cannot hold them back (Fetch standard, forbidden
            // request headers). No browser may call: by DNS rebinding, any page could make it send requests.
            RequestHeaderKind::Origin => Err(HeaderError::Browser),
            RequestHeaderKind::FetchSite if value.as_bytes() != b"none" => {
                Err(HeaderError::Browser)
            }
            RequestHeaderKind::MethodOverride => Err(HeaderError::MethodOverride),
            RequestHeaderKind::ContentRange => Err(HeaderError::ContentRange),
            RequestHeaderKind::ContentEncoding => {
                let value = value.as_bytes().trim_ascii();
                sorted.is_encoded |= !value.is_empty() && !value.eq_ignore_ascii_case(b"identity");
                Ok(())
            }
            RequestHeaderKind::Expect
                if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") =>
            {
                Err(HeaderError::Expectation)
            }
            // Each protocol reads for itself what frames the body.
            RequestHeaderKind::FetchSite
            | RequestHeaderKind::Expect
            | RequestHeaderKind::ContentLength
            | RequestHeaderKind::TransferEncoding => Ok(()),
        }
    }

    /// The sorted headers, without those that `Connection` names (RFC 9110 section 7.6.1).
    ///
    /// # Errors
    /// `Connection` names one that must not be left out.
    pub fn build(mut self) -> Result<RequestHeaders, HeaderError> {
        for listed in &self.connection_options {
            for name in listed.to_str().unwrap_or_default().split(',') {
                let name = name.trim();
                let kind = RequestHeaderKind::from_name(name);
                if kind.is_some_and(|it| it.changes_meaning()) {
                    return Err(HeaderError::NamedByConnection);
                }
                self.headers
                    .forwarded
                    .retain(|(kept, _)| !kept.as_str().eq_ignore_ascii_case(name));
            }
        }
        Ok(self.headers)
    }
}

/// Sorts the headers of a request that came over HTTP/2.
///
/// # Errors
/// When a header is one that we refuse, or could be read in two ways.
pub fn parse_request_headers(headers: HeaderMap) -> Result<RequestHeaders, HeaderError> {
    if headers.len() > HEADERS_MAX {
        return Err(HeaderError::TooMany);
    }
    let mut builder = RequestHeadersBuilder::default();
    let mut current = None;
    for (name, value) in headers {
        if let Some(name) = name {
            current = RequestHeaderKind::from_name(name.as_str());
        }
        if let Some(kind) = &current {
            builder.add(kind.clone(), value)?;
        }
    }
    builder.build()
}

fn set_once(slot: &mut Option<HeaderValue>, value: HeaderValue) -> Result<(), HeaderError> {
    if slot.is_some() {
        return Err(HeaderError::Repeated);
    }
    *slot = Some(value);
    Ok(())
}

fn push_forwarded(
    sorted: &mut RequestHeaders,
    name: HeaderName,
    value: HeaderValue,
) -> Result<(), HeaderError> {
    if value.to_str().is_err() {
        return Err(HeaderError::NotVisible);
    }
    if sorted.forwarded.capacity() == 0 {
        sorted.forwarded.reserve_exact(TYPICAL_FORWARDED_HEADERS);
    }
    sorted.forwarded.push((name, value));
    Ok(())
}

fn set_text_header(slot: &mut Option<Box<str>>, value: &HeaderValue) -> Result<(), HeaderError> {
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| HeaderError::InvalidText)?
        .trim();
    if slot.is_some() {
        return Err(HeaderError::Repeated);
    }
    if text.is_empty() || text.len() > TEXT_HEADER_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(HeaderError::InvalidText);
    }
    *slot = Some(text.into());
    Ok(())
}
