//! Chooses the identity that carries a request to NinjaOne: the only place where that is decided.
//!
//! In this order: the identity that a policy or the caller's settings pin; the one that the catalogue says the operation
//! needs; the user, if NinjaOne has asked for one since we started; otherwise the service, or the only identity that the
//! tenant has.

use std::sync::Arc;

use crate::{names::IdentityKind, ninjaone::operation::Needs};

/// The identity that policy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Wish {
    /// None: the operation and the tenant decide.
    #[default]
    Usual,
    /// This identity and no other, whatever comes of it.
    Pinned(IdentityKind),
}

/// A setting `identity`, and where the operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    pub identity: IdentityKind,
    /// `helpdesk`, or `caller.powerbi`
    pub owner: Arc<str>,
    /// `config.toml:43`
    pub place: Arc<str>,
}

/// The identities that a tenant is configured with. One without a token counts: it may get one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    pub service: bool,
    pub user: bool,
}

impl Held {
    /// Whether the tenant is configured with `identity`.
    #[must_use]
    pub const fn has(self, identity: IdentityKind) -> bool {
        match identity {
            IdentityKind::Service => self.service,
            IdentityKind::User => self.user,
        }
    }
}

/// The identity that a request goes as. The tenant may lack it: then there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Choice {
    pub identity: IdentityKind,
    pub because: Because,
}

/// Why a request goes with its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Because {
    /// A policy or the caller's settings say so.
    Pinned,
    /// The catalogue, or the `[[operation]]`, says that it needs a user.
    NeedsPerson,
    /// NinjaOne answered `user_context_required` to this operation of this tenant.
    Learned,
    /// Nothing speaks against the service.
    Usual,
    /// The tenant has no service identity.
    OnlyUser,
}

impl Because {
    /// A word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::NeedsPerson => "needs-person",
            Self::Learned => "learned",
            Self::Usual => "usual",
            Self::OnlyUser => "only-user",
        }
    }
}

/// Chooses the identity. `is_learned`: NinjaOne has asked for a user before.
#[must_use]
pub const fn choose(wish: Wish, needs: Needs, is_learned: bool, held: Held) -> Choice {
    let (identity, because) = match (wish, needs) {
        (Wish::Pinned(identity), _) => (identity, Because::Pinned),
        (Wish::Usual, Needs::User) => (IdentityKind::User, Because::NeedsPerson),
        (Wish::Usual, _) if is_learned => (IdentityKind::User, Because::Learned),
        (Wish::Usual, _) if held.user && !held.service => (IdentityKind::User, Because::OnlyUser),
        (Wish::Usual, _) => (IdentityKind::Service, Because::Usual),
    };
    Choice { identity, because }
}
