//! `logout`: revokes a login at NinjaOne and deletes it here.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use crate::{
    app::wiring::{self, StoreOpenError},
    credentials::{
        login::logout::{LogoutOutcome, log_out},
        store::error::StoreError,
    },
};

use super::{context::Context, exit::ExitStatus, login::select_tenant};

#[derive(Debug, Args)]
pub(super) struct LogoutArgs {
    /// Tenant to log out of; not needed if only one has a user identity
    tenant: Option<String>,
}

/// Exit codes: 0 revoked and deleted, or there was no login; 1 deleted but NinjaOne did not confirm, or not deleted; 2 no
/// such tenant; 75 another process is using the login; 78 configuration wrong.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) async fn run(
    args: &LogoutArgs,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let Some(config) = context.load(err)? else {
        return Ok(ExitStatus::ConfigurationWrong);
    };
    let (tenant, user) = match select_tenant(&config, args.tenant.as_deref()) {
        Ok(found) => found,
        Err(wrong) => return wrong.report(err),
    };
    let Some(store) = &config.store else {
        writeln!(err, "error: the configuration has no [store]")?;
        return Ok(ExitStatus::ConfigurationWrong);
    };
    let application = wiring::user_application(&wiring::endpoint(&tenant.origin), user);
    let outcome = match wiring::open_store(store) {
        Ok(store) => log_out(&application, &store, &wiring::login_slot(&tenant.name)).await,
        Err(StoreOpenError::Store(error)) => Err(error),
        Err(StoreOpenError::Key(error)) => {
            writeln!(err, "error: the key of the store: {error}")?;
            return Ok(ExitStatus::ConfigurationWrong);
        }
    };
    let told = LogoutReport::of(&outcome);
    if context.json {
        let object = json!({
            "schema": "logout/1",
            "tenant": tenant.name.as_str(),
            "identity": "user",
            "forgotten": told.is_forgotten,
            "revoked": told.is_revoked,
            "error": told.error,
            "detail": told.text,
        });
        writeln!(out, "{object}")?;
    } else if told.code == ExitStatus::Done {
        writeln!(out, "{}: {}", tenant.name, told.text)?;
    } else {
        writeln!(err, "error: {}: {}", tenant.name, told.text)?;
    }
    Ok(told.code)
}

/// The result of a logout, ready to print.
struct LogoutReport {
    is_forgotten: bool,
    is_revoked: bool,
    /// One of a closed set of names.
    error: Option<&'static str>,
    text: String,
    code: ExitStatus,
}

impl LogoutReport {
    fn of(outcome: &Result<LogoutOutcome, StoreError>) -> Self {
        let by_hand = "delete it in NinjaOne under Administration, Apps, API, OAuth Tokens";
        let (is_forgotten, error, text) = match outcome {
            Ok(LogoutOutcome::Revoked) => (
                true,
                None,
                "logged out; NinjaOne confirmed that the login is void".to_owned(),
            ),
            Ok(LogoutOutcome::NotLoggedIn) => (true, None, "nobody was logged in".to_owned()),
            Ok(LogoutOutcome::NotRevoked(error)) => (
                true,
                Some(error.as_str()),
                format!(
                    "forgotten here, but NinjaOne did not confirm that the login is void ({error}): {by_hand}"
                ),
            ),
            Ok(LogoutOutcome::Unreadable(error)) => (
                true,
                Some(error.name()),
                format!(
                    "forgotten here, but it could not be read to give it back to NinjaOne ({error}): {by_hand}"
                ),
            ),
            Err(error) => (
                false,
                Some(error.name()),
                format!("not logged out: {error}"),
            ),
        };
        let code = match outcome {
            Ok(LogoutOutcome::Revoked | LogoutOutcome::NotLoggedIn) => ExitStatus::Done,
            Err(StoreError::Busy { .. }) => ExitStatus::TryAgainLater,
            _ => ExitStatus::Failed,
        };
        Self {
            is_forgotten,
            is_revoked: *outcome == Ok(LogoutOutcome::Revoked),
            error,
            text,
            code,
        }
    }
}
