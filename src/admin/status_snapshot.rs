//! The status of the whole proxy at one moment: what `/status` serves and `status` prints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{overall_health::Health, trouble::Trouble};

/// Version of the shape; members may be added to it, none is renamed or removed.
pub const SCHEMA: &str = "status/1";

/// Times are RFC 3339 in UTC; members that end in `_s` are whole seconds from now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusSnapshot {
    pub schema: String,
    pub health: Health,
    /// What needs attention, a sentence each; see [`StatusSnapshot::with_health`].
    pub degraded: Vec<String>,
    /// The same, each with its kind.
    #[serde(default)]
    pub troubles: Vec<Trouble>,
    pub version: String,
    pub pid: u32,
    /// Names this run of the process in the audit log.
    pub boot: String,
    pub started: String,
    pub uptime_s: u64,
    /// Not all listeners are open yet.
    pub starting: bool,
    pub draining: bool,
    pub config: ConfigStatus,
    pub listeners: Vec<ListenerStatus>,
    pub tenants: Vec<TenantStatus>,
    pub callers: Vec<CallerStatus>,
    pub audit: AuditStatus,
    pub traffic: Traffic,
    /// What would be lost of our own tokens and their revocations at a restart though there is a store, a sentence each.
    #[serde(default)]
    pub caller_token_faults: Vec<String>,
    /// Parts of the program that have stalled; empty while all is well.
    #[serde(default)]
    pub stalled: Vec<StalledPart>,
    #[serde(default)]
    pub log: LogStatus,
}

/// A part of the program that has stalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StalledPart {
    /// `worker-0`, `audit`, `renewer acme/user`, `reload`, ...
    pub part: String,
    pub silent_s: u64,
    /// Whether `/livez` fails for it. A disk may be slow for a while first.
    pub is_fatal: bool,
}

/// The configuration in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    pub generation: u64,
    pub fingerprint: String,
    pub loaded_at: String,
    /// Why the configuration on disk is not in force.
    pub last_error: Option<String>,
    /// How often loading was tried.
    pub tries: u64,
    /// The file that it was read from, as an absolute path; none if there is none.
    #[serde(default)]
    pub file: Option<String>,
    /// Changed settings that only a restart applies.
    #[serde(default)]
    pub pending_restart: Vec<String>,
}

/// A listener and its connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// `callers`, `admin`, `probes`
    pub role: String,
    /// `http://127.0.0.1:6465`, `unix:/run/ninjaone-proxy/api.sock`
    pub address: String,
    pub connections: u64,
}

/// A tenant, its identities and its budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantStatus {
    pub name: String,
    pub label: Option<String>,
    pub origin: String,
    /// What it is reached through; none if directly.
    #[serde(default)]
    pub proxy: Option<OutgoingProxyStatus>,
    pub identities: Vec<IdentityStatus>,
    /// Ids of operations that go as the user because NinjaOne answered `user_context_required` to the service.
    #[serde(default)]
    pub learned_user_operations: Vec<String>,
    pub budget: BudgetStatus,
    /// None while NinjaOne can be reached, or nobody has tried for a while.
    #[serde(default)]
    pub unreachable: Option<UnreachableStatus>,
    /// The host whose last known addresses are used because the name servers give no answer.
    #[serde(default)]
    pub stale_host: Option<String>,
}

/// No connection to a tenant's host could be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreachableStatus {
    pub since: String,
    pub error: String,
}

/// An outgoing proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingProxyStatus {
    /// `http://proxy.example:3128`, with `***@` instead of a user.
    pub url: String,
    /// `tenant.NAME.proxy` or a variable's name.
    pub from: String,
}

/// An identity and its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityStatus {
    /// `service` or `user`
    pub identity: String,
    pub state: IdentityState,
    pub expires_at: Option<String>,
    pub expires_in_s: Option<u64>,
    pub renews_in_s: Option<u64>,
    /// How many tokens there have been.
    pub generation: u64,
    /// Why the last renewal failed; none once one succeeds.
    pub last_error: Option<String>,
    /// `expires_at` for people, `15:36 UTC`.
    #[serde(default)]
    pub serves_until: Option<String>,
    /// What a reload has changed and NinjaOne refuses: `new secret` or `new settings`.
    #[serde(default)]
    pub refused_change: Option<String>,
    /// Whether only a login brings another token, be the current one valid or not.
    #[serde(default)]
    pub only_login_helps: bool,
    /// Of `user` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<UserLoginStatus>,
}

/// A user's login.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLoginStatus {
    /// None while nobody is logged in.
    pub logged_in_at: Option<String>,
    /// When its refresh token was last used.
    pub refreshed_at: Option<String>,
    /// Whether it has a refresh token: without one it ends with its access token.
    pub renewable: bool,
    /// Since when what NinjaOne issued could not be stored: it is in memory only.
    pub unsaved_since: Option<String>,
    /// What is wrong with the store.
    pub store_fault: Option<String>,
}

/// Whether an identity can send requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityState {
    /// The first token is being fetched.
    Starting,
    Valid,
    /// The token expired, or was rejected, and there is no newer one.
    Unavailable,
    /// Only a login helps.
    LoginNeeded,
}

/// What a tenant may spend at NinjaOne, and how much of it is in use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetStatus {
    pub in_flight: u64,
    pub waiting: u64,
    /// Until we send again, after NinjaOne told us to slow down.
    pub paused_s: u64,
}

/// A caller and its requests since the process started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerStatus {
    pub name: String,
    pub requests: u64,
    pub refused: u64,
    /// When its last request began; none if there was none.
    #[serde(default)]
    pub last_used: Option<String>,
    /// Whether its keys have expired.
    #[serde(default)]
    pub expired: bool,
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditStatus {
    pub state: AuditState,
    pub records: u64,
    pub failures: u64,
    pub queued: u64,
    pub lost: u64,
    pub path: String,
    /// Why it cannot be written; none while it can.
    #[serde(default)]
    pub last_error: Option<String>,
    /// Whether reads are refused too while it cannot be written. They are not while its disk is only slow.
    #[serde(default)]
    pub refuses_reads: bool,
    /// The last gap in the log, for a day.
    #[serde(default)]
    pub gap: Option<AuditGap>,
    /// Requests without a valid proof that were counted instead of written one by one.
    #[serde(default)]
    pub strangers_counted: u64,
    /// None where the log is in memory.
    #[serde(default)]
    pub space: Option<AuditSpaceStatus>,
}

/// A while in which the log was not written, or in which somebody else changed its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditGap {
    pub from: String,
    pub to: String,
    pub reason: String,
    /// Lines that were to be written and are nowhere.
    pub lost: u64,
}

/// The room that the audit log takes and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditSpaceStatus {
    pub level: AuditSpaceLevel,
    /// Of all its files.
    pub used_bytes: u64,
    /// `audit.max_total`
    pub max_bytes: u64,
    /// `audit.reserve`
    pub reserve_bytes: u64,
    /// What the file system has left; none if it does not say.
    pub disk_free_bytes: Option<u64>,
    /// Why there is not plenty, and what helps.
    pub shortage: Option<String>,
}

/// What still has a place in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditSpaceLevel {
    Plenty,
    /// Intents and outcomes of callers; strangers are counted.
    ReserveOnly,
    /// Nothing new: what changes anything is refused.
    Exhausted,
}

/// Whether the audit log can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditState {
    Writing,
    Failing,
}

/// The program's own log, on stderr.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStatus {
    pub state: LogState,
    /// Since the start.
    pub lines_lost: u64,
    pub lines_waiting: u64,
    /// How long nothing has been written though lines wait.
    pub silent_s: u64,
}

/// Whether the program's own log can be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogState {
    #[default]
    Writing,
    Failing,
}

/// Since the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    pub requests: u64,
    pub in_flight: u64,
    /// By decision: `allowed` or the code of a refusal.
    pub decisions: BTreeMap<String, u64>,
    /// By class of status: `2xx`
    pub statuses: BTreeMap<String, u64>,
}
