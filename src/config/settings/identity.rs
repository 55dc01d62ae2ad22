//! The settings of the identities that a tenant has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Scope, SecretRef};

/// A machine identity: client credentials.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    /// The client id of the application in NinjaOne.
    #[schemars(extend("x-required" = true))]
    pub client_id: Option<String>,
    /// Where the client secret is kept; never the secret itself.
    #[schemars(extend("x-required" = true, "x-secret" = "client-secret"))]
    pub client_secret: Option<SecretRef>,
    /// The scopes to ask for; all of the application's if empty.
    pub scopes: Vec<Scope>,
    /// When a token is renewed: a share of its life ("80%") or a time before its end ("5m").
    pub refresh_at: String,
    /// How the client secret is sent.
    pub client_auth: ClientAuth,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            client_id: None,
            client_secret: None,
            scopes: Vec::new(),
            refresh_at: "80%".into(),
            client_auth: ClientAuth::default(),
        }
    }
}

/// A person-backed identity: somebody logs in once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// The client id of the application in NinjaOne.
    #[schemars(extend("x-required" = true))]
    pub client_id: Option<String>,
    /// Where the client secret is kept, of a web application; never the secret itself.
    #[schemars(extend("x-secret" = "client-secret"))]
    pub client_secret: Option<SecretRef>,
    /// The kind of the application; "web" with a client secret and "native" without if not set.
    pub platform: Option<Platform>,
    /// What a login gives: "code", or "implicit", which ends with its token.
    pub grant: Grant,
    /// The scopes to ask for; monitoring, management and, where there are refresh tokens, `offline_access` if not set.
    pub scopes: Option<Vec<UserScope>>,
    /// Where NinjaOne sends the browser after a login: to the slash what the application has there.
    pub redirect: String,
    /// The refresh token is used at least this often, so that it does not lapse: "1m" to "7d".
    pub keepalive: String,
    /// When a token is renewed: a share of its life ("80%") or a time before its end ("5m").
    pub refresh_at: String,
    /// How the client secret is sent.
    pub client_auth: ClientAuth,
}

impl Default for User {
    fn default() -> Self {
        Self {
            client_id: None,
            client_secret: None,
            platform: None,
            grant: Grant::default(),
            scopes: None,
            redirect: "http://127.0.0.1:6468/callback".into(),
            keepalive: "12h".into(),
            refresh_at: "80%".into(),
            client_auth: ClientAuth::default(),
        }
    }
}

/// NinjaOne's permissions, and the one for a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserScope {
    Monitoring,
    Management,
    Control,
    OfflineAccess,
}

/// The kinds of applications in NinjaOne that a person can log in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    Web,
    Native,
    SinglePage,
}

/// What a login gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    #[default]
    Code,
    Implicit,
}

/// How a client secret is sent: as form fields or in the `Authorization` header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    #[default]
    Body,
    Basic,
}
