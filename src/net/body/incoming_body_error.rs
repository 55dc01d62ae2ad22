//! Why a request's body ended early on the caller's side, whatever the protocol.

/// Why a body did not come to its end. The texts are for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IncomingBodyError {
    #[error("the connection ended within the body")]
    Disconnected,
    #[error("what came is not the coding that was announced")]
    Malformed,
}
