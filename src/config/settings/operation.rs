//! The settings of an operation that the catalogue lacks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Scope, who::Identity};

/// An operation that the catalogue does not have.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Operation {
    /// The method, in capitals.
    #[schemars(extend("x-required" = true))]
    pub method: Option<Method>,
    /// The path, with parameters in braces: "/v2/some/new/{thing}".
    #[schemars(extend("x-required" = true))]
    pub path: Option<String>,
    /// The id to use in policies and to see in the audit log.
    #[schemars(extend("x-required" = true))]
    pub id: Option<String>,
    /// How risky it is.
    #[schemars(extend("x-required" = true))]
    pub class: Option<Class>,
    /// The permission that NinjaOne asks for.
    #[schemars(extend("x-required" = true))]
    pub scope: Option<Scope>,
    /// The tag to use in policies.
    pub tag: String,
    /// What its bodies carry: an upload may be longer.
    pub body: Body,
    /// As whom it goes; if not set, as the service until NinjaOne asks for a person.
    pub identity: Option<Identity>,
}

/// The methods of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// How risky an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Read,
    Secrets,
    Write,
    Dangerous,
}

/// What the bodies of an operation carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    #[default]
    Plain,
    Upload,
    Download,
}
