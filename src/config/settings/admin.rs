//! The settings of the admin listeners: `[admin]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    admin::{access::AdminRole, health::ReadinessCondition},
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
    /// The Unix socket that the commands ask first; "" for none. If not set: `admin.sock` in `$RUNTIME_DIRECTORY`, else in the
    /// store's directory, else in `$XDG_RUNTIME_DIR/ninjaone-proxy`, else none.
    pub socket: Option<String>,
    /// Whether `/status` and `/metrics` of `admin.listen` are for everybody who reaches it.
    pub anonymous: bool,
    /// When `/readyz` says yes.
    pub ready: Keyword<ReadinessCondition>,
    /// Host names that are answered, without port.
    pub hosts: Vec<String>,
    /// Who else may look or change things: by key, or by account on the socket. Root and the proxy's own user always may.
    pub access: Vec<AdminAccessSettings>,
    /// How long a part of the program may go without a sign of life before `/livez` fails.
    pub watchdog: String,
}

/// Who may do what: the holder of a key, or an account of this machine.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminAccessSettings {
    /// "sha256:" and the digest of the key in hex.
    #[schemars(extend("x-secret" = "key"))]
    pub key: Option<String>,
    /// An account of this machine, on the socket.
    pub unix: Option<AdminAccountSettings>,
    /// "operator" may change things, "auditor" may look.
    #[schemars(extend("x-required" = true))]
    pub role: Option<Keyword<AdminRole>>,
}

/// A user or a group of this machine, by name or number.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminAccountSettings {
    pub user: Option<String>,
    pub group: Option<String>,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:6466".into(),
            probes: String::new(),
            metrics: String::new(),
            socket: None,
            anonymous: false,
            ready: Keyword(ReadinessCondition::AnyToken),
            hosts: loopback_hosts(),
            access: Vec::new(),
            watchdog: "5s".into(),
        }
    }
}
