//! An access token with its dates, as it comes from NinjaOne or from the store.

use std::time::Duration;

use http::HeaderValue;

use crate::clock::{Moment, Timestamp};

use super::{grant::answer::authorization, store::kept::Kept};

/// An access token with its dates.
pub(super) struct Fresh {
    pub(super) authorization: HeaderValue,
    pub(super) minted: Moment,
    pub(super) minted_at: Timestamp,
    pub(super) life: Duration,
    pub(super) scopes: Vec<Box<str>>,
}

impl Fresh {
    /// The token that is kept, if this boot can date it and it has not ended.
    pub(super) fn of(kept: &Kept) -> Option<Self> {
        let access = kept.access.as_ref()?;
        let (minted, expires) = access.moments()?;
        let now = Moment::now();
        if expires <= now || minted > now {
            return None;
        }
        Some(Self {
            authorization: authorization(access.token.expose()).ok()?,
            minted,
            minted_at: access.minted_at,
            life: expires.since(minted),
            scopes: kept.scopes.clone(),
        })
    }
}
