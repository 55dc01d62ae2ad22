//! API keys of the admin listener: which role a key has. Keys are kept as digests.

use aws_lc_rs::constant_time;
use http::{HeaderMap, header::AUTHORIZATION};

use crate::caller::api_key::{AuthorizationHeader, KeyHash, parse_authorization};

/// What the holder of a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminRole {
    /// May change things.
    Operator,
    /// May look.
    Auditor,
}

/// The keys that open something.
#[derive(Debug, Clone, Default)]
pub struct AdminKeys(Vec<(KeyHash, AdminRole)>);

/// Why somebody may not change anything here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdminAuthError {
    #[error(
        "nobody may change anything here: add a key with role = \"operator\" to [[admin.access]]"
    )]
    NoOperatorConfigured,
    #[error("an operator's key is needed: Authorization: Bearer <key>")]
    MissingKey,
    #[error("this is not the key of an operator")]
    WrongKey,
}

impl AdminKeys {
    /// The keys, each with what it may do.
    #[must_use]
    pub fn new(keys: Vec<(KeyHash, AdminRole)>) -> Self {
        Self(keys)
    }

    /// # Errors
    /// When the request does not hold exactly one key, and that of an operator.
    pub fn authenticate_operator(&self, headers: &HeaderMap) -> Result<(), AdminAuthError> {
        let operators = self
            .0
            .iter()
            .filter(|(_, role)| *role == AdminRole::Operator);
        if operators.clone().next().is_none() {
            return Err(AdminAuthError::NoOperatorConfigured);
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(AdminAuthError::MissingKey);
        };
        let Some(AuthorizationHeader::Bearer(key)) = parse_authorization(value.as_bytes()) else {
            return Err(AdminAuthError::MissingKey);
        };
        let shown = KeyHash::of(key).ok_or(AdminAuthError::WrongKey)?;
        // All are looked at, so that the time tells nothing of which one it was.
        let found = operators
            .filter(|(known, _)| constant_time_eq(known, &shown))
            .count();
        if found == 0 {
            return Err(AdminAuthError::WrongKey);
        }
        Ok(())
    }
}

fn constant_time_eq(one: &KeyHash, other: &KeyHash) -> bool {
    constant_time::verify_slices_are_equal(&one.to_bytes(), &other.to_bytes()).is_ok()
}
