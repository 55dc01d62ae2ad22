//! `Intended`, the proof that a request is on record and may be sent.

use std::sync::Arc;

use crate::{
    caller::Caller,
    credentials::{
        Leased, TokenCells, TokenUnavailable,
        token::{access_token::AccessToken, cell::TokenCell},
    },
    limits::budget::Budget,
    names::IdentityKind,
    net::IncomingRequest,
    ninjaone::operation::Operation,
    policy::{Tenant, identity::IdentityPreference},
};

use super::open_entry::OpenEntry;

/// A request whose intent is on disk; for a read, one whose line has its room reserved.
///
/// [`Ledger::intend`](super::ledger::Ledger::intend) alone makes one, and it is spent on one
/// [`forward`](crate::upstream::Upstream::forward).
pub struct Intended {
    leased: Leased,
    /// Written when it is closed; written as abandoned when it is dropped.
    entry: OpenEntry,
}

impl Intended {
    /// Asserts that `entry` is the open line of `leased`, and that its intent is durable if it needs one.
    /// `tests/architecture/` names the one function that may.
    pub(super) fn assert_intended(leased: Leased, entry: OpenEntry) -> Self {
        Self { leased, entry }
    }

    /// The request as it came in.
    #[must_use]
    pub fn request(&self) -> &IncomingRequest {
        self.leased.request()
    }

    /// Who sent it.
    #[must_use]
    pub fn caller(&self) -> &Arc<Caller> {
        self.leased.caller()
    }

    /// The tenant that the request is for.
    #[must_use]
    pub fn tenant(&self) -> &Arc<Tenant> {
        self.leased.tenant()
    }

    /// The catalogued operation.
    #[must_use]
    pub fn operation(&self) -> &Arc<Operation> {
        self.leased.operation()
    }

    /// The identity that policy asks for, see [`Authorized::identity_preference`](crate::policy::Authorized::identity_preference).
    #[must_use]
    pub fn identity_preference(&self) -> IdentityPreference {
        self.leased.identity_preference()
    }

    /// What the tenant may spend at NinjaOne.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        self.leased.budget()
    }

    /// The token to send it with.
    #[must_use]
    pub fn token(&self) -> &Arc<AccessToken> {
        self.leased.token()
    }

    /// Where the token comes from, and where a rejected one is reported.
    #[must_use]
    pub fn cell(&self) -> &Arc<TokenCell> {
        self.leased.cell()
    }

    /// The identity that carries the request.
    #[must_use]
    pub fn identity(&self) -> IdentityKind {
        self.leased.identity()
    }

    /// What it was lent, for [`TokenCells::learn_user_only`].
    #[must_use]
    pub fn leased(&self) -> &Leased {
        &self.leased
    }

    /// Called before each attempt, see [`OpenEntry`]: the line of a request that nobody lives to close tells how often it
    /// may have been sent.
    pub fn set_attempts(&mut self, attempts: u32) {
        self.entry.set_attempts(attempts);
    }

    /// Exchanges the service's token for the user's. The line of the outcome, however it comes to be written, names the
    /// identity of the token.
    ///
    /// # Errors
    /// The user has no token. The request comes back as it was.
    pub async fn lease_as_user(
        self,
        token_cells: &TokenCells,
    ) -> Result<Self, Box<(Self, TokenUnavailable)>> {
        let Self { leased, mut entry } = self;
        match token_cells.lease_as_user(leased).await {
            Ok(leased) => {
                entry.set_identity(leased.identity());
                Ok(Self { leased, entry })
            }
            Err(it) => {
                let (leased, unavailable) = *it;
                Err(Box::new((Self { leased, entry }, unavailable)))
            }
        }
    }

    /// Parts the request's guards (concurrency, lease) from the line that is still to be written: what is left of a request
    /// that was sent, or never will be.
    #[must_use]
    pub fn into_parts(self) -> (Leased, OpenEntry) {
        (self.leased, self.entry)
    }
}
