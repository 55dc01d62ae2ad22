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
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::ninjaone::paths::{
    AUTHORIZE_ERROR_PATH, AUTHORIZE_PATH, AUTHORIZE_PATH_ALIAS, DISCOVERY_PATH, REVOKE_PATH,
    is_token_path,
};

use self::{
    clients::Client,
    counts::Counts,
    token_registry::{Bearer, Issued, Terms},
};

use super::{State, exchange::Asked, faults::Lasting, response::Answer};

/// The apps, and what they were given.
pub(super) struct OAuth {
    clients: Vec<Client>,
    /// Of an access token, unless a switch says otherwise.
    life: Duration,
    code_life: Duration,
    issued: Mutex<Issued>,
}

/// What a path stands for.
#[derive(Clone, Copy)]
pub(super) enum Endpoint {
    Discovery,
    Authorize,
    AuthorizeError,
    Token,
    Revoke,
}

impl Endpoint {
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
    pub(super) async fn answer(self, state: &State, asked: &Asked) -> io::Result<Answer> {
        match self {
            Self::Discovery => Ok(discovery::answer(state, asked)),
            Self::Authorize => Ok(authorize::answer(state, asked)),
            Self::AuthorizeError => Ok(authorize::error(asked)),
            Self::Token => token::answer(state, asked).await,
            Self::Revoke => Ok(revoke::answer(state, asked)),
        }
    }
}

impl OAuth {
    pub(super) fn new(clients: Vec<Client>, life: Duration, code_life: Duration) -> Self {
        Self {
            clients,
            life,
            code_life,
            issued: Mutex::new(Issued::new()),
        }
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The app with this id, and its place.
    fn client(&self, id: &str) -> Option<(usize, &Client)> {
        let mut places = self.clients.iter().enumerate();
        places.find(|(_, client)| client.id == id)
    }

    /// The terms of a request that no fault applies to.
    fn terms(&self, lasting: &Lasting) -> Terms {
        let life = lasting.token_life_seconds;
        Terms {
            life: life.map_or(self.life, |seconds| Duration::from_secs(seconds.into())),
            only: None,
            rotate: true,
            reuse_ends_login: lasting.reuse_ends_login,
        }
    }

    /// The living access token with this text.
    pub(super) fn bearer(&self, token: &str) -> Option<Arc<Bearer>> {
        self.issued().bearer(token)
    }

    pub(super) fn counts(&self) -> Counts {
        self.issued().counts
    }

    pub(super) fn revoke_all(&self) {
        self.issued().revoke_all();
    }

    pub(super) fn expire_all(&self) {
        self.issued().expire_all();
    }
}
