//! The settings of an outgoing proxy: `tenant.NAME.proxy`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::SecretRef;

/// An outgoing proxy, or the word for none.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OutgoingProxySetting {
    /// "none": NinjaOne is reached directly, whatever the environment says.
    Off(#[schemars(extend("const" = "none"))] String),
    /// The proxy.
    Through(OutgoingProxySettings),
}

/// An HTTP proxy on the way to NinjaOne, by CONNECT.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutgoingProxySettings {
    /// Such as `http://proxy.example:3128`.
    #[schemars(extend("x-required" = true))]
    pub url: Option<String>,
    /// The user that the proxy asks for.
    pub user: Option<String>,
    /// Where the user's password is kept; never the password itself.
    #[schemars(extend("x-secret" = "client-secret"))]
    pub password: Option<SecretRef>,
}
