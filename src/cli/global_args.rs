//! The flags that every command takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct GlobalArgs {
    // Not a doc comment: the lints ask for backticks there, and clap would print them.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "Configuration file [default: in $CONFIGURATION_DIRECTORY, then ~/.config, then /etc/ninjaone-proxy]"
    )]
    pub(super) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Colours: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Say less
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
    /// Never ask; fail instead
    #[arg(long, global = true)]
    pub(super) no_input: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}
