//! The settings of an operation that the catalogue lacks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    names::IdentityKind,
    net::Method,
    ninjaone::operation::{Payload, RiskClass, Scope},
};

use super::keyword::Keyword;

/// An operation that the catalogue does not have.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OperationSettings {
    /// The method, in capitals.
    #[schemars(extend("x-required" = true))]
    pub method: Option<Keyword<Method>>,
    /// The path, with parameters in braces: "/v2/some/new/{thing}".
    #[schemars(extend("x-required" = true))]
    pub path: Option<String>,
    /// The id to use in policies and to see in the audit log.
    #[schemars(extend("x-required" = true))]
    pub id: Option<String>,
    /// How risky it is.
    #[schemars(extend("x-required" = true))]
    pub class: Option<Keyword<RiskClass>>,
    /// The permission that NinjaOne asks for.
    #[schemars(extend("x-required" = true))]
    pub scope: Option<Keyword<Scope>>,
    /// The tag to use in policies.
    pub tag: String,
    /// What its bodies carry: an upload may be longer.
    pub body: Keyword<Payload>,
    /// As whom it goes; if not set, as the service until NinjaOne asks for a person.
    pub identity: Option<Keyword<IdentityKind>>,
}

impl Default for OperationSettings {
    fn default() -> Self {
        Self {
            method: None,
            path: None,
            id: None,
            class: None,
            scope: None,
            tag: String::new(),
            body: Keyword(Payload::Plain),
            identity: None,
        }
    }
}
