//! `completions`, `man` and `version`.

use std::io::{self, Write};

use clap::{Args, CommandFactory};

use crate::app::VERSION;

use super::{Cli, exit::ExitStatus};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    shell: clap_complete::Shell,
}

/// Prints completions for a shell.
///
/// # Errors
/// `out` cannot be written to.
pub(super) fn completions(args: &CompletionsArgs, out: &mut dyn Write) -> io::Result<ExitStatus> {
    // Written to memory first: the generator panics when it cannot write.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ninjaone-proxy", &mut text);
    out.write_all(&text)?;
    Ok(ExitStatus::Done)
}

/// Prints the manual page.
///
/// # Errors
/// `out` cannot be written to.
pub(super) fn manual(out: &mut dyn Write) -> io::Result<ExitStatus> {
    clap_mangen::Man::new(Cli::command()).render(&mut &mut *out)?;
    Ok(ExitStatus::Done)
}

/// Prints the version.
///
/// # Errors
/// `out` cannot be written to.
pub(super) fn version(json: bool, out: &mut dyn Write) -> io::Result<ExitStatus> {
    let version = VERSION;
    if json {
        writeln!(out, r#"{{"schema":"version/1","version":"{version}"}}"#)?;
    } else {
        writeln!(out, "ninjaone-proxy {version}")?;
    }
    Ok(ExitStatus::Done)
}
