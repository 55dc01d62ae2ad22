//! An access token.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use http::HeaderValue;

use crate::clock::{Moment, Reading, Timestamp};

use super::grant::issued_token::IssuedToken;

/// A token is not handed out in the last moments of its life, so that it does not end on its way.
pub const EXPIRY_MARGIN_MS: u64 = 1_000;

/// How long a token that replaced a rejected one, and has worked since, is kept before a rejection replaces it.
const HOLD_WORKED_MS: u64 = 5_000;

/// The same for a token that has never worked; doubles with each such token in a row.
const HOLD_NEVER_WORKED_MS: u64 = 10_000;

/// Longest hold.
const HOLD_MS_MAX: u64 = 300_000;

/// What NinjaOne issued. Never printed: there is no `Debug`.
pub struct AccessToken {
    authorization: HeaderValue,
    generation: u64,
    /// How many tokens in a row before this one NinjaOne rejected; 0 if this one was not minted because of a rejection.
    rejected_before: u32,
    minted: Reading,
    expires: Reading,
    usable_until: Moment,
    scopes: Vec<Box<str>>,
    accepted: AtomicBool,
}

impl AccessToken {
    pub(super) fn new(issued: IssuedToken, generation: u64, rejected_before: u32) -> Self {
        let margin = Duration::from_millis(EXPIRY_MARGIN_MS);
        let usable = issued.lifetime.saturating_sub(margin);
        Self {
            authorization: issued.authorization,
            generation,
            rejected_before,
            minted: issued.requested,
            expires: issued.requested.plus(issued.lifetime),
            usable_until: issued.requested.moment.plus(usable),
            scopes: issued.scopes,
            accepted: AtomicBool::new(false),
        }
    }

    /// `Bearer …`, marked as sensitive.
    #[must_use]
    pub fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// Grows by one with each token of a vault.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    #[must_use]
    pub fn minted(&self) -> Moment {
        self.minted.moment
    }

    #[must_use]
    pub fn expires(&self) -> Moment {
        self.expires.moment
    }

    /// For people; decisions are made by [`AccessToken::expires`].
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires.at
    }

    /// For people.
    #[must_use]
    pub fn minted_at(&self) -> Timestamp {
        self.minted.at
    }

    /// What NinjaOne granted; empty if it did not say.
    #[must_use]
    pub fn scopes(&self) -> &[Box<str>] {
        &self.scopes
    }

    /// Whether the token may be sent.
    #[must_use]
    pub fn is_usable(&self, now: Moment) -> bool {
        now < self.usable_until
    }

    /// From this moment on the token is not sent any more.
    #[must_use]
    pub fn usable_until(&self) -> Moment {
        self.usable_until
    }

    /// NinjaOne answered something else than 401 to this token.
    pub fn accept(&self) {
        // Read first: every request passes here, and only the first one has something to write.
        if !self.was_accepted() {
            self.accepted.store(true, Ordering::Relaxed);
        }
    }

    #[must_use]
    pub fn was_accepted(&self) -> bool {
        self.accepted.load(Ordering::Relaxed)
    }

    /// From when on a rejection by NinjaOne replaces this token.
    ///
    /// The first rejection does so at once. A token that itself came of a rejection is held for a while: a 401 can mean
    /// that a privilege is missing, which no new token cures.
    #[must_use]
    pub fn replaceable_at(&self) -> Moment {
        let hold_ms = match self.rejected_before {
            0 => 0,
            _ if self.was_accepted() => HOLD_WORKED_MS,
            row => HOLD_NEVER_WORKED_MS
                .saturating_mul(1 << (row - 1).min(10))
                .min(HOLD_MS_MAX),
        };
        self.minted.moment.plus(Duration::from_millis(hold_ms))
    }

    /// How many tokens in a row were rejected if this one is rejected, too.
    pub(super) fn rejected_with_this(&self) -> u32 {
        if self.was_accepted() {
            1
        } else {
            self.rejected_before.saturating_add(1)
        }
    }
}
