//! What can be made to go wrong, and for how many requests.

use std::{
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sandbox::State;

/// Longest delay that can be asked for, and how long a request hangs that is to hang.
pub(super) const DELAY_MAX: Duration = Duration::from_mins(10);

/// The switches. The module's own table says what each does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, and any of them may be on together"
)]
pub struct Faults {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// 400 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "is_off")]
    pub insufficient_privileges: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_ms: Option<u32>,
    #[serde(skip_serializing_if = "is_off")]
    pub lose_response: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub cut_body: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenTrouble>,
    /// How many more requests the switches apply to; until cleared if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Done at once, and then off again.
    #[serde(skip_serializing_if = "is_off")]
    pub revoke_tokens: bool,
    /// Done at once, and then off again.
    #[serde(skip_serializing_if = "is_off")]
    pub expire_tokens: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_off(switch: &bool) -> bool {
    !switch
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Throttle {
    #[serde(rename = "429")]
    Status,
    /// A page with status 200.
    #[serde(rename = "html")]
    Page,
}

/// What the token endpoint does instead of what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenTrouble {
    /// 400 to 599, with the body that is known for it.
    Status(u16),
    Page,
    /// 200 without a body.
    Empty,
    /// 200 with a body that is no JSON.
    NotJson,
    /// Nothing, until the other end gives up or ten minutes have passed.
    Hang,
    /// A token, after so many milliseconds.
    Slow(u32),
    /// A token with this as `expires_in`.
    Life(StatedLife),
}

/// What `expires_in` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedLife {
    Seconds(i64),
    /// `"3600"`: a string where a number should be.
    Text,
    Absent,
}

/// Not a trouble of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`token` is a status from 400 to 599, html, empty, not_json, hang, slow:MS, expires_in:N, expires_in:string or expires_in:absent"
)]
pub struct UnknownTrouble;

impl FromStr for TokenTrouble {
    type Err = UnknownTrouble;

    fn from_str(text: &str) -> Result<Self, UnknownTrouble> {
        if let Some(life) = text.strip_prefix("expires_in:") {
            return match life {
                "string" => Ok(Self::Life(StatedLife::Text)),
                "absent" => Ok(Self::Life(StatedLife::Absent)),
                seconds => seconds
                    .parse()
                    .map(|it| Self::Life(StatedLife::Seconds(it)))
                    .map_err(|_| UnknownTrouble),
            };
        }
        if let Some(millis) = text.strip_prefix("slow:") {
            return millis.parse().map(Self::Slow).map_err(|_| UnknownTrouble);
        }
        match text {
            "html" => Ok(Self::Page),
            "empty" => Ok(Self::Empty),
            "not_json" => Ok(Self::NotJson),
            "hang" => Ok(Self::Hang),
            status => status
                .parse()
                .ok()
                .filter(|status| is_error_status(*status))
                .map(Self::Status)
                .ok_or(UnknownTrouble),
        }
    }
}

impl TryFrom<String> for TokenTrouble {
    type Error = UnknownTrouble;

    fn try_from(text: String) -> Result<Self, UnknownTrouble> {
        text.parse()
    }
}

impl From<TokenTrouble> for String {
    fn from(trouble: TokenTrouble) -> Self {
        match trouble {
            TokenTrouble::Status(status) => status.to_string(),
            TokenTrouble::Page => "html".to_owned(),
            TokenTrouble::Empty => "empty".to_owned(),
            TokenTrouble::NotJson => "not_json".to_owned(),
            TokenTrouble::Hang => "hang".to_owned(),
            TokenTrouble::Slow(millis) => format!("slow:{millis}"),
            TokenTrouble::Life(StatedLife::Seconds(seconds)) => format!("expires_in:{seconds}"),
            TokenTrouble::Life(StatedLife::Text) => "expires_in:string".to_owned(),
            TokenTrouble::Life(StatedLife::Absent) => "expires_in:absent".to_owned(),
        }
    }
}

fn is_error_status(status: u16) -> bool {
    (400..600).contains(&status)
}

/// Why switches were not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFaults {
    #[error("not an object of switches: {0}")]
    NotUnderstood(String),
    #[error("`status` is from 400 to 599")]
    Status,
    #[error("`count` is at least 1; to switch off, DELETE")]
    Count,
}

impl Faults {
    /// Reads the body of `POST /sandbox/faults`.
    ///
    /// # Errors
    /// It is not an object of known switches, or one has a value that it cannot have.
    pub fn parse(body: &[u8]) -> Result<Self, BadFaults> {
        // Through a map: a list would be taken for the switches in their order.
        let faults: Self = serde_json::from_slice::<Map<String, Value>>(body)
            .and_then(|switches| serde_json::from_value(Value::Object(switches)))
            .map_err(|error| BadFaults::NotUnderstood(error.to_string()))?;
        if faults.status.is_some_and(|it| !is_error_status(it)) {
            return Err(BadFaults::Status);
        }
        if faults.count == Some(0) {
            return Err(BadFaults::Count);
        }
        Ok(faults)
    }

    fn concern_the_api(&self) -> bool {
        self.throttle.is_some()
            || self.status.is_some()
            || self.insufficient_privileges
            || self.slow_ms.is_some()
            || self.lose_response
            || self.cut_body
    }

    pub(super) fn delay(&self) -> Option<Duration> {
        let millis = u64::from(self.slow_ms?);
        Some(Duration::from_millis(millis).min(DELAY_MAX))
    }
}

/// The switches as they stand.
#[derive(Default)]
pub(super) struct Switches(Mutex<Faults>);

impl Switches {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults of the API request that asks, which counts.
    pub(super) fn for_api(&self) -> Faults {
        let mut faults = self.faults();
        if !faults.concern_the_api() {
            return Faults::default();
        }
        count_down(&mut faults)
    }

    /// The trouble of the token request that asks, which counts, and its `Retry-After`.
    pub(super) fn for_token(&self) -> (Option<TokenTrouble>, Option<u32>) {
        let mut faults = self.faults();
        if faults.token.is_none() {
            return (None, None);
        }
        let applied = count_down(&mut faults);
        (applied.token, applied.retry_after)
    }
}

fn count_down(faults: &mut Faults) -> Faults {
    let applied = faults.clone();
    match faults.count {
        None => {}
        Some(0 | 1) => *faults = Faults::default(),
        Some(more) => faults.count = Some(more - 1),
    }
    applied
}

/// Where faults are switched on and off.
#[derive(Clone)]
pub struct FaultDesk {
    state: Arc<State>,
}

impl FaultDesk {
    pub(super) const fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// These, instead of those that were on.
    pub fn set(&self, mut faults: Faults) {
        if std::mem::take(&mut faults.revoke_tokens) {
            self.state.tokens.revoke_all();
        }
        if std::mem::take(&mut faults.expire_tokens) {
            self.state.tokens.expire_all();
        }
        *self.state.switches.faults() = faults;
    }

    pub fn clear(&self) {
        self.set(Faults::default());
    }

    /// Those that are on, with what is left of `count`.
    #[must_use]
    pub fn now(&self) -> Faults {
        self.state.switches.faults().clone()
    }
}
