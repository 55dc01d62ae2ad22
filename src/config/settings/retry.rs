//! The settings of retries: `[retry]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How reads are repeated.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetrySettings {
    /// How often a read is sent at most, the first time included.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
    /// How long to wait in between.
    pub backoff: BackoffSettings,
    /// Repetitions as a share of recent requests.
    pub budget: String,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: BackoffSettings::default(),
            budget: "10%".into(),
        }
    }
}

/// How long to wait between two attempts; it doubles each time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackoffSettings {
    /// The first time.
    pub from: String,
    /// At most.
    pub to: String,
    /// Whether any shorter time will do, so that callers do not come back together.
    pub jitter: bool,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self {
            from: "250ms".into(),
            to: "8s".into(),
            jitter: true,
        }
    }
}
