//! Waits for the user: at the callback listener, or for a pasted address.

use std::{io, time::Duration};

use tokio::{
    signal::unix::Signal,
    time::{Instant, interval, sleep_until},
};

use crate::{
    cli::terminal::{Echo, read_line},
    credentials::login::callback::CALLBACK_BYTES_MAX,
    secret::Secret,
};

use super::{
    callback::{CallbackListener, CallbackMatcher},
    error::LoginCommandError,
    reporter::LoginReporter,
};

/// Longest pasted address, in bytes: the callback and the redirect URI before it.
const PASTED_BYTES_MAX: usize = CALLBACK_BYTES_MAX + 2048;

const TICK: Duration = Duration::from_secs(1);

/// The callback's parameters, or why there are none. The listener is closed on return.
pub(super) async fn for_browser(
    mut callback: CallbackListener,
    time_limit: Duration,
    interrupt: &mut Signal,
    report: &mut LoginReporter<'_>,
) -> io::Result<Result<Secret<String>, LoginCommandError>> {
    let deadline = Instant::now() + time_limit;
    let mut tick = interval(TICK);
    let outcome = loop {
        tokio::select! {
            received = callback.received() => break received.ok_or(LoginCommandError::TimedOut("the listener ended")),
            () = sleep_until(deadline) => break Err(LoginCommandError::TimedOut(
                "if the browser says that it cannot connect, log in with --paste",
            )),
            _ = interrupt.recv() => break Err(LoginCommandError::Interrupted),
            _ = tick.tick() => {
                let left = deadline.saturating_duration_since(Instant::now());
                report.countdown(left, callback.rejected_count())?;
            }
        }
    };
    report.end_countdown()?;
    callback.close().await;
    Ok(outcome)
}

/// Reads lines until one belongs to the login.
pub(super) async fn for_paste(
    matcher: &CallbackMatcher,
    time_limit: Duration,
    interrupt: &mut Signal,
    report: &mut LoginReporter<'_>,
) -> io::Result<Result<Secret<String>, LoginCommandError>> {
    let deadline = Instant::now() + time_limit;
    loop {
        let read = tokio::select! {
            read = read_line(Echo::Off, PASTED_BYTES_MAX) => read?,
            () = sleep_until(deadline) => return Ok(Err(LoginCommandError::TimedOut("nothing was pasted"))),
            _ = interrupt.recv() => return Ok(Err(LoginCommandError::Interrupted)),
        };
        let Some(read) = read else {
            return Ok(Err(LoginCommandError::EndOfInput));
        };
        if read.expose().trim().is_empty() {
            continue;
        }
        if matcher(read.expose()) {
            return Ok(Ok(read));
        }
        report.callback_rejected()?;
    }
}
