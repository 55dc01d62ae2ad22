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
    Expect,
    ContentLength,
    TransferEncoding,
}

/// The longest name in [`RequestHeaderKind::from_name`], in bytes: raise it with a longer one, which would be dropped without a
/// word.
const REQUEST_NAME_BYTES_MAX: usize = "x-http-method-override".len();

impl RequestHeaderKind {
    /// By the name, in any letter case (RFC 9110 section 5.1); none for a header that is dropped.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut lower = [0; REQUEST_NAME_BYTES_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"host" => Self::Host,
            b"user-agent" => Self::ForwardOnce(header::USER_AGENT),
            b"content-type" => Self::ForwardOnce(header::CONTENT_TYPE),
            b"if-none-match" => Self::ForwardOnce(header::IF_NONE_MATCH),
            b"if-modified-since" => Self::ForwardOnce(header::IF_MODIFIED_SINCE),
            b"accept" => Self::Forward(header::ACCEPT),
            b"accept-encoding" => Self::Forward(header::ACCEPT_ENCODING),
            b"accept-language" => Self::Forward(header::ACCEPT_LANGUAGE),
            b"authorization" => Self::Authorization,
            b"x-api-key" => Self::ApiKey,
            b"connection" => Self::Connection,
            b"njp-tenant" => Self::Tenant,
            b"njp-reason" => Self::Reason,
            b"njp-on-behalf-of" => Self::OnBehalfOf,
            b"origin" => Self::Origin,
            b"sec-fetch-site" => Self::FetchSite,
            b"x-http-method-override" | b"x-method-override" | b"x-http-method" => {
                Self::MethodOverride
            }
            b"expect" => Self::Expect,
            b"content-length" => Self::ContentLength,
            b"transfer-encoding" => Self::TransferEncoding,
            _ => return None,
        })
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
    #[must_use]
    pub fn build(mut self) -> RequestHeaders {
        for listed in &self.connection_options {
            for name in listed.to_str().unwrap_or_default().split(',') {
                let name = name.trim();
                self.headers
                    .forwarded
                    .retain(|(kept, _)| !kept.as_str().eq_ignore_ascii_case(name));
            }
        }
        self.headers
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
    Ok(builder.build())
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
