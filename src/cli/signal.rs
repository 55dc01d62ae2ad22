//! `reload` and `drain`: send signals to the running proxy, found through its admin listener. The kernel decides who may.

use std::{
    io::{self, Write},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::admin::status_snapshot::StatusSnapshot;

use super::{context::Context, exit::ExitStatus, status};

/// Longest time to wait for the result of a reload.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(15);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Exit codes: 0 reloaded, 78 rejected because the configuration is wrong, 1 not reachable or not permitted.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) async fn reload(
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let found = find_running_proxy(context).await;
    let Some((pid, before)) = found else {
        return reload_unseen(context, out, err);
    };
    if let Err(error) = kill_process(pid, Signal::HUP) {
        writeln!(err, "error: process {pid:?} cannot be told: {error}")?;
        return Ok(ExitStatus::Failed);
    }
    let outcome = tokio::time::timeout(RELOAD_TIMEOUT, wait_for_reload(context, &before)).await;
    match outcome {
        Ok(Ok(generation)) => {
            writeln!(out, "loaded: generation {generation}")?;
            Ok(ExitStatus::Done)
        }
        Ok(Err(why)) => {
            writeln!(
                err,
                "error: not loaded, generation {} stays in force: {why}",
                before.config.generation
            )?;
            Ok(ExitStatus::ConfigurationWrong)
        }
        Err(_) => {
            writeln!(err, "error: no answer in {} s", RELOAD_TIMEOUT.as_secs())?;
            Ok(ExitStatus::Failed)
        }
    }
}

/// Without an admin listener there is nobody to ask what came of it. systemd names the process to its `ExecReload=`.
fn reload_unseen(
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let pid = context.env_var("MAINPID").and_then(|it| it.parse().ok());
    let Some(pid) = pid.and_then(Pid::from_raw) else {
        return not_found(err);
    };
    if let Err(error) = kill_process(pid, Signal::HUP) {
        writeln!(err, "error: process {pid:?} cannot be told: {error}")?;
        return Ok(ExitStatus::Failed);
    }
    writeln!(
        out,
        "told to load its configuration; its log says what came of it"
    )?;
    Ok(ExitStatus::Done)
}

async fn wait_for_reload(context: &Context, before: &StatusSnapshot) -> Result<u64, String> {
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let now = match status::fetch_snapshot(context.admin_address()).await {
            Some(now) if now.config.tries > before.config.tries => now,
            _ => continue,
        };
        return match now.config.last_error {
            Some(why) => Err(why),
            None => Ok(now.config.generation),
        };
    }
}

/// Exit codes: 0 draining, 1 not reachable or not permitted.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) async fn drain(
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let Some((pid, _)) = find_running_proxy(context).await else {
        return not_found(err);
    };
    if let Err(error) = kill_process(pid, Signal::TERM) {
        writeln!(err, "error: process {pid:?} cannot be told: {error}")?;
        return Ok(ExitStatus::Failed);
    }
    writeln!(out, "draining")?;
    Ok(ExitStatus::Done)
}

async fn find_running_proxy(context: &Context) -> Option<(Pid, StatusSnapshot)> {
    let snapshot = status::fetch_snapshot(context.admin_address()).await?;
    let pid = i32::try_from(snapshot.pid).ok().and_then(Pid::from_raw)?;
    Some((pid, snapshot))
}

fn not_found(err: &mut dyn Write) -> io::Result<ExitStatus> {
    writeln!(
        err,
        "error: ninjaone-proxy cannot be reached at its admin listener; is it running?"
    )?;
    Ok(ExitStatus::Failed)
}
