//! The settings of a tenant: `[tenant.NAME]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ninjaone::region::Region;

use super::{
    identity::{ServiceIdentitySettings, UserIdentitySettings},
    keyword::Keyword,
    outgoing_proxy::OutgoingProxySetting,
};

/// A NinjaOne instance. It has a `region` or a `url`, and at least one of `service` and `user`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// The region that the instance is in.
    pub region: Option<Keyword<Region>>,
    /// The address of a branded instance, such as `https://acme.rmmservice.com`.
    pub url: Option<String>,
    /// A text for people.
    pub label: Option<String>,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub ca: Option<String>,
    /// The HTTP proxy that NinjaOne is reached through, or "none"; if not set, what `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[schemars(extend("x-secret" = "proxy"))]
    pub proxy: Option<OutgoingProxySetting>,
    /// The machine identity.
    pub service: Option<ServiceIdentitySettings>,
    /// The person-backed identity, for operations that NinjaOne refuses to machines.
    pub user: Option<UserIdentitySettings>,
}
