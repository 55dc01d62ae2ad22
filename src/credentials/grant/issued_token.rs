//! An access token as NinjaOne issued it, validated and dated.

use std::time::Duration;

use http::HeaderValue;

use crate::{
    clock::{Moment, Reading},
    credentials::store::stored_login::StoredLogin,
};

use super::token_endpoint_error::TokenResponseError;

/// Longest access or refresh token that is accepted, in bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// A validated access token: its lifetime is known, and it can be sent in a header.
pub(in crate::credentials) struct IssuedToken {
    /// `Bearer …`, marked as sensitive.
    pub(in crate::credentials) authorization: HeaderValue,
    /// When the request was sent. The lifetime counts from here, so it is never overestimated.
    pub(in crate::credentials) requested: Reading,
    pub(in crate::credentials) lifetime: Duration,
    /// The scopes that NinjaOne granted; empty if it did not say.
    pub(in crate::credentials) scopes: Vec<Box<str>>,
}

impl IssuedToken {
    /// The access token of a stored login. None if it has expired, or was dated before the last boot.
    pub(in crate::credentials) fn from_stored(stored: &StoredLogin) -> Option<Self> {
        let access = stored.access_token.as_ref()?;
        let (minted, expires) = access.moments()?;
        let now = Moment::now();
        if expires <= now || minted > now {
            return None;
        }
        Some(Self {
            authorization: bearer_header(access.token.expose()).ok()?,
            requested: Reading {
                moment: minted,
                at: access.minted_at,
            },
            lifetime: expires.since(minted),
            scopes: stored.scopes.clone(),
        })
    }
}

/// The header value `Bearer <token>`. Accepts tokens of visible ASCII without spaces (RFC 6750 section 2.1), up to 8 KiB.
pub(super) fn bearer_header(token: &str) -> Result<HeaderValue, TokenResponseError> {
    let fits = (1..=TOKEN_BYTES_MAX).contains(&token.len());
    if !fits || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenResponseError::TokenMalformed);
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| TokenResponseError::TokenMalformed)?;
    value.set_sensitive(true);
    Ok(value)
}
