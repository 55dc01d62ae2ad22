//! WITH WHICH TOKEN? `Admitted` ──► `Leased`. Holds each tenant's tokens and logins, and renews them.

pub mod grant;
mod leased;
pub mod login;
pub mod store;
pub mod token;
mod token_unavailable;
pub mod user_only_operations;

use std::sync::Arc;

use crate::{
    limits::Admitted,
    names::IdentityKind,
    policy::{
        Authorized,
        identity::{ConfiguredIdentities, choose_identity},
    },
};

use self::{token::cell::TokenCell, user_only_operations::UserOnlyOperations};

pub use self::{
    leased::Leased,
    token_unavailable::{TokenUnavailable, TokenUnavailableReason},
};

/// One tenant's token cells, one for each identity that is configured.
#[derive(Clone, Default)]
pub struct TenantCredentials {
    /// The machine identity's.
    pub service: Option<Arc<TokenCell>>,
    /// The user identity's.
    pub user: Option<Arc<TokenCell>>,
    /// The operations that NinjaOne allows to users only.
    pub user_only_operations: Arc<UserOnlyOperations>,
}

impl TenantCredentials {
    /// The token cell of an identity; none if the tenant has no such identity.
    #[must_use]
    pub fn get(&self, identity: IdentityKind) -> Option<&Arc<TokenCell>> {
        match identity {
            IdentityKind::Service => self.service.as_ref(),
            IdentityKind::User => self.user.as_ref(),
        }
    }

    fn configured(&self) -> ConfiguredIdentities {
        ConfiguredIdentities {
            service: self.service.is_some(),
            user: self.user.is_some(),
        }
    }

    fn choose_identity(&self, authorized: &Authorized) -> IdentityKind {
        let operation = authorized.operation();
        let is_learned = self.user_only_operations.contains(operation.index);
        choose_identity(
            authorized.identity_preference(),
            operation.required_identity,
            is_learned,
            self.configured(),
        )
        .identity
    }
}

/// Every tenant's token cells, by the tenant's index in the rules.
pub struct TokenCells(Vec<TenantCredentials>);

impl TokenCells {
    /// `tenants` in the order of the rules.
    #[must_use]
    pub fn new(tenants: Vec<TenantCredentials>) -> Self {
        Self(tenants)
    }

    /// Leases a token to a request: of its tenant, and of the identity that its rule and operation call for. Waits for a
    /// renewal under way, at most [`LEASE_WAIT_MS_MAX`](token::cell::LEASE_WAIT_MS_MAX).
    pub async fn lease(&self, admitted: Admitted) -> Result<Leased, Box<NoToken>> {
        let authorized = admitted.authorized();
        let identities = self.0.get(authorized.tenant().index);
        let identity =
            identities.map_or(IdentityKind::Service, |it| it.choose_identity(authorized));
        let leased = match identities.and_then(|it| it.get(identity)) {
            Some(cell) => lease_from(cell, admitted).await,
            None => Err(Box::new((
                admitted,
                TokenUnavailable::not_configured(identity),
            ))),
        };
        leased.map_err(|it| {
            let (admitted, unavailable) = *it;
            Box::new(NoToken {
                admitted,
                unavailable,
            })
        })
    }

    /// Remembers that NinjaOne allows this request's operation to users only. True if that is new.
    pub fn learn_user_only(&self, leased: &Leased) -> bool {
        let identities = self.0.get(leased.tenant().index);
        identities.is_some_and(|it| it.user_only_operations.insert(leased.operation().index))
    }

    /// Waits until the user identity of the tenant with this index has a token; at most for a renewal under way.
    ///
    /// # Errors
    /// The tenant has no user identity, or that one has no token.
    pub async fn wait_for_user(&self, tenant: usize) -> Result<(), TokenUnavailable> {
        let Some(cell) = self.get(tenant, IdentityKind::User) else {
            return Err(TokenUnavailable::not_configured(IdentityKind::User));
        };
        let token = cell.token().await;
        token.map_or_else(|it| Err(it.for_identity(IdentityKind::User)), |_| Ok(()))
    }

    /// Gives a request that went as the service the user's token instead, without asking policy or limits again: it is
    /// the same request, and NinjaOne has done nothing of it.
    ///
    /// # Errors
    /// The tenant has no user identity, or that one has no token. The request comes back with the lease that it had.
    pub async fn lease_as_user(
        &self,
        leased: Leased,
    ) -> Result<Leased, Box<(Leased, TokenUnavailable)>> {
        match self.get(leased.tenant().index, IdentityKind::User) {
            Some(cell) => lease_from(cell, leased).await,
            None => Err(Box::new((
                leased,
                TokenUnavailable::not_configured(IdentityKind::User),
            ))),
        }
    }

    /// The user-only operations of the tenant with this index.
    #[must_use]
    pub fn user_only_operations(&self, tenant: usize) -> Option<&UserOnlyOperations> {
        self.0.get(tenant).map(|it| &*it.user_only_operations)
    }

    /// The token cell of an identity of the tenant with this index.
    #[must_use]
    pub fn get(&self, tenant: usize, identity: IdentityKind) -> Option<&Arc<TokenCell>> {
        self.0.get(tenant)?.get(identity)
    }

    /// All token cells, for status and metrics.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TokenCell>> {
        self.0
            .iter()
            .flat_map(|it| it.service.iter().chain(it.user.iter()))
    }
}

/// Lends `request` the token of `cell`: a request that was admitted, or one that was lent another token before. On failure
/// it comes back as it was.
async fn lease_from<R: Into<Admitted>>(
    cell: &Arc<TokenCell>,
    request: R,
) -> Result<Leased, Box<(R, TokenUnavailable)>> {
    match cell.token().await {
        Ok(token) => Ok(Leased::assert_leased(
            request.into(),
            token,
            Arc::clone(cell),
        )),
        Err(unavailable) => Err(Box::new((
            request,
            unavailable.for_identity(cell.identity()),
        ))),
    }
}

/// A request that got no token.
pub struct NoToken {
    /// The request.
    pub admitted: Admitted,
    /// What there is no token of, and why.
    pub unavailable: TokenUnavailable,
}
