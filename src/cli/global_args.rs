//! The flags that every command takes.

use std::{ffi::OsString, io, path::PathBuf};

use anstream::{AutoStream, ColorChoice};
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
        value_hint = clap::ValueHint::FilePath,
        help_heading = HEADING,
        display_order = 1000,
        help = "Configuration file [default: config.toml in $CONFIGURATION_DIRECTORY, then ~/.config/ninjaone-proxy, then /etc/ninjaone-proxy]"
    )]
    pub(super) config: Option<PathBuf>,
    /// Print the result as JSON on stdout; errors, warnings and notes as one object a line on stderr
    #[arg(long, global = true, help_heading = HEADING, display_order = 1001)]
    pub(super) json: bool,
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        help_heading = HEADING,
        display_order = 1002,
        default_value = "auto",
        help = "When to use colours; by default on a terminal, unless $NO_COLOR is set"
    )]
    pub(super) color: Color,
    /// Print only results and errors
    #[arg(short, long, global = true, help_heading = HEADING, display_order = 1003, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say which files are read, which proxy is asked and how long it takes; with run, log more
    #[arg(short, long, global = true, help_heading = HEADING, display_order = 1004)]
    pub(super) verbose: bool,
    /// Never prompt; name the flag that is missing and fail
    #[arg(long, global = true, help_heading = HEADING, display_order = 1005)]
    pub(super) no_input: bool,
}

impl GlobalArgs {
    /// All defaults, with this configuration.
    pub(super) const fn of_config(config: Option<PathBuf>) -> Self {
        Self {
            config,
            json: false,
            color: Color::Auto,
            quiet: false,
            verbose: false,
            no_input: true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// From here on, all output of this process follows, clap's help and errors and the log included. `auto` means: on a terminal,
    /// unless `NO_COLOR` is set, or anywhere if `CLICOLOR_FORCE` is (no-color.org, bixense.com/clicolors).
    pub(super) fn apply(self) {
        let choice = match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        };
        choice.write_global();
    }

    /// Whether stdout has colours.
    pub(super) fn is_on_stdout(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
        }
    }
}

/// Whether stderr has colours, once [`Color::apply`] has been called.
pub(super) fn has_colors_on_stderr() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// What has to be known before clap reads the arguments, because it is about how clap's own errors are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutputFlags {
    pub(super) color: Color,
    pub(super) json: bool,
}

impl OutputFlags {
    /// Reads the arguments after the program's name. What is wrong with them is clap's to say.
    pub(super) fn of_arguments(arguments: impl Iterator<Item = OsString>) -> Self {
        let mut flags = Self {
            color: Color::Auto,
            json: false,
        };
        let color = |text: &str| Color::from_str(text, false).unwrap_or(Color::Auto);
        let mut arguments = arguments.take_while(|it| it != "--");
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--json") => flags.json = true,
                Some("--color") => {
                    let when = arguments.next();
                    flags.color =
                        color(when.as_deref().and_then(|it| it.to_str()).unwrap_or("auto"));
                }
                Some(other) => {
                    if let Some(when) = other.strip_prefix("--color=") {
                        flags.color = color(when);
                    }
                }
                None => {}
            }
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> OutputFlags {
        OutputFlags::of_arguments(line.split(' ').map(OsString::from))
    }

    #[test]
    fn flags_are_found_wherever_they_stand() {
        let both = OutputFlags {
            color: Color::Always,
            json: true,
        };
        assert_eq!(read("status --json --color always"), both);
        assert_eq!(read("--color=always status --json"), both);
        assert_eq!(
            read("status --color"),
            OutputFlags {
                color: Color::Auto,
                json: false
            }
        );
    }

    #[test]
    fn what_follows_two_dashes_is_no_flag() {
        assert_eq!(
            read("explain -- --json --color never"),
            OutputFlags {
                color: Color::Auto,
                json: false
            }
        );
    }
}
