//! `run`: serves callers until it is told to stop.

use std::{
    future::Future,
    io::{self, Write},
};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::app::{
    entrances::Inherited,
    logging,
    program::{Program, Record},
    reload::Reloader,
    run,
    signals::Signals,
};

use super::{CONFIGURATION_WRONG, DONE, FAILED, context::Context};

/// Runs a future on a runtime of its own.
///
/// # Errors
/// When the runtime cannot be started.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}

/// As [`block_on`]; what still waits for a disk or a resolver when `future` is done is left behind.
///
/// # Errors
/// The system gives no runtime.
pub fn block_on_and_leave<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}

/// Gives the exit code: 0 stopped as asked, 1 could not start, 78 configuration wrong.
///
/// # Errors
/// When `err` cannot be written to.
pub fn run(around: &Context, err: &mut dyn Write) -> io::Result<u8> {
    let Some((config, sources)) = around.load_with_sources(err)? else {
        return Ok(CONFIGURATION_WRONG);
    };
    harden(err)?;
    let level = match (around.quiet, around.verbose) {
        (true, _) => "warn",
        (_, true) => "debug",
        _ => &config.telemetry.log_level,
    };
    logging::start(config.telemetry.log_format, level);
    let reloader = Reloader::new(sources, &config);
    let started = block_on(async {
        let signals = Signals::new()?;
        let mut inherited = Inherited::of_process();
        match Program::start(&config, &Record::Configured, &mut inherited) {
            Ok(program) => {
                for (role, address) in &program.status.listeners {
                    tracing::info!(role, address, "listening");
                }
                drop(config);
                run::run(program, Some(reloader), signals).await;
                Ok(Ok(()))
            }
            Err(error) => Ok::<_, io::Error>(Err(error)),
        }
    })?;
    match started? {
        Ok(()) => Ok(DONE),
        Err(error) => {
            writeln!(err, "error: {error}")?;
            Ok(FAILED)
        }
    }
}

/// Nobody but root may read our memory, and no core holds it.
fn harden(err: &mut dyn Write) -> io::Result<()> {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        writeln!(err, "warning: core dumps cannot be switched off: {error}")?;
    }
    Ok(())
}
