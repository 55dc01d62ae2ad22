//! Examples and exit codes of each command: one table, from which `--help` and the manual pages are made.

mod table;

use std::fmt::Write as _;

use clap::Command;

use self::table::{COMMANDS, CommandHelp};

/// The entry of a command.
#[must_use]
pub(super) fn of(path: &str) -> Option<&'static CommandHelp> {
    COMMANDS.iter().find(|it| it.path == path)
}

/// Adds examples and exit codes to the `--help` of each command; `-h` stays short.
#[must_use]
pub(super) fn add_to(command: Command) -> Command {
    add_below(command, "")
}

fn add_below(mut command: Command, path: &str) -> Command {
    command = command.mut_subcommands(|it| {
        let below = join(path, it.get_name());
        add_below(it, &below)
    });
    match of(path) {
        Some(help) => command.after_long_help(text(help)),
        None => command,
    }
}

/// `caller` and `add` become `caller add`.
#[must_use]
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path} {name}")
    }
}

fn text(help: &CommandHelp) -> String {
    let mut text = String::from("Examples:\n");
    for (what, line) in help.examples {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  # {what}\n  {line}");
    }
    text.push_str("\nExit codes:\n");
    for (code, meaning) in help.exits {
        let _ = writeln!(text, "  {:>2}  {meaning}", u8::from(*code));
    }
    text
}
