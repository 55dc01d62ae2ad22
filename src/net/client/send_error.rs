//! Why a pool could not bring a response, by whether the request may have reached the server.

use super::exchange_error::ExchangeError;

/// Why a request brought no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// Nothing of it was sent.
    NotSent(ExchangeError),
    /// It was sent on a connection that had served others, and the connection ended before the first byte of a response.
    StaleConnection,
    /// It may have arrived.
    MaybeSent(ExchangeError),
}
