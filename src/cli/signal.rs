//! Signals to the running proxy: the kernel decides who may send them.

use std::io::{self, Write};

use rustix::process::{Pid, Signal, kill_process};

use crate::admin::status_snapshot::StatusSnapshot;

/// Whether it was sent; otherwise `err` says why not.
///
/// # Errors
/// `err` cannot be written to.
pub(super) fn signal_running(
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

/// The same for a process by its number.
///
/// # Errors
/// `err` cannot be written to.
pub(super) fn signal(pid: Pid, signal_sent: Signal, err: &mut dyn Write) -> io::Result<bool> {
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
