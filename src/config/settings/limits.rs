//! The settings of the limits: `[limits]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may be done per time.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSettings {
    /// What each tenant sees of us.
    pub upstream: UpstreamLimitSettings,
    /// What each caller may do, unless a policy or the caller says otherwise.
    pub caller: DefaultCallerLimitSettings,
    /// Of the proxy's own token endpoint, for clients that speak OAuth.
    pub tokens: TokenLimitSettings,
}

/// What a tenant sees of us.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamLimitSettings {
    /// Such as "10/s".
    pub rate: String,
    /// How many may go at once; if not set, what the rate gives in two seconds, but at least 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
    /// How many may be under way at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency: u32,
    /// How long a request waits for its turn, such as "2s".
    pub queue: String,
}

impl Default for UpstreamLimitSettings {
    fn default() -> Self {
        Self {
            rate: "10/s".into(),
            burst: None,
            concurrency: 8,
            queue: "2s".into(),
        }
    }
}

/// What a caller may do, unless something else is said.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DefaultCallerLimitSettings {
    /// Such as "5/s".
    pub rate: String,
    /// How many may come at once; if not set, what the rate gives in two seconds, but at least 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
    /// How many may be under way at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency: u32,
}

impl Default for DefaultCallerLimitSettings {
    fn default() -> Self {
        Self {
            rate: "5/s".into(),
            burst: None,
            concurrency: 4,
        }
    }
}

/// The proxy's own token endpoint.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenLimitSettings {
    /// How often each caller may ask for a token, or give one back, such as "60/min".
    pub rate: String,
    /// How many may ask at once: a fleet that logs in.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: u32,
    /// How long a token lives: "1s" to "24h".
    pub life: String,
}

impl Default for TokenLimitSettings {
    fn default() -> Self {
        Self {
            rate: "60/min".into(),
            burst: 600,
            life: "1h".into(),
        }
    }
}
