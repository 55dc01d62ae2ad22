//! How tokens are obtained.

pub(super) mod answer;
pub mod application;
mod authorization_code;
pub mod client_credentials;
pub mod discovery;
pub mod mint_error;
mod refresh;
pub mod revocation;

use std::time::Duration;

use http::HeaderValue;

use crate::secret::Secret;

use self::mint_error::TokenResponseError;

/// What NinjaOne issued, checked: it can be dated and it can stand in a header.
pub(super) struct Granted {
    /// `Bearer …`, marked as sensitive.
    pub(super) authorization: HeaderValue,
    pub(super) life: Duration,
    pub(super) scopes: Vec<Box<str>>,
}

/// A whole answer of the token endpoint.
pub(super) struct Issued {
    pub(super) access: Result<Granted, TokenResponseError>,
    /// The access token's text, to be kept.
    pub(super) token: Secret<String>,
    /// None where the old one stays good, or where the platform issues none.
    pub(super) refresh: Option<Secret<String>>,
}
