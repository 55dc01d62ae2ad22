//! `reload` and `drain`: ask the running proxy over its admin socket or, where it has none, send it a signal.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use clap::Args;
use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    admin::{
        control::{RELOAD_TIMEOUT, ReloadReport},
        status_snapshot::StatusSnapshot,
    },
    config::value::duration,
};

use super::{
    admin_args::AdminArgs,
    context::Context,
    exit::ExitStatus,
    running_proxy::{RunningProxy, RunningProxyError},
};

/// Longest time to wait for the result of a reload that a signal asked for.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(15);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How much longer than the proxy's own bound its answer is waited for.
const ANSWER_GRACE: Duration = Duration::from_secs(5);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Args)]
pub(super) struct ReloadArgs {
    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Debug, Clone, Args)]
pub(super) struct DrainArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// Wait until the proxy has ended
    #[arg(long)]
    wait: bool,
    /// How long to wait for its end, with --wait
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = parse_timeout)]
    timeout: Duration,
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| error.to_string())
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
        Err(error) => return reload_unseen(context, &error, out, err),
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
        }) => return reload_by_signal(&proxy, &before, out, err).await,
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
        let object = serde_json::to_string_pretty(report).map_err(io::Error::other)?;
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
        "error: not loaded, generation {generation} stays in force: {}",
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

fn is_same_file(one: &Path, other: &Path) -> bool {
    let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    absolute(one) == absolute(other)
}

/// Who names a configuration means the proxy that runs with it, and no other that happens to be found.
///
/// # Errors
/// `err` cannot be written to.
pub(super) fn refuse_other_proxy(
    context: &Context,
    args: &AdminArgs,
    running: &StatusSnapshot,
    err: &mut dyn Write,
) -> io::Result<Option<ExitStatus>> {
    let (Some(wanted), None, Some(file)) =
        (context.named_config(), &args.admin, &running.config.file)
    else {
        return Ok(None);
    };
    if is_same_file(wanted, Path::new(file)) {
        return Ok(None);
    }
    writeln!(
        err,
        "error: the proxy that answers runs with {file}, not with {}; name that file, or choose the proxy with --admin",
        wanted.display()
    )?;
    Ok(Some(ExitStatus::Failed))
}

/// Without a way to ask there is nobody to say what came of it. systemd names the process to its `ExecReload=`.
fn reload_unseen(
    context: &Context,
    why: &RunningProxyError,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let pid = context.env_var("MAINPID").and_then(|it| it.parse().ok());
    let Some(pid) = pid.and_then(Pid::from_raw) else {
        writeln!(err, "error: {why}")?;
        return Ok(ExitStatus::Failed);
    };
    if !signal(pid, Signal::HUP, err)? {
        return Ok(ExitStatus::Failed);
    }
    writeln!(
        out,
        "told to load its configuration; its log says what came of it"
    )?;
    Ok(ExitStatus::Done)
}

/// Where anybody may look but nobody may change anything the kernel decides who may send a signal.
async fn reload_by_signal(
    proxy: &RunningProxy,
    before: &StatusSnapshot,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    if !signal_running(before, Signal::HUP, err)? {
        return Ok(ExitStatus::Failed);
    }
    match timeout(SIGNAL_TIMEOUT, wait_for_reload(proxy, before)).await {
        Ok(Ok(generation)) => {
            writeln!(out, "loaded: generation {generation}")?;
            Ok(ExitStatus::Done)
        }
        Ok(Err(why)) => {
            let generation = before.config.generation;
            writeln!(
                err,
                "error: not loaded, generation {generation} stays in force: {why}"
            )?;
            Ok(ExitStatus::ConfigurationWrong)
        }
        Err(_) => {
            writeln!(err, "error: no answer in {} s", SIGNAL_TIMEOUT.as_secs())?;
            Ok(ExitStatus::Failed)
        }
    }
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

/// Exit codes: 0 draining, with --wait ended; 75 not ended in time; 1 not reachable or not permitted.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) async fn drain(
    args: &DrainArgs,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let (proxy, before) = match find_with_status(context, &args.admin).await {
        Ok(found) => found,
        Err(error) => {
            writeln!(err, "error: {error}")?;
            return Ok(ExitStatus::Failed);
        }
    };
    if let Some(code) = refuse_other_proxy(context, &args.admin, &before, err)? {
        return Ok(code);
    }
    match proxy.post("/drain", &Value::Null, DRAIN_TIMEOUT).await {
        Ok(_) => {}
        Err(RunningProxyError::Refused {
            status: StatusCode::UNAUTHORIZED,
            ..
        }) => {
            if !signal_running(&before, Signal::TERM, err)? {
                return Ok(ExitStatus::Failed);
            }
        }
        Err(error) => {
            writeln!(err, "error: {error}")?;
            return Ok(ExitStatus::Failed);
        }
    }
    if args.wait && timeout(args.timeout, wait_for_end(&proxy)).await.is_err() {
        writeln!(err, "error: the proxy has not ended yet; it goes on ending")?;
        return Ok(ExitStatus::TryAgainLater);
    }
    let state = if args.wait { "ended" } else { "draining" };
    if context.json {
        writeln!(out, "{}", json!({"schema": "drain/1", "state": state}))?;
    } else {
        writeln!(out, "{state}")?;
    }
    Ok(ExitStatus::Done)
}

async fn find_with_status(
    context: &Context,
    args: &AdminArgs,
) -> Result<(RunningProxy, StatusSnapshot), RunningProxyError> {
    let proxy = RunningProxy::find(context, args)?;
    let status = proxy.status().await?;
    Ok((proxy, status))
}

async fn wait_for_end(proxy: &RunningProxy) {
    while proxy.answers().await {
        sleep(POLL_INTERVAL).await;
    }
}

fn signal_running(
    running: &StatusSnapshot,
    signal_sent: Signal,
    err: &mut dyn Write,
) -> io::Result<bool> {
    let pid = i32::try_from(running.pid).ok().and_then(Pid::from_raw);
    match pid {
        Some(pid) => signal(pid, signal_sent, err),
        None => Ok(false),
    }
}

fn signal(pid: Pid, signal_sent: Signal, err: &mut dyn Write) -> io::Result<bool> {
    let sent = kill_process(pid, signal_sent);
    if let Err(error) = &sent {
        let number = pid.as_raw_nonzero();
        writeln!(
            err,
            "error: process {number} cannot be sent a signal: {error}"
        )?;
    }
    Ok(sent.is_ok())
}
