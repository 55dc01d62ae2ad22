//! Checks `[telemetry]`.

use crate::config::{
    TelemetryConfig,
    read::key_path::KeyPath,
    settings::telemetry::{LogSettings, TelemetrySettings},
};

use super::Checker;

/// The levels in a log filter such as `info,ninjaone_proxy::upstream=debug`.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Checker<'_> {
    pub(super) fn telemetry(&mut self, settings: &TelemetrySettings) -> TelemetryConfig {
        let TelemetrySettings {
            log:
                LogSettings {
                    format,
                    level,
                    requests,
                },
            metrics,
        } = settings;
        let at_level = KeyPath::from_keys(&["telemetry", "log", "level"]);
        for part in level.split(',') {
            let word = part.rsplit('=').next().unwrap_or(part).trim();
            if !LEVELS.contains(&word.to_ascii_lowercase().as_str()) {
                let message = format!("a level is one of {}", LEVELS.join(", "));
                self.error_with_hint(
                    &at_level,
                    message,
                    "parts may differ: \"info,ninjaone_proxy::upstream=debug\"",
                );
                break;
            }
        }
        TelemetryConfig {
            log_format: *format,
            log_level: level.clone(),
            log_requests: *requests,
            metrics: *metrics,
        }
    }
}
