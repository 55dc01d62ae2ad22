//! The proof that a request holds a valid token of its tenant.

use std::sync::Arc;

use http::HeaderValue;

use crate::{
    caller::Caller,
    limits::{Admitted, RateLimitStatus, budget::Budget},
    names::IdentityKind,
    net::IncomingRequest,
    ninjaone::operation::{Operation, RiskClass},
    policy::{Authorized, Tenant, identity::IdentityPreference},
};

use super::token::{access_token::AccessToken, cell::TokenCell};

/// A request and the token that it is sent with.
///
/// `lease_from` in `credentials/mod.rs` alone makes one, for [`TokenCells::lease`](super::TokenCells::lease) and
/// [`TokenCells::lease_as_user`](super::TokenCells::lease_as_user).
pub struct Leased {
    admitted: Admitted,
    token: Arc<AccessToken>,
    cell: Arc<TokenCell>,
}

impl Leased {
    /// Asserts that `cell` is one of the request's tenant and lent it `token`, valid now. `tests/architecture/` names
    /// the one function that may.
    pub(super) fn assert_leased(
        admitted: Admitted,
        token: Arc<AccessToken>,
        cell: Arc<TokenCell>,
    ) -> Self {
        Self {
            admitted,
            token,
            cell,
        }
    }

    /// What policy allowed.
    #[must_use]
    pub fn authorized(&self) -> &Authorized {
        self.admitted.authorized()
    }

    /// The request as it came in.
    #[must_use]
    pub fn request(&self) -> &IncomingRequest {
        self.admitted.request()
    }

    /// Who sent it.
    #[must_use]
    pub fn caller(&self) -> &Arc<Caller> {
        self.admitted.caller()
    }

    /// The tenant that the request is for.
    #[must_use]
    pub fn tenant(&self) -> &Arc<Tenant> {
        self.admitted.tenant()
    }

    /// The catalogued operation.
    #[must_use]
    pub fn operation(&self) -> &Arc<Operation> {
        self.admitted.operation()
    }

    /// The class of this request, see [`Authorized::class`].
    #[must_use]
    pub fn class(&self) -> RiskClass {
        self.admitted.class()
    }

    /// The identity that policy asks for, see [`Authorized::identity_preference`].
    #[must_use]
    pub fn identity_preference(&self) -> IdentityPreference {
        self.admitted.identity_preference()
    }

    /// How much of its limit the caller has left, for the `RateLimit` header.
    #[must_use]
    pub fn rate_limit_status(&self) -> &RateLimitStatus {
        self.admitted.rate_limit_status()
    }

    /// The caller's limit, for the `RateLimit-Policy` header.
    #[must_use]
    pub fn policy_header(&self) -> &HeaderValue {
        self.admitted.policy_header()
    }

    /// What the tenant may spend at NinjaOne.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        self.admitted.budget()
    }

    /// The token to send it with.
    #[must_use]
    pub fn token(&self) -> &Arc<AccessToken> {
        &self.token
    }

    /// Where the token comes from, and where a rejected one is reported.
    #[must_use]
    pub fn cell(&self) -> &Arc<TokenCell> {
        &self.cell
    }

    /// The identity that carries the request.
    #[must_use]
    pub fn identity(&self) -> IdentityKind {
        self.cell.identity()
    }
}

/// Gives the token up; the request is still admitted.
impl From<Leased> for Admitted {
    fn from(leased: Leased) -> Admitted {
        leased.admitted
    }
}
