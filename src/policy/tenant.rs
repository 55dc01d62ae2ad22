//! A tenant as policy sees it.

use crate::names::TenantName;

use super::identity::ConfiguredIdentities;

/// A tenant as policy sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The configured name.
    pub name: TenantName,
    /// Its index in the tables of the same rules.
    pub index: usize,
    /// The identities that it is configured with.
    pub identities: ConfiguredIdentities,
}
