//! The settings as written: names, types and defaults. `check` parses values such as "32KiB".
//!
//! The JSON Schema, the known keys and the defaults all come from these types, so each key is declared once. Their doc
//! comments are the descriptions in the JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod admin;
pub mod audit;
pub mod caller;
pub mod identity;
pub mod keyword;
pub mod limits;
pub mod listen;
pub mod operation;
pub mod outgoing_proxy;
pub mod retry;
pub mod secret;
pub mod store;
pub mod telemetry;
pub mod tenant;
pub mod timeouts;

use self::{
    admin::AdminSettings,
    audit::AuditSettings,
    caller::{CallerSettings, PolicySettings},
    limits::LimitsSettings,
    listen::ListenSettings,
    operation::OperationSettings,
    retry::RetrySettings,
    store::StoreSettings,
    telemetry::TelemetrySettings,
    tenant::TenantSettings,
    timeouts::TimeoutSettings,
};

/// Settings of ninjaone-proxy.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where callers connect.
    pub listen: ListenSettings,
    /// The NinjaOne instances that we hold credentials for, by name.
    #[schemars(extend("x-named" = "a tenant"))]
    pub tenant: BTreeMap<String, TenantSettings>,
    /// Who may ask, by name. Nothing is allowed that no rule allows.
    #[schemars(extend("x-named" = "a caller"))]
    pub caller: BTreeMap<String, CallerSettings>,
    /// Sets of rules that callers share, by name.
    #[schemars(extend("x-named" = "a policy"))]
    pub policy: BTreeMap<String, PolicySettings>,
    /// What may be done per time.
    pub limits: LimitsSettings,
    /// Operations that NinjaOne has added since this build.
    pub operation: Vec<OperationSettings>,
    /// How long NinjaOne and the bodies of both sides may take.
    pub timeouts: TimeoutSettings,
    /// How reads are repeated. Writes never are.
    pub retry: RetrySettings,
    /// What happened, on record.
    pub audit: AuditSettings,
    /// The listeners of those who operate the proxy.
    pub admin: AdminSettings,
    /// What outlives the process, encrypted.
    pub store: StoreSettings,
    /// The log and the metrics.
    pub telemetry: TelemetrySettings,
}
