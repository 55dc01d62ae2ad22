//! The JSON inside a sealed file: of a login, or of the high-water mark.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{clock::Timestamp, secret::Secret};

use super::stored_login::{LoginEnd, RenewalMarker, StoredAccessToken, StoredLogin};

/// Longest JSON, in bytes. With the header of the seal, a file stays below 64 KiB.
pub(super) const PLAINTEXT_BYTES_MAX: usize = 65_000;

/// A login with its revision.
pub(super) struct StoreRecord {
    /// Grows by one with each write of the slot, and goes on over a new login.
    pub(super) revision: u64,
    pub(super) login: StoredLogin,
}

impl StoreRecord {
    /// The JSON of a login; none if it would be longer than [`PLAINTEXT_BYTES_MAX`].
    pub(super) fn to_json(revision: u64, kept: &StoredLogin) -> Option<Zeroizing<Vec<u8>>> {
        bounded_json(&LoginJson {
            revision,
            generation: kept.generation,
            client_id: Cow::Borrowed(&kept.client_id),
            host: Cow::Borrowed(&kept.host),
            scopes: kept.scopes.iter().map(|it| Cow::Borrowed(&**it)).collect(),
            logged_in_at: kept.logged_in_at.unix_micros(),
            refreshed_at: kept.refreshed_at.unix_micros(),
            refresh_token: kept.refresh_token.as_ref().map(exposed),
            access: kept.access_token.as_ref().map(AccessTokenJson::of),
            mark: kept.renewal_marker.as_ref().map(|it| MarkerJson {
                at: it.at.unix_micros(),
                by: Cow::Borrowed(&it.by),
                is_answer_lost: it.is_response_lost,
            }),
            ended: kept.ended.as_ref().map(|it| LoginEndJson {
                at: it.at.unix_micros(),
                text: Cow::Borrowed(&it.reason),
            }),
        })
    }

    /// Parses what [`StoreRecord::to_json`] writes; none for anything else.
    pub(super) fn from_json(text: &[u8]) -> Option<Self> {
        let text: LoginJson<'_> = serde_json::from_slice(text).ok()?;
        let moment = Timestamp::from_unix_micros;
        Some(Self {
            revision: text.revision,
            login: StoredLogin {
                generation: text.generation,
                client_id: text.client_id.into_owned(),
                host: text.host.into_owned(),
                scopes: text.scopes.into_iter().map(Box::from).collect(),
                logged_in_at: moment(text.logged_in_at),
                refreshed_at: moment(text.refreshed_at),
                refresh_token: text.refresh_token.map(into_secret),
                access_token: text.access.map(AccessTokenJson::into_access_token),
                renewal_marker: text.mark.map(|it| RenewalMarker {
                    at: moment(it.at),
                    by: it.by.into_owned(),
                    is_response_lost: it.is_answer_lost,
                }),
                ended: text.ended.map(|it| LoginEnd {
                    at: moment(it.at),
                    reason: it.text.into_owned(),
                }),
            },
        })
    }
}

/// The high-water mark of a slot. A login of an older revision was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HighWaterMark {
    pub(super) revision: u64,
    /// The generation of the login of that revision, for debugging.
    pub(super) generation: u64,
    /// Whether there is a login: false before the first one and after a logout.
    pub(super) kept: bool,
}

impl HighWaterMark {
    pub(super) fn to_json(self) -> Option<Zeroizing<Vec<u8>>> {
        bounded_json(&self)
    }

    pub(super) fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}

/// The JSON of a login. All times are microseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginJson<'a> {
    revision: u64,
    generation: u64,
    #[serde(borrow)]
    client_id: Cow<'a, str>,
    #[serde(borrow)]
    host: Cow<'a, str>,
    scopes: Vec<Cow<'a, str>>,
    logged_in_at: i64,
    refreshed_at: i64,
    #[serde(borrow)]
    refresh_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    access: Option<AccessTokenJson<'a>>,
    #[serde(borrow)]
    mark: Option<MarkerJson<'a>>,
    #[serde(borrow)]
    ended: Option<LoginEndJson<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkerJson<'a> {
    at: i64,
    #[serde(borrow)]
    by: Cow<'a, str>,
    is_answer_lost: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessTokenJson<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    minted_at: i64,
    expires_at: i64,
    #[serde(borrow)]
    boot: Cow<'a, str>,
    minted_boot_ms: u64,
    expires_boot_ms: u64,
}

impl<'a> AccessTokenJson<'a> {
    fn of(access: &'a StoredAccessToken) -> Self {
        Self {
            token: exposed(&access.token),
            minted_at: access.minted_at.unix_micros(),
            expires_at: access.expires_at.unix_micros(),
            boot: Cow::Borrowed(&access.boot),
            minted_boot_ms: access.minted_boot_ms,
            expires_boot_ms: access.expires_boot_ms,
        }
    }

    fn into_access_token(self) -> StoredAccessToken {
        StoredAccessToken {
            token: into_secret(self.token),
            minted_at: Timestamp::from_unix_micros(self.minted_at),
            expires_at: Timestamp::from_unix_micros(self.expires_at),
            boot: self.boot.into_owned(),
            minted_boot_ms: self.minted_boot_ms,
            expires_boot_ms: self.expires_boot_ms,
        }
    }
}

/// A time and a name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginEndJson<'a> {
    at: i64,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

fn exposed(secret: &Secret<String>) -> Cow<'_, str> {
    Cow::Borrowed(secret.expose())
}

fn into_secret(text: Cow<'_, str>) -> Secret<String> {
    Secret::new(text.into_owned())
}

/// Serialises into a preallocated buffer, because one that grows would leave copies of a token behind.
fn bounded_json(value: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    let mut room = Zeroizing::new(vec![0; PLAINTEXT_BYTES_MAX]);
    let mut rest = room.as_mut_slice();
    serde_json::to_writer(&mut rest, value).ok()?;
    let used = PLAINTEXT_BYTES_MAX - rest.len();
    room.truncate(used);
    Some(room)
}
