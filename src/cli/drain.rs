//! `drain`: asks the running proxy over its admin socket to finish and stop or, where it may not be asked, sends it a signal.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use http::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{clock::Moment, config::value::duration};

use super::{
    admin_args::AdminArgs,
    context::Context,
    exit::ExitStatus,
    running_proxy::{
        RunningProxy, RunningProxyError, elapsed_ms, find_with_status, refuse_other_proxy,
        warn_of_unread_configuration,
    },
    signal::signal_running,
};

const POLL_INTERVAL: Duration = Duration::from_millis(100);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Args)]
pub(super) struct DrainArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// Wait until the proxy has stopped
    #[arg(long)]
    wait: bool,
    /// With --wait, how long to wait
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = parse_timeout)]
    timeout: Duration,
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| error.to_string())
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
            warn_of_unread_configuration(context, &args.admin, err)?;
            error.report(err)?;
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
    let began = Moment::now();
    if args.wait && timeout(args.timeout, wait_for_end(&proxy)).await.is_err() {
        writeln!(
            err,
            "error: the proxy has not stopped yet; it is still draining"
        )?;
        return Ok(ExitStatus::TryAgainLater);
    }
    let requests = before.traffic.in_flight;
    let waited_ms = elapsed_ms(began);
    let state = if args.wait { "ended" } else { "draining" };
    if context.json {
        let mut object = json!({"schema": "drain/1", "state": state, "requests": requests});
        if args.wait {
            object["waited_ms"] = waited_ms.into();
        }
        writeln!(out, "{object}")?;
        return Ok(ExitStatus::Done);
    }
    let requests = match requests {
        0 => "no request was".to_owned(),
        1 => "1 request was".to_owned(),
        count => format!("{count} requests were"),
    };
    if args.wait {
        let (whole, tenths) = (waited_ms / 1000, waited_ms % 1000 / 100);
        writeln!(
            out,
            "{state} after {whole}.{tenths} s; {requests} in progress when it began"
        )?;
    } else {
        writeln!(out, "{state}")?;
    }
    Ok(ExitStatus::Done)
}

async fn wait_for_end(proxy: &RunningProxy) {
    while proxy.answers().await {
        sleep(POLL_INTERVAL).await;
    }
}
