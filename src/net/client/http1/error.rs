//! Why a request over HTTP/1.1 brought no complete response.

/// Why a request over HTTP/1.1 brought no complete response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Http1ClientError {
    #[error("the connection ended before the first byte of an answer")]
    NoResponse,
    /// The kernel gave up: what was sent was acknowledged by nobody.
    #[error("the other end is silent")]
    Silent,
    #[error("the connection ended within the answer")]
    Broken,
    #[error("the answer is not HTTP/1.1, or can be read in two ways")]
    NotHttp,
    /// The request's own body failed; nothing is wrong with the server.
    #[error("the request's body broke off")]
    RequestBody,
}
