//! How an identity obtains tokens.

mod answer;
pub mod client_credentials;
pub mod mint_error;

use std::time::Duration;

use http::HeaderValue;

use self::{client_credentials::ClientCredentials, mint_error::MintError};

/// A way to obtain tokens, with what it takes.
pub enum Grant {
    ClientCredentials(ClientCredentials),
}

/// What NinjaOne issued, checked: it can be dated and it can stand in a header.
pub(super) struct Granted {
    /// `Bearer …`, marked as sensitive.
    pub(super) authorization: HeaderValue,
    pub(super) life: Duration,
    pub(super) scopes: Vec<Box<str>>,
}

impl Grant {
    pub(super) async fn mint(&self) -> Result<Granted, MintError> {
        match self {
            Self::ClientCredentials(grant) => grant.mint().await,
        }
    }
}
