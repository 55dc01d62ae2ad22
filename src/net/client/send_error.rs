//! Why a pool could not bring a response, by whether the request may have reached the server.

use super::exchange_error::ExchangeError;

/// Why a request brought no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// Nothing of it was sent.
    Unsent(ExchangeError),
    /// It was sent on a connection that had served others, and the connection ended before the first byte of a response.
    DiedReused,
    /// It may have arrived.
    Lost(ExchangeError),
}
