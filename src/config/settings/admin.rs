//! The settings of the admin listeners: `[admin]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    admin::{admin_keys::AdminRole, health::ReadinessCondition},
    config::value::address::loopback_hosts,
};

use super::keyword::Keyword;

/// The listeners of those who operate the proxy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// Address of `/status`, `/metrics` and the probes; "" for none.
    pub listen: String,
    /// Address of `/livez`, `/readyz` and `/startupz` alone; "" for none.
    pub probes: String,
    /// Address of `/metrics` alone, for a scraper that calls by whatever name, such as "0.0.0.0:6470"; "" for none.
    pub metrics: String,
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
            metrics: String::new(),
            ready: Keyword(ReadinessCondition::AnyToken),
            hosts: loopback_hosts(),
            access: Vec::new(),
            watchdog: "5s".into(),
        }
    }
}
