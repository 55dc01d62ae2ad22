//! A tenant as policy sees it.

use crate::names::TenantName;

use super::identity::Held;

/// A tenant as policy sees it. `index` is its place in every table of the same rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Tenant {
    pub name: TenantName,
    pub index: usize,
    pub held: Held,
}
