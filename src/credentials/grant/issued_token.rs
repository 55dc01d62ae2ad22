//! An access token that NinjaOne has issued, checked and dated.

use std::time::Duration;

use http::HeaderValue;

use crate::{
    clock::{Moment, Reading},
    credentials::store::kept::Kept,
};

use super::answer::authorization;

/// An access token that can be dated and can stand in a header.
pub(in crate::credentials) struct IssuedToken {
    /// `Bearer …`, marked as sensitive.
    pub(in crate::credentials) authorization: HeaderValue,
    /// When it was asked for: its life cannot have begun before that.
    pub(in crate::credentials) requested: Reading,
    pub(in crate::credentials) lifetime: Duration,
    /// What NinjaOne granted; empty if it did not say.
    pub(in crate::credentials) scopes: Vec<Box<str>>,
}

impl IssuedToken {
    /// The stored token; none if it was dated in another boot, or has expired.
    pub(in crate::credentials) fn from_stored(kept: &Kept) -> Option<Self> {
        let access = kept.access.as_ref()?;
        let (minted, expires) = access.moments()?;
        let now = Moment::now();
        if expires <= now || minted > now {
            return None;
        }
        Some(Self {
            authorization: authorization(access.token.expose()).ok()?,
            requested: Reading {
                moment: minted,
                at: access.minted_at,
            },
            lifetime: expires.since(minted),
            scopes: kept.scopes.clone(),
        })
    }
}
