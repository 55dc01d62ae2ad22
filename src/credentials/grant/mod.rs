//! The OAuth grants: how tokens are requested, and revoked, at NinjaOne.

pub mod application;
mod authorization_code;
pub mod client_credentials;
pub mod discovery;
pub(super) mod issued_token;
mod refresh_token;
pub mod revocation;
pub mod token_error;
pub(super) mod token_response;

use crate::{clock::Reading, secret::Secret};

use self::{issued_token::IssuedToken, token_error::TokenResponseError};

/// A successful response of the token endpoint. Its access token may still be unusable.
pub(super) struct TokenSet {
    /// When the request was sent.
    pub(super) requested: Reading,
    pub(super) access: Result<IssuedToken, TokenResponseError>,
    /// The access token itself, for the store.
    pub(super) access_token: Secret<String>,
    /// None if the old refresh token stays valid, or if the platform issues none.
    pub(super) refresh_token: Option<Secret<String>>,
}
