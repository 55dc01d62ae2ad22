//! Why policy denies a request.

use std::sync::Arc;

/// Why policy refuses a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialReason {
    /// No such tenant, or none that this caller may use, or several and the caller named none.
    TenantUnknown(TenantSelectionError),
    /// The catalogue does not have this method and path.
    UnknownOperation,
    /// No rule allows it. Holds the names of the policies that were asked.
    NotAllowed {
        policies: Arc<str>,
    },
    /// A `deny` rule matched: `policy reporting: deny = ["secrets"]`.
    DeniedBy {
        rule: Arc<str>,
    },
    ReasonRequired,
    OnBehalfOfRequired,
}

impl DenialReason {
    /// For a caller of whom these rules know nothing.
    pub(super) fn not_allowed_by_any() -> Self {
        Self::NotAllowed {
            policies: Arc::from("none"),
        }
    }
}

/// Why a request has no tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantSelectionError {
    /// There is none of that name, or the caller may not use it.
    NoSuchTenant,
    /// The caller may use several and named none.
    Ambiguous,
    /// The base path and the `NJP-Tenant` header name different ones.
    Conflicting,
}
