//! `logout`: revokes a login at NinjaOne and deletes it here.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    admin::{logout_report::LogoutReport, plain_text::escape_control_in_lines},
    app::wiring::{self, StoreOpenError},
    credentials::login::logout::log_out,
};

use super::{
    admin_args::AdminArgs,
    ask::{Answerer, AskError, find_answerer, take_text_and_exit},
    context::Context,
    exit::ExitStatus,
    login::select_tenant,
};

#[derive(Debug, Args)]
pub(super) struct LogoutArgs {
    /// Tenant to log out of; not needed if only one has a user identity
    tenant: Option<String>,
    /// Revoke and delete it as this user, with the files, instead of asking the running proxy
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    pub(super) admin: AdminArgs,
}

/// As long as the proxy may wait for a renewal that holds the store, and for NinjaOne.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);

/// Asks the running proxy, whose login it is; where there is none, does it here.
///
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
    let forbidden = match find_answerer(context, &args.admin, args.offline).await {
        Ok(Answerer::Proxy(proxy)) => {
            let question = json!({ "tenant": args.tenant });
            match proxy.ask("/logout", &question, ANSWER_TIMEOUT).await {
                Ok(answer) if proxy.may_not_be_asked(&answer) => None,
                Ok(answer) => return print_answer(answer, context, out, err),
                Err(error) if proxy.leaves_it_to_files(&error) => {
                    proxy.note_files(&error, err)?;
                    None
                }
                Err(error) => return error.report(err),
            }
        }
        Ok(Answerer::Files(forbidden)) => forbidden,
        Err(error) => return AskError::from(error).report(err),
    };
    let Some(config) = context.load(err)? else {
        if let Some(forbidden) = forbidden {
            writeln!(err, "error: {forbidden}")?;
        }
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
    let slot = wiring::login_slot(&tenant.name);
    let outcome = match wiring::open_store(store) {
        Ok(store) => log_out(&application, &store, &slot).await,
        Err(StoreOpenError::Store(error)) => Err(error),
        Err(StoreOpenError::Key(error)) => {
            writeln!(err, "error: the key of the store: {error}")?;
            return Ok(ExitStatus::ConfigurationWrong);
        }
    };
    let report = LogoutReport::of(&slot, &outcome);
    let mut document = report.document();
    document["exit"] = report.exit_code.into();
    print_answer(document, context, out, err)
}

/// Prints `logout/1`.
fn print_answer(
    mut answer: Value,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let (_, exit) = take_text_and_exit(&mut answer);
    let error = answer["error"].as_str().unwrap_or_default();
    let code = match (exit, error) {
        (Some(0), _) => ExitStatus::Done,
        (Some(75), _) | (None, "stopping") => ExitStatus::TryAgainLater,
        (None, "tenant-unknown" | "tenant-needed") => ExitStatus::WrongUsage,
        (None, "store") => ExitStatus::ConfigurationWrong,
        _ => ExitStatus::Failed,
    };
    let detail = answer["detail"].as_str().unwrap_or_default();
    let text = match answer["tenant"].as_str() {
        Some(tenant) => format!("{tenant}: {detail}"),
        None => detail.to_owned(),
    };
    let text = escape_control_in_lines(&text);
    if context.json {
        writeln!(out, "{answer}")?;
    } else if code == ExitStatus::Done {
        writeln!(out, "{text}")?;
    } else {
        writeln!(err, "error: {text}")?;
    }
    Ok(code)
}
