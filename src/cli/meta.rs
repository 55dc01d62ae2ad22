//! What the program tells of itself: completions, manual page, version.

use std::io::{self, Write};

use clap::{Args, CommandFactory};

use super::{Cli, DONE};

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

/// # Errors
/// When `out` cannot be written to.
pub fn completions(args: &CompletionsArgs, out: &mut dyn Write) -> io::Result<u8> {
    // Written to memory first: the generator panics when it cannot write.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ninjaone-proxy", &mut text);
    out.write_all(&text)?;
    Ok(DONE)
}

/// # Errors
/// When `out` cannot be written to.
pub fn manual(out: &mut dyn Write) -> io::Result<u8> {
    clap_mangen::Man::new(Cli::command()).render(&mut &mut *out)?;
    Ok(DONE)
}

/// # Errors
/// When `out` cannot be written to.
pub fn version(json: bool, out: &mut dyn Write) -> io::Result<u8> {
    let version = env!("CARGO_PKG_VERSION");
    if json {
        writeln!(out, r#"{{"schema":"version/1","version":"{version}"}}"#)?;
    } else {
        writeln!(out, "ninjaone-proxy {version}")?;
    }
    Ok(DONE)
}
