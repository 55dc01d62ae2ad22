//! WITH WHICH TOKEN? `Admitted` ──► `Leased`. Holds each tenant's credentials and keeps its tokens alive.

pub mod grant;
pub mod keeper;
pub mod record;
pub mod schedule;
pub mod store;
pub mod token;
pub mod vault;

use std::{sync::Arc, time::Duration};

use crate::{limits::Admitted, names::IdentityKind};

use self::{token::AccessToken, vault::Vault};

/// One tenant's vaults, one for each identity that has credentials.
#[derive(Clone, Default)]
pub struct Identities {
    pub service: Option<Arc<Vault>>,
    pub user: Option<Arc<Vault>>,
}

impl Identities {
    #[must_use]
    pub fn get(&self, identity: IdentityKind) -> Option<&Arc<Vault>> {
        match identity {
            IdentityKind::Service => self.service.as_ref(),
            IdentityKind::User => self.user.as_ref(),
        }
    }
}

/// Every tenant's vaults, by the tenant's index in the rules.
pub struct Vaults(Vec<Identities>);

impl Vaults {
    #[must_use]
    pub fn new(tenants: Vec<Identities>) -> Self {
        Self(tenants)
    }

    /// Gives a request the token of its tenant and identity; waits at most for a renewal under way.
    pub async fn lease(&self, admitted: Admitted) -> Result<Leased, Box<NoToken>> {
        let (tenant, identity) = {
            let authorized = admitted.authorized();
            (authorized.tenant().index, authorized.identity())
        };
        match self.get(tenant, identity) {
            Some(vault) => vault.lease(admitted).await,
            None => Err(Box::new(NoToken {
                admitted,
                why: Why::LoginNeeded,
                retry_after: None,
            })),
        }
    }

    /// The vault of the tenant with this index.
    #[must_use]
    pub fn get(&self, tenant: usize, identity: IdentityKind) -> Option<&Arc<Vault>> {
        self.0.get(tenant)?.get(identity)
    }

    /// All vaults, for status and metrics.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Vault>> {
        self.0
            .iter()
            .flat_map(|it| it.service.iter().chain(it.user.iter()))
    }
}

/// A request with a token that is valid now. Only this module makes one.
pub struct Leased {
    admitted: Admitted,
    token: Arc<AccessToken>,
    vault: Arc<Vault>,
}

impl Leased {
    #[must_use]
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }

    pub fn admitted_mut(&mut self) -> &mut Admitted {
        &mut self.admitted
    }

    #[must_use]
    pub fn token(&self) -> &Arc<AccessToken> {
        &self.token
    }

    #[must_use]
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }
}

/// A request for which there is no token.
pub struct NoToken {
    pub admitted: Admitted,
    pub why: Why,
    /// When it is worth to try again; none where only a person can help.
    pub retry_after: Option<Duration>,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The tenant has no credentials for the identity that the operation needs.
    LoginNeeded,
    /// The first token is still being fetched, or the last one ended and its renewal fails.
    Unavailable,
}
