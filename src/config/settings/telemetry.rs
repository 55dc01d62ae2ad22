//! The settings of the log and the metrics: `[telemetry]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Which requests have a line, at the level info: "refused" (and those that failed; at most 100 lines a second, the rest
    /// is counted), "all" or "none".
    pub requests: RequestLogging,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            level: "info".into(),
            requests: RequestLogging::default(),
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

/// Which requests have a line in the log of the program itself: those that were refused or failed, all, or none. All of them
/// are in the audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RequestLogging {
    // No doc comments here: the schema lists the words in one place only without them.
    #[default]
    Refused,
    All,
    None,
}
