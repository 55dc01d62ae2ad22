//! The flags that every command takes.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use clap::{Args, ValueEnum};

const HEADING: &str = "Global options";

/// Under a heading of their own, in the same order in every command.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct GlobalArgs {
    // Not a doc comment: the lints ask for backticks there, and clap would print them.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = HEADING,
        display_order = 1000,
        help = "Configuration file [default: in $CONFIGURATION_DIRECTORY, then ~/.config, then /etc/ninjaone-proxy]"
    )]
    pub(super) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true, help_heading = HEADING, display_order = 1001)]
    pub(super) json: bool,
    /// Colours: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", help_heading = HEADING, display_order = 1002, default_value = "auto")]
    pub(super) color: Color,
    /// Say less
    #[arg(short, long, global = true, help_heading = HEADING, display_order = 1003, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, help_heading = HEADING, display_order = 1004)]
    pub(super) verbose: bool,
    /// Never ask; fail instead
    #[arg(long, global = true, help_heading = HEADING, display_order = 1005)]
    pub(super) no_input: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Whether stdout has colours: with `auto` on a terminal, unless `NO_COLOR` is set (no-color.org).
    pub(super) fn is_on_stdout(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
                io::stdout().is_terminal() && !is_unwanted
            }
        }
    }
}
