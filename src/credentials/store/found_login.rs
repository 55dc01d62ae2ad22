//! A login that was found in the store, and what was wrong with it.

use super::{error::StoreError, stored_login::StoredLogin};

/// A login that was read from a slot.
#[derive(Clone)]
pub struct FoundLogin {
    pub login: StoredLogin,
    /// What is wrong with the login's file, if its backup of the same revision was read instead. The next write repairs it.
    pub damage: Option<StoreError>,
}
