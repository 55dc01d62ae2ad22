//! The OAuth server: applications, consent page, tokens, renewal and revocation, as NinjaOne is known to do it.

mod authorize;
mod bounded_map;
mod client_auth;
pub(super) mod clients;
pub(super) mod counts;
mod discovery;
pub(super) mod grant_type;
mod granted_scopes;
mod issued_code;
pub(super) mod logins;
mod page;
mod responses;
mod revoke;
mod token;
pub(super) mod token_registry;
mod token_strings;

use std::{
    io,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use crate::{
    lock::Lock,
    ninjaone::paths::{
        AUTHORIZE_ERROR_PATH, AUTHORIZE_PATH, AUTHORIZE_PATH_ALIAS, DISCOVERY_PATH, REVOKE_PATH,
        is_token_path,
    },
};

use self::{
    clients::Client,
    counts::OAuthCounts,
    token_registry::{Bearer, TokenIssuancePolicy, TokenRegistry},
};

use super::{
    SandboxState, faults::PersistentFaults, received_request::SandboxRequest,
    response::SandboxResponse,
};

/// The apps, and the tokens issued to them.
pub(super) struct OAuthServer {
    clients: Vec<Client>,
    /// Of an access token, unless a switch says otherwise.
    token_life: Duration,
    code_life: Duration,
    issued: Lock<TokenRegistry>,
}

/// The OAuth endpoints, by path.
#[derive(Clone, Copy)]
pub(super) enum OAuthEndpoint {
    Discovery,
    Authorize,
    AuthorizeError,
    Token,
    Revoke,
}

impl OAuthEndpoint {
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            DISCOVERY_PATH => Some(Self::Discovery),
            AUTHORIZE_PATH | AUTHORIZE_PATH_ALIAS => Some(Self::Authorize),
            AUTHORIZE_ERROR_PATH => Some(Self::AuthorizeError),
            REVOKE_PATH => Some(Self::Revoke),
            path => is_token_path(path).then_some(Self::Token),
        }
    }

    /// # Errors
    /// The response is lost on purpose.
    pub(super) async fn respond(
        self,
        state: &SandboxState,
        request: &SandboxRequest,
    ) -> io::Result<SandboxResponse> {
        match self {
            Self::Discovery => Ok(discovery::respond(state, request)),
            Self::Authorize => Ok(authorize::respond(state, request)),
            Self::AuthorizeError => Ok(authorize::error(request)),
            Self::Token => token::respond(state, request).await,
            Self::Revoke => Ok(revoke::respond(state, request)),
        }
    }
}

impl OAuthServer {
    pub(super) fn new(clients: Vec<Client>, token_life: Duration, code_life: Duration) -> Self {
        Self {
            clients,
            token_life,
            code_life,
            issued: Lock::new(TokenRegistry::new()),
        }
    }

    fn issued(&self) -> MutexGuard<'_, TokenRegistry> {
        self.issued.lock()
    }

    /// The app with this id, and its index.
    fn client(&self, id: &str) -> Option<(usize, &Client)> {
        let mut clients = self.clients.iter().enumerate();
        clients.find(|(_, client)| client.id == id)
    }

    /// The policy of a request that no fault applies to.
    fn issuance_policy(&self, persistent: &PersistentFaults) -> TokenIssuancePolicy {
        let life = persistent.token_life_seconds;
        TokenIssuancePolicy {
            life: life.map_or(self.token_life, |seconds| {
                Duration::from_secs(seconds.into())
            }),
            only: None,
            rotate: true,
            reuse_ends_login: persistent.reuse_ends_login,
            renewal_ends_access_token: persistent.renewal_ends_access_token,
        }
    }

    /// The valid access token with this text.
    pub(super) fn bearer(&self, token: &str) -> Option<Arc<Bearer>> {
        self.issued().bearer(token)
    }

    pub(super) fn counts(&self) -> OAuthCounts {
        self.issued().counts
    }

    pub(super) fn revoke_all(&self) {
        self.issued().revoke_all();
    }

    pub(super) fn expire_all(&self) {
        self.issued().expire_all();
    }
}
