//! The settings of the audit log, the admin listeners, the log and the metrics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    admin::{admin_keys::AdminRole, health::ReadinessCondition},
    config::value::address::loopback_hosts,
};

use super::keyword::Keyword;

/// What happened, on record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// The directory of the log.
    pub path: String,
    /// What is done while the log cannot be written.
    pub on_failure: AuditFailureSettings,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            path: "/var/log/ninjaone-proxy/audit".into(),
            on_failure: AuditFailureSettings::default(),
        }
    }
}

/// What is done while the log cannot be written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditFailureSettings {
    /// With everything that is not a read: it is refused, always.
    pub write: WriteFailureSetting,
    /// With reads.
    pub read: ReadFailureSetting,
}

/// The only choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WriteFailureSetting {
    #[default]
    Refuse,
}

/// Go on without a record, or do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReadFailureSetting {
    #[default]
    Serve,
    Refuse,
}

/// The listeners of those who operate the proxy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// Address of `/status`, `/metrics` and the probes; "" for none.
    pub listen: String,
    /// Address of `/livez`, `/readyz` and `/startupz` alone; "" for none.
    pub probes: String,
    /// When `/readyz` says yes.
    pub ready: Keyword<ReadinessCondition>,
    /// Host names that are answered, without port.
    pub hosts: Vec<String>,
    /// Who may change things there, by key.
    pub access: Vec<AdminAccessSettings>,
    /// How long a part of the program may go without a sign of life before `/livez` fails.
    pub watchdog: String,
}

/// Who may do what on the admin listener.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminAccessSettings {
    /// "sha256:" and the digest of the key in hex.
    #[schemars(extend("x-required" = true, "x-secret" = "key"))]
    pub key: Option<String>,
    /// "operator" may change things, "auditor" may look.
    #[schemars(extend("x-required" = true))]
    pub role: Option<Keyword<AdminRole>>,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:6466".into(),
            probes: String::new(),
            ready: Keyword(ReadinessCondition::AnyToken),
            hosts: loopback_hosts(),
            access: Vec::new(),
            watchdog: "5s".into(),
        }
    }
}

/// The log and the metrics.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// The log of the program itself.
    pub log: LogSettings,
    /// Whether the admin listener serves `/metrics`.
    pub metrics: bool,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            log: LogSettings::default(),
            metrics: true,
        }
    }
}

/// The log of the program itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// "auto": text on a terminal, JSON otherwise.
    pub format: LogFormat,
    /// "error", "warn", "info" or "debug" ("trace" says no more); parts may differ: "info,hyper=debug".
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            level: "info".into(),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Auto,
    Text,
    Json,
}
