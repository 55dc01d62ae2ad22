//! WITH WHICH TOKEN? `Admitted` ──► `Leased`. Holds each tenant's credentials and keeps its tokens alive.

pub mod authorization;
pub mod callback;
pub mod completion;
pub mod custody;
pub mod grant;
pub mod keeper;
pub mod learned;
pub mod login;
pub mod login_change;
pub mod logout;
pub mod news;
pub mod record;
pub mod refresh_calls;
pub mod renewal_error;
pub mod schedule;
pub mod service_renewer;
pub mod store;
pub mod token;
pub mod vault;

use std::{sync::Arc, time::Duration};

use crate::{
    limits::Admitted,
    names::IdentityKind,
    policy::{
        Authorized,
        identity::{Held, choose},
    },
};

use self::{
    learned::Learned,
    token::AccessToken,
    vault::{LEASE_WAIT_MS_MAX, Vault},
};

/// One tenant's vaults, one for each identity that has credentials.
#[derive(Clone, Default)]
pub struct Identities {
    pub service: Option<Arc<Vault>>,
    pub user: Option<Arc<Vault>>,
    /// The operations that NinjaOne wants a person for.
    pub learned: Arc<Learned>,
}

impl Identities {
    #[must_use]
    pub fn get(&self, identity: IdentityKind) -> Option<&Arc<Vault>> {
        match identity {
            IdentityKind::Service => self.service.as_ref(),
            IdentityKind::User => self.user.as_ref(),
        }
    }

    fn held(&self) -> Held {
        Held {
            service: self.service.is_some(),
            user: self.user.is_some(),
        }
    }

    fn identity_for(&self, authorized: &Authorized) -> IdentityKind {
        let operation = authorized.operation();
        let is_learned = self.learned.holds(operation.index);
        choose(authorized.wish(), operation.needs, is_learned, self.held()).identity
    }
}

/// Every tenant's vaults, by the tenant's index in the rules.
pub struct Vaults(Vec<Identities>);

impl Vaults {
    #[must_use]
    pub fn new(tenants: Vec<Identities>) -> Self {
        Self(tenants)
    }

    /// Gives a request a token of its tenant, of the identity that suits it; waits at most for a renewal under way.
    pub async fn lease(&self, admitted: Admitted) -> Result<Leased, Box<NoToken>> {
        let authorized = admitted.authorized();
        let identities = self.0.get(authorized.tenant().index);
        let identity = identities.map_or(IdentityKind::Service, |it| it.identity_for(authorized));
        match identities.and_then(|it| it.get(identity)) {
            Some(vault) => vault.lease(admitted).await,
            None => Err(Box::new(NoToken {
                admitted,
                lack: Lack::not_configured(identity),
            })),
        }
    }

    /// Keeps in mind that NinjaOne wants a person for this request's operation; true if that is new.
    pub fn learn(&self, leased: &Leased) -> bool {
        let authorized = leased.admitted.authorized();
        let identities = self.0.get(authorized.tenant().index);
        identities.is_some_and(|it| it.learned.add(authorized.operation().index))
    }

    /// Gives a request that went as the service the person's token instead, without asking policy or limits again: it is
    /// the same request, and NinjaOne has done nothing of it.
    ///
    /// # Errors
    /// The tenant has no user identity, or that one has no token. The request keeps what it had.
    pub async fn lease_as_user(&self, leased: &mut Leased) -> Result<(), Lack> {
        let tenant = leased.admitted.authorized().tenant().index;
        let Some(vault) = self.get(tenant, IdentityKind::User) else {
            return Err(Lack::not_configured(IdentityKind::User));
        };
        let longest = Duration::from_millis(LEASE_WAIT_MS_MAX);
        let token = match vault.current() {
            Some(token) => Ok(token),
            None => vault.wait_for_token(longest).await,
        };
        leased.token = token.map_err(|it| it.lack(IdentityKind::User))?;
        leased.vault = Arc::clone(vault);
        Ok(())
    }

    /// What was learned of the tenant with this index.
    #[must_use]
    pub fn learned(&self, tenant: usize) -> Option<&Learned> {
        self.0.get(tenant).map(|it| &*it.learned)
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

    /// As whom the request goes.
    #[must_use]
    pub fn identity(&self) -> IdentityKind {
        self.vault.identity()
    }
}

/// A request for which there is no token.
pub struct NoToken {
    pub admitted: Admitted,
    pub lack: Lack,
}

/// A token that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// The identity that was asked for it.
    pub identity: IdentityKind,
    pub why: Why,
    /// When it is worth to try again; none where only a person can help.
    pub retry_after: Option<Duration>,
}

impl Lack {
    fn not_configured(identity: IdentityKind) -> Self {
        Self {
            identity,
            why: Why::NotConfigured,
            retry_after: None,
        }
    }
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The configuration gives the tenant no such identity.
    NotConfigured,
    /// The identity is a person's, and nobody has logged in, or the login has ended.
    LoginNeeded,
    /// The first token is still being fetched, or the last one ended and its renewal fails.
    Unavailable,
}
