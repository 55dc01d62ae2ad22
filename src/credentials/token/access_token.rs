//! An access token in its token cell: whether it may be sent, and when a rejection replaces it.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use http::HeaderValue;

use crate::{
    clock::{Moment, Reading, Timestamp},
    credentials::grant::issued_token::IssuedToken,
};

/// A token counts as expired this long before it is, so that it does not expire on its way, in milliseconds.
pub const EXPIRY_MARGIN_MS: u64 = 1_000;

/// How long a token that replaced a rejected one, and was accepted since, withstands a rejection, in milliseconds.
const HOLD_ACCEPTED_MS: u64 = 5_000;

/// The same for a token that was never accepted; doubles with each such token in a row.
const HOLD_NEVER_ACCEPTED_MS: u64 = 10_000;

/// Longest time that a token withstands a rejection, in milliseconds.
const HOLD_MS_MAX: u64 = 300_000;

/// Rejections of one token, without a request that it was good for in between, after which it counts as invalid: a single
/// one can also mean that the request lacks a privilege.
const UNBROKEN_REJECTIONS_MAX: u32 = 2;

/// An access token. Never printed: there is no `Debug`.
pub struct AccessToken {
    authorization: HeaderValue,
    generation: u64,
    /// How many tokens in a row NinjaOne rejected before this one; 0 if no rejection caused this renewal.
    rejected_before: u32,
    minted: Reading,
    expires: Reading,
    usable_until: Moment,
    scopes: Vec<Box<str>>,
    accepted: AtomicBool,
    /// Rejections since NinjaOne last accepted it.
    rejections: AtomicU32,
}

impl AccessToken {
    pub(in crate::credentials) fn new(
        issued: IssuedToken,
        generation: u64,
        rejected_before: u32,
    ) -> Self {
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
            rejections: AtomicU32::new(0),
        }
    }

    /// `Bearer …`, marked as sensitive.
    #[must_use]
    pub fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// Grows by one with each token of a cell.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When it was requested.
    #[must_use]
    pub fn minted(&self) -> Moment {
        self.minted.moment
    }

    /// When it expires.
    #[must_use]
    pub fn expires(&self) -> Moment {
        self.expires.moment
    }

    /// When it expires, by the wall clock. For display; decide with [`AccessToken::expires`].
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires.at
    }

    /// When it was requested, by the wall clock. For display.
    #[must_use]
    pub fn minted_at(&self) -> Timestamp {
        self.minted.at
    }

    /// The scopes that NinjaOne granted; empty if it did not say.
    #[must_use]
    pub fn scopes(&self) -> &[Box<str>] {
        &self.scopes
    }

    /// Whether the token may be sent.
    #[must_use]
    pub fn is_usable(&self, now: Moment) -> bool {
        now < self.usable_until
    }

    /// From this moment on the token is no longer sent.
    #[must_use]
    pub fn usable_until(&self) -> Moment {
        self.usable_until
    }

    /// Records that NinjaOne accepted this token: its response to a request was not 401.
    pub fn accept(&self) {
        // Reads first, because every request comes here and only the first one has to write.
        if !self.was_accepted() {
            self.accepted.store(true, Ordering::Relaxed);
        }
        if self.rejections.load(Ordering::Relaxed) != 0 {
            self.rejections.store(0, Ordering::Relaxed);
        }
    }

    /// Records that NinjaOne answered a request with 401.
    pub(super) fn record_rejection(&self) {
        self.rejections.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether NinjaOne has rejected it [`UNBROKEN_REJECTIONS_MAX`] times since it last accepted it.
    #[must_use]
    pub(super) fn is_rejected_repeatedly(&self) -> bool {
        self.rejections.load(Ordering::Relaxed) >= UNBROKEN_REJECTIONS_MAX
    }

    /// Whether NinjaOne ever accepted this token.
    #[must_use]
    pub fn was_accepted(&self) -> bool {
        self.accepted.load(Ordering::Relaxed)
    }

    /// From when on a rejection by NinjaOne causes a renewal.
    ///
    /// The first rejection does so at once. A token that a rejection has already renewed is held for a while, because a 401
    /// can also mean that a privilege is missing, which no new token fixes.
    #[must_use]
    pub fn replaceable_at(&self) -> Moment {
        let hold_ms = match self.rejected_before {
            0 => 0,
            _ if self.was_accepted() => HOLD_ACCEPTED_MS,
            row => HOLD_NEVER_ACCEPTED_MS
                .saturating_mul(1 << (row - 1).min(10))
                .min(HOLD_MS_MAX),
        };
        self.minted.moment.plus(Duration::from_millis(hold_ms))
    }

    /// How many tokens in a row are rejected, counting this one.
    pub(in crate::credentials) fn consecutive_rejections(&self) -> u32 {
        if self.was_accepted() {
            1
        } else {
            self.rejected_before.saturating_add(1)
        }
    }
}
