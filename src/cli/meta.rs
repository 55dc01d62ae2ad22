//! `version`.

use std::io::{self, Write};

use crate::app::VERSION;

use super::exit::ExitStatus;

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
