//! The settings of the identities that a tenant has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    credentials::{grant::application::ClientAuthMethod, login::authorization::AuthorizationFlow},
    ninjaone::operation::Scope,
};

use super::{
    keyword::{Keyword, KeywordSet},
    secret::SecretRef,
};

/// A machine identity: client credentials.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceIdentitySettings {
    /// The client id of the application in NinjaOne.
    #[schemars(extend("x-required" = true))]
    pub client_id: Option<String>,
    /// Where the client secret is kept; never the secret itself.
    #[schemars(extend("x-required" = true, "x-secret" = "client-secret"))]
    pub client_secret: Option<SecretRef>,
    /// The scopes to ask for; all of the application's if empty.
    pub scopes: Vec<Keyword<Scope>>,
    /// When a token is renewed: a share of its life ("80%") or a time before its end ("5m").
    pub refresh_at: String,
    /// How the client secret is sent.
    pub client_auth: Keyword<ClientAuthMethod>,
}

impl Default for ServiceIdentitySettings {
    fn default() -> Self {
        Self {
            client_id: None,
            client_secret: None,
            scopes: Vec::new(),
            refresh_at: "80%".into(),
            client_auth: Keyword::default(),
        }
    }
}

/// A person-backed identity: somebody logs in once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UserIdentitySettings {
    /// The client id of the application in NinjaOne.
    #[schemars(extend("x-required" = true))]
    pub client_id: Option<String>,
    /// Where the client secret is kept, of a web application; never the secret itself.
    #[schemars(extend("x-secret" = "client-secret"))]
    pub client_secret: Option<SecretRef>,
    /// The kind of the application; "web" with a client secret and "native" without if not set.
    pub platform: Option<Keyword<Platform>>,
    /// What a login gives: "code", or "implicit", which ends with its token.
    pub grant: Keyword<AuthorizationFlow>,
    /// The scopes to ask for; monitoring, management and, where there are refresh tokens, `offline_access` if not set.
    pub scopes: Option<Vec<Keyword<UserScope>>>,
    /// Where NinjaOne sends the browser after a login: to the slash what the application has there.
    pub redirect: String,
    /// The refresh token is used at least this often, so that it does not lapse: "1m" to "7d".
    pub keepalive: String,
    /// When a token is renewed: a share of its life ("80%") or a time before its end ("5m").
    pub refresh_at: String,
    /// How the client secret is sent.
    pub client_auth: Keyword<ClientAuthMethod>,
}

impl Default for UserIdentitySettings {
    fn default() -> Self {
        Self {
            client_id: None,
            client_secret: None,
            platform: None,
            grant: Keyword(AuthorizationFlow::Code),
            scopes: None,
            redirect: "http://127.0.0.1:6468/callback".into(),
            keepalive: "12h".into(),
            refresh_at: "80%".into(),
            client_auth: Keyword::default(),
        }
    }
}

/// NinjaOne's permissions, and the one for a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserScope {
    /// A permission of the API.
    Of(Scope),
    /// There will be a refresh token.
    OfflineAccess,
}

/// The kinds of applications in NinjaOne that a person can log in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// On a server: it has a secret.
    Web,
    /// On a person's machine: no secret, and a redirect to any port of the loopback address.
    Native,
    /// In a browser: no secret and no refresh token.
    SinglePage,
}

impl KeywordSet for UserScope {
    const NAME: &'static str = "UserScope";
    const DESCRIPTION: &'static str = "NinjaOne's permissions, and the one for a refresh token.";
    const ALL: &'static [Self] = &[
        Self::Of(Scope::Monitoring),
        Self::Of(Scope::Management),
        Self::Of(Scope::Control),
        Self::OfflineAccess,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Of(scope) => scope.as_str(),
            Self::OfflineAccess => "offline_access",
        }
    }
}

impl KeywordSet for Platform {
    const NAME: &'static str = "Platform";
    const DESCRIPTION: &'static str =
        "The kinds of applications in NinjaOne that a person can log in with.";
    const ALL: &'static [Self] = &[Self::Web, Self::Native, Self::SinglePage];

    fn word(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Native => "native",
            Self::SinglePage => "single-page",
        }
    }
}
