//! The settings of callers and policies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::IdentityKind;

use super::keyword::Keyword;

/// Who may ask.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CallerSettings {
    /// "sha256:" and the digest of the key in hex; several may stand, so that a key can be changed without a gap.
    #[schemars(extend("x-required" = true, "x-secret" = "key"))]
    pub key: Option<OneOrMany<String>>,
    /// The day or the moment from which the keys are no longer valid.
    #[schemars(extend("x-date" = true))]
    pub expires: Option<String>,
    /// When the caller was made; `caller list` shows its age.
    #[schemars(extend("x-date" = true))]
    pub created: Option<String>,
    /// The policies that hold for this caller.
    pub policy: Vec<String>,
    /// What this caller may do besides.
    pub allow: Vec<String>,
    /// What this caller may not do, whatever allows it.
    pub deny: Vec<String>,
    /// Instead of the limits of its policies and of [limits.caller].
    pub limit: CallerLimitSettings,
    /// The tenants that this caller may use; all if not set.
    pub tenants: Option<Vec<String>>,
    /// Whether `NJP-On-Behalf-Of` must be sent.
    pub on_behalf_of: HeaderRequirementSetting,
    /// Whether `NJP-Reason` must be sent.
    pub require_reason: bool,
    /// As whom this caller's requests go, whatever its policies or the operations say.
    pub identity: Option<Keyword<IdentityKind>>,
}

/// One thing or a list of them. The list comes first: serde also takes an empty list for a table with nothing in it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    /// The one, or all of the list.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Whether something must be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeaderRequirementSetting {
    #[default]
    Optional,
    Required,
}

/// A set of rules that callers share.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySettings {
    /// What is allowed: classes, scopes, tags, operation ids, methods and paths.
    pub allow: Vec<String>,
    /// What is not, whatever allows it.
    pub deny: Vec<String>,
    /// Instead of [limits.caller]; of several policies the lowest holds.
    pub limit: CallerLimitSettings,
    /// Whether `NJP-Reason` must be sent.
    pub require_reason: bool,
    /// Whether `NJP-On-Behalf-Of` must be sent.
    pub on_behalf_of: HeaderRequirementSetting,
    /// As whom the requests go that this policy allows, whatever the operations say.
    pub identity: Option<Keyword<IdentityKind>>,
}

/// What one caller may do per time.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CallerLimitSettings {
    /// Such as "5/s", "60/min" or "1000/h".
    pub rate: Option<String>,
    /// How many may come at once; if not set, what the rate gives in two seconds, but at least 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
    /// How many may be under way at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency: Option<u32>,
}
