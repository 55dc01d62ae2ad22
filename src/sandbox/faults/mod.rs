//! The faults that can be switched on, and for how many requests.

mod hidden_limit;
mod throttle;
mod token;

use std::{
    sync::{Arc, MutexGuard},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    lock::Lock,
    sandbox::{SandboxState, oauth::grant_type::GrantType},
};

pub use self::{
    hidden_limit::{HiddenLimit, HiddenLimitError, RetryAfterForm},
    throttle::Throttle,
    token::{ExpiresInFault, GrantErrorCode, TokenEndpointFault, TokenEndpointFaultParseError},
};

pub(super) use self::hidden_limit::ExceededLimit;

use self::hidden_limit::TokenBucket;

/// Longest delay that can be asked for, and how long a request hangs that is to hang.
pub(super) const DELAY_MAX: Duration = Duration::from_mins(10);

/// Where the reports are.
const REPORTS: &str = "/v2/queries/";

/// Most hidden limits at a time.
const LIMITS_MAX: usize = 16;

/// The switches. The module's own table says what each does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// A gateway's page with this status, 400 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u16>,
    #[serde(skip_serializing_if = "is_off")]
    pub insufficient_privileges: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_ms: Option<u32>,
    /// The same for the reports below `/v2/queries` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_reports_ms: Option<u32>,
    #[serde(skip_serializing_if = "is_off")]
    pub lose_response: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub cut_body: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionFault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenEndpointFault>,
    /// `token` applies to requests with this `grant_type` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_grant: Option<GrantType>,
    /// How many more requests the switches apply to; until cleared if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Done at once, and then off again.
    #[serde(skip_serializing_if = "is_off")]
    pub revoke_tokens: bool,
    /// Done at once, and then off again.
    #[serde(skip_serializing_if = "is_off")]
    pub expire_tokens: bool,
    /// Lasts, whatever `count` says, as all below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_life_seconds: Option<u32>,
    #[serde(skip_serializing_if = "is_off")]
    pub reuse_ends_login: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub issuer_in_answers: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub no_discovery: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub new_cursor_names: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub renewal_ends_access_token: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub check_bodies: bool,
    /// Seconds between the PINGs of an HTTP/2 connection that is opened from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<HiddenLimit>,
}

/// What becomes of the connection of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionFault {
    /// HTTP/2: `GOAWAY` after the request has arrived; it and those before it are still answered. HTTP/1.1: closes after the
    /// response.
    Goaway,
    /// HTTP/2: `RST_STREAM` instead of a response. HTTP/1.1: closes. The request is not processed.
    Reset,
    /// No response, and no further byte, for ten minutes. The request is not processed.
    Silent,
}

/// The switches that are no fault of one request: `count` does not concern them.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, and any of them may be on together"
)]
pub(super) struct PersistentFaults {
    pub(super) token_life_seconds: Option<u32>,
    pub(super) reuse_ends_login: bool,
    pub(super) issuer_in_answers: bool,
    pub(super) no_discovery: bool,
    pub(super) new_cursor_names: bool,
    pub(super) renewal_ends_access_token: bool,
    pub(super) check_bodies: bool,
    pub(super) ping_seconds: Option<u32>,
    pub(super) limits: Vec<HiddenLimit>,
}

impl From<PersistentFaults> for Faults {
    fn from(persistent: PersistentFaults) -> Self {
        Self {
            token_life_seconds: persistent.token_life_seconds,
            reuse_ends_login: persistent.reuse_ends_login,
            issuer_in_answers: persistent.issuer_in_answers,
            no_discovery: persistent.no_discovery,
            new_cursor_names: persistent.new_cursor_names,
            renewal_ends_access_token: persistent.renewal_ends_access_token,
            check_bodies: persistent.check_bodies,
            ping_seconds: persistent.ping_seconds,
            limits: persistent.limits,
            ..Self::default()
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_off(switch: &bool) -> bool {
    !switch
}

fn is_error_status(status: u16) -> bool {
    (400..600).contains(&status)
}

/// Why switches were not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    #[error("not an object of switches: {0}")]
    NotUnderstood(String),
    #[error("`{0}` is from 400 to 599")]
    Status(&'static str),
    #[error(transparent)]
    HiddenLimit(#[from] HiddenLimitError),
    #[error("`limits` are at most {LIMITS_MAX}")]
    LimitsTooMany,
    #[error("`ping_seconds` is at least 1")]
    PingSeconds,
    #[error("`count` is at least 1; to switch off, DELETE")]
    Count,
    #[error("`token_grant` says for which grant `token` is, and there is no `token`")]
    GrantWithoutTrouble,
}

impl Faults {
    /// Reads the body of `POST /sandbox/faults`.
    ///
    /// # Errors
    /// It is not an object of known switches, or one has a value that it cannot have.
    pub fn parse(body: &[u8]) -> Result<Self, FaultsError> {
        // Through a map: a list would be taken for the switches in their order.
        let faults: Self = serde_json::from_slice::<Map<String, Value>>(body)
            .and_then(|switches| serde_json::from_value(Value::Object(switches)))
            .map_err(|error| FaultsError::NotUnderstood(error.to_string()))?;
        for (name, status) in [("status", faults.status), ("page", faults.page)] {
            if status.is_some_and(|it| !is_error_status(it)) {
                return Err(FaultsError::Status(name));
            }
        }
        if faults.limits.len() > LIMITS_MAX {
            return Err(FaultsError::LimitsTooMany);
        }
        if faults.ping_seconds == Some(0) {
            return Err(FaultsError::PingSeconds);
        }
        faults.limits.iter().try_for_each(HiddenLimit::check)?;
        if faults.count == Some(0) {
            return Err(FaultsError::Count);
        }
        if faults.token_grant.is_some() && faults.token.is_none() {
            return Err(FaultsError::GrantWithoutTrouble);
        }
        Ok(faults)
    }

    fn persistent(&self) -> PersistentFaults {
        PersistentFaults {
            token_life_seconds: self.token_life_seconds,
            reuse_ends_login: self.reuse_ends_login,
            issuer_in_answers: self.issuer_in_answers,
            no_discovery: self.no_discovery,
            new_cursor_names: self.new_cursor_names,
            renewal_ends_access_token: self.renewal_ends_access_token,
            check_bodies: self.check_bodies,
            ping_seconds: self.ping_seconds,
            limits: self.limits.clone(),
        }
    }

    fn apply_to_token_request(&self, grant: Option<GrantType>) -> bool {
        self.token.is_some() && (self.token_grant.is_none() || self.token_grant == grant)
    }

    fn apply_to_api(&self) -> bool {
        self.throttle.is_some()
            || self.status.is_some()
            || self.page.is_some()
            || self.slow_reports_ms.is_some()
            || self.connection.is_some()
            || self.insufficient_privileges
            || self.slow_ms.is_some()
            || self.lose_response
            || self.cut_body
    }

    /// How long the request for `path` waits before anything else.
    pub(super) fn delay(&self, path: &str) -> Option<Duration> {
        let of_reports = self.slow_reports_ms.filter(|_| path.starts_with(REPORTS));
        let millis = u64::from(self.slow_ms.max(of_reports)?);
        Some(Duration::from_millis(millis).min(DELAY_MAX))
    }
}

/// The switches as they stand.
#[derive(Default)]
pub(super) struct FaultSwitches {
    faults: Lock<Faults>,
    buckets: Lock<Vec<TokenBucket>>,
}

impl FaultSwitches {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock()
    }

    /// Replaces all switches. The hidden limits begin with full buckets.
    fn set(&self, faults: Faults) {
        *self.buckets.lock() = faults.limits.iter().map(TokenBucket::new).collect();
        *self.faults() = faults;
    }

    /// The faults of the API request that asks, which counts.
    pub(super) fn for_api(&self) -> Faults {
        let mut faults = self.faults();
        if !faults.apply_to_api() {
            return Faults::default();
        }
        count_down(&mut faults)
    }

    /// The hidden limit that the request for `path` exceeds. It takes from the buckets of all that concern it.
    pub(super) fn exceeded_limit(&self, path: &str) -> Option<ExceededLimit> {
        let buckets = self.buckets.lock();
        let mut exceeded = buckets.iter().filter_map(|it| it.take(path));
        let first = exceeded.next();
        exceeded.for_each(drop);
        first
    }

    pub(super) fn persistent(&self) -> PersistentFaults {
        self.faults().persistent()
    }

    /// The fault for this token request, which is counted, and its `Retry-After`.
    pub(super) fn for_token(
        &self,
        grant: Option<GrantType>,
    ) -> (Option<TokenEndpointFault>, Option<u32>) {
        let mut faults = self.faults();
        if !faults.apply_to_token_request(grant) {
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
        Some(0 | 1) => *faults = faults.persistent().into(),
        Some(more) => faults.count = Some(more - 1),
    }
    applied
}

/// Switches faults on and off.
#[derive(Clone)]
pub struct FaultControl {
    state: Arc<SandboxState>,
}

impl FaultControl {
    pub(super) const fn new(state: Arc<SandboxState>) -> Self {
        Self { state }
    }

    /// Replaces all switches.
    pub fn set(&self, mut faults: Faults) {
        if std::mem::take(&mut faults.revoke_tokens) {
            self.state.oauth.revoke_all();
        }
        if std::mem::take(&mut faults.expire_tokens) {
            self.state.oauth.expire_all();
        }
        self.state.faults.set(faults);
    }

    pub fn clear(&self) {
        self.set(Faults::default());
    }

    /// The switches that are on, with the rest of `count`.
    #[must_use]
    pub fn current(&self) -> Faults {
        self.state.faults.faults().clone()
    }
}
