//! `reload`: asks the running proxy over its admin socket or, where it may not be asked, sends it a signal.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use clap::Args;
use http::StatusCode;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    admin::{
        control::{RELOAD_SCHEMA, RELOAD_TIMEOUT, ReloadReport},
        status_snapshot::StatusSnapshot,
    },
    files::is_same_file,
};

use super::{
    admin_args::AdminArgs,
    context::Context,
    exit::ExitStatus,
    running_proxy::{
        RunningProxy, RunningProxyError, find_with_status, refuse_other_proxy,
        warn_of_unread_configuration,
    },
    signal::{signal, signal_running},
};

/// Longest time to wait for the result of a reload that a signal asked for.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(15);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How much longer than the proxy's own bound its answer is waited for.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Args)]
pub(super) struct ReloadArgs {
    #[command(flatten)]
    admin: AdminArgs,
}

/// Exit codes: 0 reloaded, 78 rejected because the configuration is wrong, 1 not reachable or not permitted.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) async fn reload(
    args: &ReloadArgs,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let (proxy, before) = match find_with_status(context, &args.admin).await {
        Ok(found) => found,
        Err(error) => return reload_unseen(context, args, &error, out, err),
    };
    if let Some(code) = refuse_other_proxy(context, &args.admin, &before, err)? {
        return Ok(code);
    }
    let report = match proxy
        .post("/reload", &Value::Null, RELOAD_TIMEOUT + ANSWER_GRACE)
        .await
    {
        Ok(body) => serde_json::from_slice(&body)
            .map_err(|_| RunningProxyError::NotUnderstood(proxy.describe())),
        Err(RunningProxyError::Refused {
            status: StatusCode::UNAUTHORIZED,
            ..
        }) => return reload_by_signal(&proxy, &before, context.json, out, err).await,
        Err(error) => Err(error),
    };
    match report {
        Ok(report) => print_report(&report, context.json, out, err),
        Err(error) => {
            writeln!(err, "error: {error}")?;
            Ok(ExitStatus::Failed)
        }
    }
}

fn print_report(
    report: &ReloadReport,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let generation = report.generation;
    let code = if report.loaded {
        ExitStatus::Done
    } else {
        ExitStatus::ConfigurationWrong
    };
    if as_json {
        let object = serde_json::to_string(report).map_err(io::Error::other)?;
        writeln!(out, "{object}")?;
        return Ok(code);
    }
    for warning in &report.warnings {
        writeln!(err, "{warning}\n")?;
    }
    for setting in &report.pending_restart {
        writeln!(
            err,
            "warning: {setting} has changed; the change takes effect at the next start"
        )?;
    }
    if report.loaded {
        writeln!(out, "loaded: generation {generation}")?;
        return Ok(code);
    }
    writeln!(
        err,
        "{}\n\nerror: not loaded; generation {generation} stays in force",
        report.errors.join("\n\n")
    )?;
    Ok(code)
}

/// After a command has changed the configuration's files: lets the running proxy load them at once, and says what came of it.
/// Where none runs, nothing is said: the files are read at the start.
///
/// # Errors
/// `err` cannot be written to.
pub(super) async fn apply_change(context: &Context, err: &mut dyn Write) -> io::Result<()> {
    let Ok((proxy, running)) = find_with_status(context, &AdminArgs::default()).await else {
        return Ok(());
    };
    let written = context.config_context().sources().ok();
    let is_meant = match (&written, &running.config.file) {
        (Some(written), Some(file)) => is_same_file(&written.file, Path::new(file)),
        _ => false,
    };
    if !is_meant {
        return Ok(());
    }
    let Ok(body) = proxy
        .post("/reload", &Value::Null, RELOAD_TIMEOUT + ANSWER_GRACE)
        .await
    else {
        // It watches its files.
        return Ok(());
    };
    match serde_json::from_slice::<ReloadReport>(&body) {
        Ok(report) if report.loaded => {
            let generation = report.generation;
            writeln!(
                err,
                "The running proxy has loaded this (generation {generation})."
            )
        }
        Ok(report) => writeln!(
            err,
            "The running proxy has not loaded this: {}",
            report.errors.join("\n\n")
        ),
        Err(_) => Ok(()),
    }
}

/// Without a way to ask there is nobody to say what came of it. systemd names the process to its `ExecReload=`.
fn reload_unseen(
    context: &Context,
    args: &ReloadArgs,
    why: &RunningProxyError,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let pid = context.env_var("MAINPID").and_then(|it| it.parse().ok());
    let Some(pid) = pid.and_then(Pid::from_raw) else {
        warn_of_unread_configuration(context, &args.admin, err)?;
        why.report(err)?;
        return Ok(ExitStatus::Failed);
    };
    if !signal(pid, Signal::HUP, err)? {
        return Ok(ExitStatus::Failed);
    }
    if context.json {
        let object = json!({"schema": RELOAD_SCHEMA, "loaded": null, "generation": null});
        writeln!(out, "{object}")?;
    } else {
        writeln!(
            out,
            "asked to load its configuration; its log says whether it did"
        )?;
    }
    Ok(ExitStatus::Done)
}

/// Where anybody may look but nobody may change anything the kernel decides who may send a signal.
async fn reload_by_signal(
    proxy: &RunningProxy,
    before: &StatusSnapshot,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    if !signal_running(before, Signal::HUP, err)? {
        return Ok(ExitStatus::Failed);
    }
    let Ok(seen) = timeout(SIGNAL_TIMEOUT, wait_for_reload(proxy, before)).await else {
        let seconds = SIGNAL_TIMEOUT.as_secs();
        writeln!(err, "error: the proxy has not reloaded within {seconds} s")?;
        return Ok(ExitStatus::Failed);
    };
    let report = ReloadReport {
        schema: RELOAD_SCHEMA.to_owned(),
        loaded: seen.is_ok(),
        generation: seen.as_ref().map_or(before.config.generation, |it| *it),
        warnings: Vec::new(),
        pending_restart: Vec::new(),
        errors: seen
            .err()
            .map(|why| format!("error: {why}"))
            .into_iter()
            .collect(),
    };
    print_report(&report, as_json, out, err)
}

async fn wait_for_reload(proxy: &RunningProxy, before: &StatusSnapshot) -> Result<u64, String> {
    loop {
        sleep(POLL_INTERVAL).await;
        let now = match proxy.status().await {
            Ok(now) if now.config.tries > before.config.tries => now,
            _ => continue,
        };
        return match now.config.last_error {
            Some(why) => Err(why),
            None => Ok(now.config.generation),
        };
    }
}
