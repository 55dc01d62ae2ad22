//! A login as it is stored.

use std::{fmt, fs, process, sync::OnceLock, time::Duration};

use crate::{
    clock::{Moment, Reading, Timestamp},
    names::{IdentityKind, TenantName},
    random,
    secret::Secret,
};

/// The place of one identity's login in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    pub tenant: TenantName,
    pub identity: IdentityKind,
}

/// The stem of its file names: `<tenant>.<identity>`.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.tenant, self.identity)
    }
}

/// A login as it is stored. Never printed: there is no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredLogin {
    /// Counts the token responses that were stored; 1 is the login itself.
    pub generation: u64,
    /// A login belongs to one application on one host.
    pub client_id: String,
    pub host: String,
    /// The scopes that NinjaOne granted; empty if it did not say.
    pub scopes: Vec<Box<str>>,
    pub logged_in_at: Timestamp,
    pub refreshed_at: Timestamp,
    /// None if the platform issues none.
    pub refresh_token: Option<Secret<String>>,
    pub access_token: Option<StoredAccessToken>,
    /// A token request with this refresh token whose result is not known.
    pub renewal_marker: Option<RenewalMarker>,
    /// Why the login is no longer valid; none while it is.
    pub ended: Option<LoginEnd>,
}

/// An access token, dated so that another process of the same boot knows its expiry without the wall clock.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredAccessToken {
    pub token: Secret<String>,
    pub minted_at: Timestamp,
    pub expires_at: Timestamp,
    /// The kernel's boot id when it was dated. The two moments mean nothing in another boot.
    pub boot: String,
    /// `CLOCK_BOOTTIME`, in milliseconds.
    pub minted_boot_ms: u64,
    pub expires_boot_ms: u64,
}

impl StoredAccessToken {
    /// Dates a token that was requested at `minted`, in this boot.
    #[must_use]
    pub fn dated(token: Secret<String>, minted: Reading, lifetime: Duration) -> Self {
        let expires = minted.plus(lifetime);
        Self {
            token,
            minted_at: minted.at,
            expires_at: expires.at,
            boot: boot_id().to_owned(),
            minted_boot_ms: minted.moment.boot_millis(),
            expires_boot_ms: expires.moment.boot_millis(),
        }
    }

    /// When it was requested and when it expires; none if it was dated in another boot.
    #[must_use]
    pub fn moments(&self) -> Option<(Moment, Moment)> {
        (self.boot == boot_id()).then(|| {
            let [minted, expires] =
                [self.minted_boot_ms, self.expires_boot_ms].map(Moment::from_boot_millis);
            (minted, expires)
        })
    }
}

/// A renewal marker: who began a token request, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalMarker {
    pub at: Timestamp,
    /// `<process id>@<boot id>`.
    pub by: String,
    /// The request got no response. False also if the process that made it died.
    pub is_response_lost: bool,
}

impl RenewalMarker {
    /// The marker of a request that this process begins now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            at: Timestamp::now(),
            by: format!("{}@{}", process::id(), boot_id()),
            is_response_lost: false,
        }
    }
}

/// When and why a login ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginEnd {
    pub at: Timestamp,
    /// A name from a closed set.
    pub reason: String,
}

/// Identifies this boot of this machine; this process only if the kernel gives no boot id.
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let said = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        match said.trim() {
            "" => format!("unknown-{:016x}", random::random_u64()),
            id => id.to_owned(),
        }
    })
}
