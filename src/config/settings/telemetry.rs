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
