//! `man`: a manual page for each command, made from what `--help` knows.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Arg, Args, Command};
use clap_mangen::{
    Man,
    roff::{Roff, bold, italic, roman},
};
use serde_json::{Value, json};

use crate::app::VERSION;

use super::{command_help, exit::ExitStatus};

const PROGRAM: &str = "ninjaone-proxy";
const SECTION: &str = "1";
/// When the commands last changed, as man pages say it.
const CHANGED: &str = "2026-11-29";

const FILES: [(&str, &str); 6] = [
    (
        "/etc/ninjaone-proxy/config.toml",
        "The configuration. $CONFIGURATION_DIRECTORY and ~/.config/ninjaone-proxy come first.",
    ),
    (
        "callers.d/*.toml",
        "Beside the configuration: a file for each caller, written by ninjaone-proxy caller.",
    ),
    (
        "/var/lib/ninjaone-proxy",
        "The logins of users, encrypted: store.path.",
    ),
    (
        "/var/log/ninjaone-proxy/audit",
        "The audit log: audit.path.",
    ),
    (
        "/run/ninjaone-proxy/admin.sock",
        "The admin socket, over which commands ask the running proxy: admin.socket.",
    ),
    (
        "~/.local/state/ninjaone-proxy",
        "Logins and audit log of an ordinary user who cannot write to the directories above.",
    ),
];

const ENVIRONMENT: [(&str, &str); 8] = [
    (
        "NJP_ADMIN",
        "The running proxy to ask, as --admin names it. The sandbox is found by this alone.",
    ),
    (
        "NJP__SECTION__KEY",
        "A setting, in place of what the configuration file says: NJP__ADMIN__LISTEN sets admin.listen.",
    ),
    (
        "CONFIGURATION_DIRECTORY, XDG_CONFIG_HOME",
        "Where the configuration is looked for.",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "Where secrets of the kind { credential = NAME } are; systemd sets it.",
    ),
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The HTTP proxy on the way to NinjaOne, where the tenant's settings name none.",
    ),
    (
        "NO_COLOR, CLICOLOR_FORCE",
        "No colours, or colours even where the output is not a terminal. --color comes first.",
    ),
    ("BROWSER", "The program that opens the address of a login."),
    (
        "TZ",
        "The time zone of the times that people read. JSON has UTC.",
    ),
];

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The command whose page to print, such as: caller add [default: the program's own page]
    #[arg(value_name = "COMMAND", conflicts_with = "directory")]
    command: Vec<String>,
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

/// A page of its own: `ninjaone-proxy-caller-add`, with the text in roff.
struct ManualPage {
    name: String,
    text: Vec<u8>,
}

impl ManualPage {
    fn file_name(&self) -> String {
        format!("{}.{SECTION}", self.name)
    }

    fn json(&self) -> Value {
        json!({"name": self.name, "section": SECTION, "text": String::from_utf8_lossy(&self.text)})
    }
}

/// Prints one page, or writes all of them.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub(super) fn run(
    args: &ManArgs,
    command: Command,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    if let Some(directory) = &args.directory {
        return write_all(directory, &all_pages(&command, "")?, as_json, out, err);
    }
    let Some((found, path)) = find(&command, &args.command) else {
        let wanted = args.command.join(" ");
        writeln!(
            err,
            "error: there is no command {wanted:?}\nhint: ninjaone-proxy --help lists the commands"
        )?;
        return Ok(ExitStatus::WrongUsage);
    };
    let page = page(found, &path)?;
    if as_json {
        let object = json!({"schema": "man/1", "pages": [page.json()]});
        writeln!(out, "{object}")?;
    } else {
        out.write_all(&page.text)?;
    }
    Ok(ExitStatus::Done)
}

fn write_all(
    directory: &Path,
    pages: &[ManualPage],
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let mut files = Vec::new();
    for page in pages {
        let path = directory.join(page.file_name());
        if let Err(error) = fs::write(&path, &page.text) {
            writeln!(err, "error: {}: {error}", path.display())?;
            return Ok(ExitStatus::Failed);
        }
        files.push(path.display().to_string());
    }
    if as_json {
        writeln!(out, "{}", json!({"schema": "man/1", "files": files}))?;
    } else {
        let (count, directory) = (files.len(), directory.display());
        writeln!(out, "Wrote {count} pages to {directory}")?;
    }
    Ok(ExitStatus::Done)
}

/// The command of these words, and its path.
fn find<'c>(command: &'c Command, words: &[String]) -> Option<(&'c Command, String)> {
    let mut found = command;
    let mut path = String::new();
    // `man "caller add"` means what `man caller add` does.
    for word in words.iter().flat_map(|it| it.split_whitespace()) {
        found = found.find_subcommand(word)?;
        path = command_help::join(&path, word);
    }
    Some((found, path))
}

fn all_pages(command: &Command, path: &str) -> io::Result<Vec<ManualPage>> {
    let mut pages = vec![page(command, path)?];
    for below in visible(command) {
        pages.extend(all_pages(
            below,
            &command_help::join(path, below.get_name()),
        )?);
    }
    Ok(pages)
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|it| !it.is_hide_set())
}

fn page_name(path: &str) -> String {
    let words = std::iter::once(PROGRAM).chain(path.split_whitespace());
    words.collect::<Vec<_>>().join("-")
}

fn page(command: &Command, path: &str) -> io::Result<ManualPage> {
    let name = page_name(path);
    // The examples have a section of their own; clap would put them into one that is called EXTRA.
    let plain = command.clone().after_long_help("").after_help("");
    let man = Man::new(plain)
        .title(name.to_uppercase())
        .section(SECTION)
        .date(CHANGED)
        .source(format!("{PROGRAM} {VERSION}"))
        .manual("ninjaone-proxy");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    // No hyphens and no stretched lines: what is copied from a page must be what is typed.
    text.extend_from_slice(b".nh\n.ad l\n");
    man.render_name_section(&mut text)?;
    synopsis(command, &name).to_writer(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    own_sections(command, path).to_writer(&mut text)?;
    Ok(ManualPage { name, text })
}

/// Each flag with its value, and all of it with the words that are typed.
fn synopsis(command: &Command, name: &str) -> Roff {
    let typed = if name == PROGRAM {
        PROGRAM.to_owned()
    } else {
        command.get_bin_name().unwrap_or(name).to_owned()
    };
    let mut line = vec![bold(typed)];
    let shown = || command.get_arguments().filter(|it| !it.is_hide_set());
    for flag in shown().filter(|it| !it.is_positional()) {
        let (left, right) = brackets(flag.is_required_set());
        line.push(roman(format!(" {left}")));
        match (flag.get_long(), flag.get_short()) {
            (Some(long), _) => line.push(bold(format!("--{long}"))),
            (None, Some(short)) => line.push(bold(format!("-{short}"))),
            (None, None) => {}
        }
        if flag.get_action().takes_values() {
            line.push(roman(" "));
            line.push(italic(value_name(flag)));
        }
        line.push(roman(right));
    }
    for value in shown().filter(|it| it.is_positional()) {
        let (left, right) = brackets(value.is_required_set());
        line.push(roman(format!(" {left}")));
        line.push(italic(value_name(value)));
        line.push(roman(right));
    }
    if visible(command).next().is_some() {
        line.push(roman(" <"));
        line.push(italic("COMMAND"));
        line.push(roman(">"));
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text(line);
    roff
}

const fn brackets(is_required: bool) -> (&'static str, &'static str) {
    if is_required { ("<", ">") } else { ("[", "]") }
}

fn value_name(argument: &Arg) -> String {
    match argument.get_value_names() {
        Some(names) => {
            let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
            names.join(" ")
        }
        None => argument.get_id().as_str().to_uppercase(),
    }
}

fn own_sections(command: &Command, path: &str) -> Roff {
    let mut roff = Roff::new();
    let below: Vec<&Command> = visible(command).collect();
    if !below.is_empty() {
        roff.control("SH", ["COMMANDS"]);
        for it in &below {
            let page = page_name(&command_help::join(path, it.get_name()));
            let about = it.get_about().map(ToString::to_string).unwrap_or_default();
            entry(&mut roff, &format!("{page}({SECTION})"), &about);
        }
    }
    if let Some(help) = command_help::of(path) {
        roff.control("SH", ["EXIT STATUS"]);
        for (code, meaning) in help.exits {
            entry(&mut roff, &u8::from(*code).to_string(), meaning);
        }
        roff.control("SH", ["EXAMPLES"]);
        for (what, line) in help.examples {
            roff.control("PP", []);
            roff.text([roman(format!("{what}:"))]);
            roff.control("RS", ["4"]);
            roff.control("nf", []);
            roff.text([roman(*line)]);
            roff.control("fi", []);
            roff.control("RE", []);
        }
    }
    for (title, entries) in [("FILES", FILES.as_slice()), ("ENVIRONMENT", &ENVIRONMENT)] {
        roff.control("SH", [title]);
        for (name, meaning) in entries {
            entry(&mut roff, name, meaning);
        }
    }
    see_also(&mut roff, path, &below);
    roff
}

fn entry(roff: &mut Roff, name: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(meaning)]);
}

/// The page above and the pages beside it: each of them exists.
fn see_also(roff: &mut Roff, path: &str, below: &[&Command]) {
    let above = path.rsplit_once(' ').map_or("", |(above, _)| above);
    let mut pages = Vec::new();
    if !path.is_empty() {
        pages.push(page_name(above));
        if !above.is_empty() {
            pages.push(page_name(""));
        }
    } else if below.iter().any(|it| it.get_name() == "run") {
        pages.extend(["run", "init", "status", "doctor"].map(page_name));
    }
    roff.control("SH", ["SEE ALSO"]);
    let last = pages.len().saturating_sub(1);
    for (index, page) in pages.iter().enumerate() {
        let comma = if index == last { "" } else { "," };
        roff.text([bold(page), roman(format!("({SECTION}){comma}"))]);
    }
}
