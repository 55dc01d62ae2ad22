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
    SandboxState, exchange::SandboxRequest, faults::PersistentFaults, response::SandboxResponse,
};

/// The apps, and what they were given.
pub(super) struct OAuthServer {
    clients: Vec<Client>,
    /// Of an access token, unless a switch says otherwise.
    token_life: Duration,
    code_life: Duration,
    issued: Lock<TokenRegistry>,
}

/// What a path stands for.
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
    /// The answer is lost on purpose.
    pub(super) async fn respond(
        self,
        state: &SandboxState,
        asked: &SandboxRequest,
    ) -> io::Result<SandboxResponse> {
        match self {
            Self::Discovery => Ok(discovery::respond(state, asked)),
            Self::Authorize => Ok(authorize::respond(state, asked)),
            Self::AuthorizeError => Ok(authorize::error(asked)),
            Self::Token => token::respond(state, asked).await,
            Self::Revoke => Ok(revoke::respond(state, asked)),
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

    /// The app with this id, and its place.
    fn client(&self, id: &str) -> Option<(usize, &Client)> {
        let mut places = self.clients.iter().enumerate();
        places.find(|(_, client)| client.id == id)
    }

    /// The terms of a request that no fault applies to.
    fn issuance_policy(&self, lasting: &PersistentFaults) -> TokenIssuancePolicy {
        let life = lasting.token_life_seconds;
        TokenIssuancePolicy {
            life: life.map_or(self.token_life, |seconds| {
                Duration::from_secs(seconds.into())
            }),
            only: None,
            rotate: true,
            reuse_ends_login: lasting.reuse_ends_login,
        }
    }

    /// The living access token with this text.
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
