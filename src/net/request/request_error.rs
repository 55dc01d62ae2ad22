//! Why a request is refused before authentication.

use super::{headers::HeaderError, target::TargetError};

/// Why a request is refused before authentication. The texts go to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("this proxy does not serve the method")]
    Method,
    #[error("the request names no host, or names it in two ways")]
    Host,
    #[error("this proxy does not serve this host")]
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
    #[error(
        "the body is encoded ('Content-Encoding'), and a policy must be able to read it: send it as it is"
    )]
    EncodedBody,
    #[error("the body is longer than any operation takes")]
    BodyTooLarge,
    #[error("the target must not name a host")]
    AbsoluteForm,
    /// The HTTP parser refused the bytes themselves.
    #[error("the bytes are not an HTTP request")]
    NotHttp,
}

impl RequestError {
    /// The word of the audit line's `error`, from a closed set: what of the request was wrong.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Target(_) => "target",
            Self::Header(_) | Self::PseudoHeader | Self::Scheme => "header",
            Self::Method => "method",
            Self::Host | Self::MisdirectedHost => "host",
            Self::HeadTooLarge | Self::HeadUnfinished => "head",
            Self::UnexpectedBody | Self::EncodedBody | Self::BodyTooLarge => "body",
            Self::AbsoluteForm => "absolute-form",
            Self::NotHttp => "not-http",
        }
    }
}
