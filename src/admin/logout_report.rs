//! What came of a logout, for programs and for people.

use serde_json::{Value, json};

use crate::credentials::{
    login::logout::LogoutOutcome,
    store::{error::StoreError, stored_login::Slot},
};

/// Version of the shape of [`LogoutReport::document`].
pub const SCHEMA: &str = "logout/1";

/// Exit codes of `logout`.
const EXIT_DONE: u8 = 0;
const EXIT_FAILED: u8 = 1;
const EXIT_TRY_AGAIN: u8 = 75;

/// What came of a logout.
pub struct LogoutReport {
    tenant: String,
    identity: &'static str,
    is_deleted: bool,
    is_revoked: bool,
    /// One of a closed set of names.
    error: Option<&'static str>,
    /// A sentence without capital and full stop.
    pub text: String,
    pub exit_code: u8,
}

impl LogoutReport {
    #[must_use]
    pub fn of(slot: &Slot, outcome: &Result<LogoutOutcome, StoreError>) -> Self {
        let by_hand = "delete it in NinjaOne under Administration, Apps, API, OAuth Tokens";
        let (is_deleted, error, text) = match outcome {
            Ok(LogoutOutcome::Revoked) => (
                true,
                None,
                "logged out: NinjaOne has revoked the login, and it is deleted here".to_owned(),
            ),
            Ok(LogoutOutcome::NotLoggedIn) => (true, None, "nobody was logged in".to_owned()),
            Ok(LogoutOutcome::NotRevoked(error)) => (
                true,
                Some(error.as_str()),
                format!(
                    "deleted here, but NinjaOne did not confirm that it has revoked the login ({error}): {by_hand}"
                ),
            ),
            Ok(LogoutOutcome::Unreadable(error)) => (
                true,
                Some(error.name()),
                format!(
                    "deleted here, but it could not be read, so NinjaOne was not asked to revoke it ({error}): {by_hand}"
                ),
            ),
            Err(error) => (
                false,
                Some(error.name()),
                format!("not logged out: {error}"),
            ),
        };
        let exit_code = match outcome {
            Ok(LogoutOutcome::Revoked | LogoutOutcome::NotLoggedIn) => EXIT_DONE,
            Err(StoreError::Busy { .. }) => EXIT_TRY_AGAIN,
            _ => EXIT_FAILED,
        };
        Self {
            tenant: slot.tenant.as_str().to_owned(),
            identity: slot.identity.as_str(),
            is_deleted,
            is_revoked: *outcome == Ok(LogoutOutcome::Revoked),
            error,
            text,
            exit_code,
        }
    }

    /// `logout/1`
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "tenant": self.tenant,
            "identity": self.identity,
            "forgotten": self.is_deleted,
            "revoked": self.is_revoked,
            "error": self.error,
            "detail": self.text,
        })
    }
}
