//! Chooses the identity that carries a request to NinjaOne: the only place where that is decided.
//!
//! In this order: the identity that a policy or the caller's settings pin; the one that the catalogue says the operation
//! needs; the user, if NinjaOne has asked for one since we started; otherwise the service, or the only identity that the
//! tenant has.

use std::sync::Arc;

use crate::{names::IdentityKind, ninjaone::operation::RequiredIdentity};

/// The identity that policy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IdentityPreference {
    /// None: the operation and the tenant decide.
    #[default]
    Auto,
    /// This identity and no other, whatever comes of it.
    Pinned(IdentityKind),
}

/// A setting `identity`, and where the operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityPin {
    pub identity: IdentityKind,
    /// `helpdesk`, or `caller.powerbi`
    pub owner: Arc<str>,
    /// `config.toml:43`
    pub location: Arc<str>,
}

/// The identities that a tenant is configured with. One without a token counts: it may get one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConfiguredIdentities {
    pub service: bool,
    pub user: bool,
}

impl ConfiguredIdentities {
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
pub struct IdentityChoice {
    pub identity: IdentityKind,
    pub reason: IdentityReason,
}

/// Why a request goes with its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityReason {
    /// A policy or the caller's settings say so.
    Pinned,
    /// The catalogue, or the `[[operation]]`, says that it needs a user.
    RequiresUser,
    /// NinjaOne said `user_context_required` to this operation of this tenant.
    UserContextRequired,
    /// Nothing speaks against the service.
    ServiceDefault,
    /// The tenant has no service identity.
    OnlyUser,
}

impl IdentityReason {
    /// A word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::RequiresUser => "needs-person",
            Self::UserContextRequired => "learned",
            Self::ServiceDefault => "usual",
            Self::OnlyUser => "only-user",
        }
    }
}

/// Chooses the identity. `is_learned`: NinjaOne has asked for a user before.
#[must_use]
pub const fn choose_identity(
    preference: IdentityPreference,
    needs: RequiredIdentity,
    is_learned: bool,
    held: ConfiguredIdentities,
) -> IdentityChoice {
    let (identity, because) = match (preference, needs) {
        (IdentityPreference::Pinned(identity), _) => (identity, IdentityReason::Pinned),
        (IdentityPreference::Auto, RequiredIdentity::User) => {
            (IdentityKind::User, IdentityReason::RequiresUser)
        }
        (IdentityPreference::Auto, _) if is_learned => {
            (IdentityKind::User, IdentityReason::UserContextRequired)
        }
        (IdentityPreference::Auto, _) if held.user && !held.service => {
            (IdentityKind::User, IdentityReason::OnlyUser)
        }
        (IdentityPreference::Auto, _) => (IdentityKind::Service, IdentityReason::ServiceDefault),
    };
    IdentityChoice {
        identity,
        reason: because,
    }
}
