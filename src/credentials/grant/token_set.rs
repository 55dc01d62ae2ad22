//! What a successful response of the token endpoint holds.

use crate::{clock::Reading, secret::Secret};

use super::{issued_token::IssuedToken, token_endpoint_error::TokenResponseError};

/// A successful response of the token endpoint. Its access token may still be unusable.
pub(in crate::credentials) struct TokenSet {
    /// When the request was sent.
    pub(in crate::credentials) requested: Reading,
    pub(in crate::credentials) access: Result<IssuedToken, TokenResponseError>,
    /// The access token itself, for the store.
    pub(in crate::credentials) access_token: Secret<String>,
    /// None if the old refresh token stays valid, or if the platform issues none.
    pub(in crate::credentials) refresh_token: Option<Secret<String>>,
}
