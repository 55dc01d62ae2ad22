//! Why a request to a server failed, whatever the protocol.

use super::{http1::Http1ClientError, tunnel_error::TunnelError};

/// Why a request to a server failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ExchangeError {
    #[error("the host name could not be resolved")]
    Resolve,
    #[error("looking the host name up took too long")]
    ResolveTimedOut,
    #[error("the connection was refused or could not be made")]
    Connect,
    #[error("connecting took too long")]
    ConnectTimedOut,
    #[error("the TLS certificate was not accepted")]
    Certificate,
    #[error("TLS failed")]
    Tls,
    #[error("it took too long")]
    TimedOut,
    #[error("the connection broke")]
    Broken,
    #[error("the answer is not HTTP")]
    NotHttp,
    #[error("the answer is too long")]
    TooLong,
    /// The outgoing proxy gave no way to the server: nothing was sent.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
}

impl ExchangeError {
    /// The error type of RFC 9209 section 2.3.
    #[must_use]
    pub const fn proxy_status(self) -> &'static str {
        match self {
            Self::Resolve => "dns_error",
            Self::ResolveTimedOut => "dns_timeout",
            Self::Connect => "connection_refused",
            Self::Certificate => "tls_certificate_error",
            Self::Tls => "tls_protocol_error",
            Self::ConnectTimedOut => "connection_timeout",
            Self::TimedOut => "connection_read_timeout",
            Self::Broken => "connection_terminated",
            Self::NotHttp => "http_protocol_error",
            Self::TooLong => "http_response_body_size",
            Self::Tunnel(error) => error.proxy_status(),
        }
    }

    /// What an error of the HTTP/2 library means.
    #[must_use]
    pub fn from_hyper(error: &hyper::Error) -> Self {
        if error.is_parse() || error.is_parse_status() {
            Self::NotHttp
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Broken
        }
    }
}

impl From<Http1ClientError> for ExchangeError {
    fn from(failure: Http1ClientError) -> Self {
        match failure {
            Http1ClientError::NotHttp => Self::NotHttp,
            Http1ClientError::Silent => Self::TimedOut,
            Http1ClientError::NoResponse
            | Http1ClientError::Broken
            | Http1ClientError::RequestBody => Self::Broken,
        }
    }
}
