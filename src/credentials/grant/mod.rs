//! How tokens are obtained.

pub(super) mod answer;
pub mod application;
mod authorization_code;
pub mod client_credentials;
pub mod discovery;
pub(super) mod issued_token;
pub mod mint_error;
mod refresh;
pub mod revocation;

use crate::{clock::Reading, secret::Secret};

use self::{issued_token::IssuedToken, mint_error::TokenResponseError};

/// A whole response of the token endpoint.
pub(super) struct Issued {
    /// When it was asked for.
    pub(super) requested: Reading,
    pub(super) access: Result<IssuedToken, TokenResponseError>,
    /// The access token's text, to be kept.
    pub(super) token: Secret<String>,
    /// None where the old one stays good, or where the platform issues none.
    pub(super) refresh: Option<Secret<String>>,
}
