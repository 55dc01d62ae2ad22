//! Waits for the user: at the callback listener, or for a pasted address.

use std::{io, time::Duration};

use tokio::{
    signal::unix::Signal,
    time::{Instant, interval, sleep_until},
};

use crate::{
    cli::terminal::{Echo, line},
    secret::Secret,
};

use super::{
    COPIED_BYTES_MAX, Failure,
    callback::{Callback, Judge},
    reporter::Report,
};

const TICK: Duration = Duration::from_secs(1);

/// The callback's parameters, or why there are none. The listener is closed on return.
pub(super) async fn for_browser(
    mut callback: Callback,
    longest: Duration,
    interrupt: &mut Signal,
    report: &mut Report<'_>,
) -> io::Result<Result<Secret<String>, Failure>> {
    let until = Instant::now() + longest;
    let mut tick = interval(TICK);
    let outcome = loop {
        tokio::select! {
            came = callback.arrival() => break came.ok_or(Failure::TimedOut("the listener ended")),
            () = sleep_until(until) => break Err(Failure::TimedOut(
                "if the browser says that it cannot connect, log in with --paste",
            )),
            _ = interrupt.recv() => break Err(Failure::Interrupted),
            _ = tick.tick() => {
                let left = until.saturating_duration_since(Instant::now());
                report.left(left, callback.refused())?;
            }
        }
    };
    report.waited()?;
    callback.close().await;
    Ok(outcome)
}

/// Reads lines until one belongs to the login.
pub(super) async fn for_paste(
    judge: &Judge,
    longest: Duration,
    interrupt: &mut Signal,
    report: &mut Report<'_>,
) -> io::Result<Result<Secret<String>, Failure>> {
    let until = Instant::now() + longest;
    loop {
        let read = tokio::select! {
            read = line(Echo::Off, COPIED_BYTES_MAX) => read?,
            () = sleep_until(until) => return Ok(Err(Failure::TimedOut("nothing was pasted"))),
            _ = interrupt.recv() => return Ok(Err(Failure::Interrupted)),
        };
        let Some(read) = read else {
            return Ok(Err(Failure::NoInput));
        };
        if read.expose().trim().is_empty() {
            continue;
        }
        if judge(read.expose()) {
            return Ok(Ok(read));
        }
        report.not_this_login()?;
    }
}
