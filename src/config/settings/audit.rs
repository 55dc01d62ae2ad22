//! The settings of the audit log: `[audit]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happened, on record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// The directory of the log. If it is not set and the default cannot be written, an ordinary user on a terminal gets "audit"
    /// in their own state directory.
    pub path: String,
    /// What is done while the log cannot be written.
    pub on_failure: AuditFailureSettings,
    /// Most lines of requests without a valid proof, such as "100/s". Beyond it they are counted in one line a second.
    pub strangers: String,
    /// The same for each address that they come from, such as "10/s".
    pub strangers_per_peer: String,
    /// Most room that all files of the log take together, such as "50GiB".
    pub max_total: String,
    /// How much of it is kept for intents and outcomes of callers, such as "64MiB"; also kept free on the file system.
    pub reserve: String,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            path: "/var/log/ninjaone-proxy/audit".into(),
            on_failure: AuditFailureSettings::default(),
            strangers: "100/s".into(),
            strangers_per_peer: "10/s".into(),
            max_total: "50GiB".into(),
            reserve: "64MiB".into(),
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
