//! The settings of the timeouts: `[timeouts]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long NinjaOne and the bodies of both sides may take.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutSettings {
    /// To look the host's name up. A name server that is dead costs 5 s before the next one is asked.
    pub resolve: String,
    /// To accept a connection, TLS included. Each of the host's addresses has as long.
    pub connect: String,
    /// To begin its answer.
    pub first_byte: String,
    /// Between two pieces of a body.
    pub idle: String,
    /// The least that comes of a body on average over 30 seconds, such as "1KiB/s".
    pub body_rate: String,
    /// For all of a body.
    pub body_total: String,
}

impl Default for TimeoutSettings {
    fn default() -> Self {
        Self {
            resolve: "10s".into(),
            connect: "5s".into(),
            first_byte: "60s".into(),
            idle: "30s".into(),
            body_rate: "1KiB/s".into(),
            body_total: "30m".into(),
        }
    }
}
