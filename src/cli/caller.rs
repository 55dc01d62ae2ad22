//! `caller add`, `key`, `list`, `show`, `allow`, `deny`, `set`, `rotate` and `revoke`: manages the files of callers.

mod edit_args;
mod last_use;
mod show;
mod table;

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    config::{
        caller_edits::{self, CallerEdits},
        caller_file_error::CallerFileError,
        caller_files::{self, CallerFileChange, NewCaller},
        read::{load, sources::Sources},
    },
    names::CallerName,
    shell_word::shell_word,
};

use super::{config::ConfigContext, context::Context, exit::ExitStatus};

use self::edit_args::check_expiry;
pub use self::edit_args::{CallerSelectorArgs, CallerSetArgs};
use self::last_use::LastUse;

/// Add, list, change, rotate and revoke callers
#[derive(Debug, Args)]
pub struct CallerArgs {
    #[command(subcommand)]
    pub command: CallerCommand,
}

#[derive(Debug, Subcommand)]
pub enum CallerCommand {
    /// Add a caller and print its key, which cannot be shown again
    Add(CallerAddArgs),
    /// Print a new key and its section of the configuration; writes nothing, needs no configuration
    Key(CallerAddArgs),
    /// List all callers
    List,
    /// Show the settings of a caller, and where they are written
    Show {
        /// Name of the caller
        name: String,
    },
    /// Allow a caller more operations
    Allow(CallerSelectorArgs),
    /// Deny a caller operations, even if a rule allows them
    Deny(CallerSelectorArgs),
    /// Change a caller's settings
    Set(CallerSetArgs),
    /// Give a caller a second key, so that the first can be retired without a gap
    Rotate(CallerRotateArgs),
    /// Remove a caller, or one of its keys
    Revoke(CallerRevokeArgs),
}

impl CallerCommand {
    /// Whether it only shows what there is.
    pub(super) const fn only_looks(&self) -> bool {
        matches!(self, Self::List | Self::Show { .. })
    }

    /// Whether it writes the files of the configuration.
    pub(super) const fn changes_files(&self) -> bool {
        match self {
            Self::List | Self::Show { .. } | Self::Key(_) => false,
            Self::Add(_)
            | Self::Allow(_)
            | Self::Deny(_)
            | Self::Set(_)
            | Self::Rotate(_)
            | Self::Revoke(_) => true,
        }
    }
}

#[derive(Debug, Args)]
pub struct CallerAddArgs {
    /// Name of the caller: letters, digits, '-', '_' and '.'
    pub name: String,
    /// What it may do: a class, an operation ID, scope:…, tag:… or "METHOD /path"; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    pub allow: Vec<String>,
    /// What it may not do, even if a rule allows it; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    pub deny: Vec<String>,
    /// Policy that applies to it; may be repeated
    #[arg(long)]
    pub policy: Vec<String>,
    /// When its key expires: a date or a time
    #[arg(long, value_name = "DATE")]
    pub expires: Option<String>,
    /// Tenant that it may use; may be repeated [default: all]
    #[arg(long)]
    pub tenant: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CallerRotateArgs {
    /// Name of the caller
    pub name: String,
    /// End the old keys now
    #[arg(long)]
    pub now: bool,
}

#[derive(Debug, Args)]
pub struct CallerRevokeArgs {
    /// Name of the caller
    pub name: String,
    /// Only the key whose digest begins with this
    #[arg(long, value_name = "PREFIX")]
    pub key: Option<String>,
}

/// `caller list` and `caller show`, with what the running proxy knows.
///
/// # Errors
/// `out` or `err` cannot be written.
pub(super) async fn look(
    command: &CallerCommand,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let sources = match context.config_context().sources() {
        Ok(sources) => sources,
        Err(problems) => {
            writeln!(err, "{problems}")?;
            return Ok(ExitStatus::ConfigurationWrong);
        }
    };
    let last_use = LastUse::ask(context, &sources).await;
    if let Some(why) = last_use.refused()
        && !context.quiet
    {
        writeln!(err, "note: nobody could say when callers last asked: {why}")?;
    }
    match command {
        CallerCommand::Show { name } => {
            show::show(name, &sources, &last_use, context.json, out, err)
        }
        _ => show::list(&sources, &last_use, context.json, out, err),
    }
}

/// Runs the command. A new key is the only thing that goes to `out`.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn run(
    args: &CallerArgs,
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    if let CallerCommand::Key(args) = &args.command {
        return key(args, context.json, out, err);
    }
    let sources = match context.sources() {
        Ok(sources) => sources,
        Err(problems) => {
            writeln!(err, "{problems}")?;
            return Ok(ExitStatus::ConfigurationWrong);
        }
    };
    match &args.command {
        CallerCommand::Add(args) => add(args, &sources, context, out, err),
        CallerCommand::List => show::list(&sources, &LastUse::default(), context.json, out, err),
        CallerCommand::Show { name } => {
            show::show(name, &sources, &LastUse::default(), context.json, out, err)
        }
        CallerCommand::Key(args) => key(args, context.json, out, err),
        CallerCommand::Allow(args) => {
            let mut edits = CallerEdits::default();
            let selectors = if args.remove {
                &mut edits.allow_no_more
            } else {
                &mut edits.allow
            };
            selectors.clone_from(&args.selectors);
            change(&args.name, &edits, &sources, context, out, err)
        }
        CallerCommand::Deny(args) => {
            let mut edits = CallerEdits::default();
            let selectors = if args.remove {
                &mut edits.deny_no_more
            } else {
                &mut edits.deny
            };
            selectors.clone_from(&args.selectors);
            change(&args.name, &edits, &sources, context, out, err)
        }
        CallerCommand::Set(args) => match args.edits() {
            Ok(edits) => change(&args.name, &edits, &sources, context, out, err),
            Err(why) => wrong_usage(&why, err),
        },
        CallerCommand::Rotate(args) => rotate(args, &sources, context, out, err),
        CallerCommand::Revoke(args) => revoke(args, &sources, context, out, err),
    }
}

fn wrong_usage(why: &str, err: &mut dyn Write) -> io::Result<ExitStatus> {
    writeln!(err, "error: {why}")?;
    Ok(ExitStatus::WrongUsage)
}

fn change(
    name: &str,
    edits: &CallerEdits,
    sources: &Sources,
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let changed = caller_edits::change(sources, context.operations, name, edits);
    report_change(changed, name, Done::Changed, context.json, out, err)
}

fn rotate(
    args: &CallerRotateArgs,
    sources: &Sources,
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let written = load::read(sources);
    let caller = written.settings.caller.get(&args.name);
    let old = caller.map(table::digests).unwrap_or_default();
    let changed = caller_files::rotate(sources, context.operations, &args.name, args.now);
    let is_done = changed.is_ok();
    let exit = report_change(changed, &args.name, Done::Key, context.json, out, err)?;
    if !is_done || context.json {
        return Ok(exit);
    }
    if args.now {
        writeln!(err, "The old keys no longer work.")?;
        return Ok(exit);
    }
    match old.as_slice() {
        [] => {}
        [_] => writeln!(
            err,
            "The old key still works. When nobody uses it any more, end it:"
        )?,
        _ => writeln!(
            err,
            "The old keys still work. When nobody uses one any more, end it:"
        )?,
    }
    for digest in old {
        writeln!(
            err,
            "  ninjaone-proxy caller revoke {} --key {digest}",
            args.name
        )?;
    }
    Ok(exit)
}

fn revoke(
    args: &CallerRevokeArgs,
    sources: &Sources,
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let (changed, done) = match &args.key {
        Some(prefix) => (
            caller_files::revoke_key(sources, context.operations, &args.name, prefix),
            Done::KeyRevoked,
        ),
        None => (
            caller_files::revoke(sources, context.operations, &args.name),
            Done::CallerRevoked,
        ),
    };
    let is_unclear = matches!(
        changed,
        Err(CallerFileError::UnknownKey(_) | CallerFileError::AmbiguousKeyPrefix)
    );
    let exit = report_change(changed, &args.name, done, context.json, out, err)?;
    if is_unclear {
        let written = load::read(sources);
        let caller = written.settings.caller.get(&args.name);
        let digests = caller.map(table::digests).unwrap_or_default();
        writeln!(err, "hint: its keys are {}", digests.join(", "))?;
    }
    Ok(exit)
}

/// Prints a key and the section that lets it in; writes no file.
fn key(
    args: &CallerAddArgs,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let new = match new_caller(args) {
        Ok(new) => new,
        Err(why) => return wrong_usage(&why, err),
    };
    let (key, section) = match caller_files::key_and_section(&new) {
        Ok(made) => made,
        Err(error) => return report_error(&error, err),
    };
    if as_json {
        let object = json!({"schema": "caller-key/1", "caller": args.name, "key": key.expose(), "section": section});
        writeln!(out, "{object}")?;
        return Ok(ExitStatus::Done);
    }
    writeln!(err, "Copy this key now; it cannot be shown again:")?;
    writeln!(out, "{}", key.expose())?;
    writeln!(
        err,
        "\nPaste this into the configuration, or into a file of callers.d beside it:\n\n{section}"
    )?;
    if new.allow.is_empty() && new.policy.is_empty() {
        writeln!(
            err,
            "Nothing is allowed to this caller yet: add allow = [\"read\"] or a policy."
        )?;
    }
    Ok(ExitStatus::Done)
}

fn add(
    args: &CallerAddArgs,
    sources: &Sources,
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let new = match new_caller(args) {
        Ok(new) => new,
        Err(why) => return wrong_usage(&why, err),
    };
    if new.allow.is_empty() && new.policy.is_empty() {
        writeln!(
            err,
            "warning: nothing is allowed to this caller yet: ninjaone-proxy caller allow {} read",
            args.name
        )?;
    }
    let changed = caller_files::add(sources, context.operations, &new);
    let exists = matches!(changed, Err(CallerFileError::AlreadyExists { .. }));
    let exit = report_change(changed, &args.name, Done::Key, context.json, out, err)?;
    if exists {
        let name = &args.name;
        let selectors: Vec<String> = args.allow.iter().map(|it| shell_word(it)).collect();
        if selectors.is_empty() {
            writeln!(
                err,
                "hint: for a new key: ninjaone-proxy caller rotate {name}; for other settings: ninjaone-proxy caller set {name} --help"
            )?;
        } else {
            let selectors = selectors.join(" ");
            writeln!(
                err,
                "hint: to allow it more: ninjaone-proxy caller allow {name} {selectors}"
            )?;
        }
    }
    Ok(exit)
}

/// # Errors
/// What is wrong with the arguments.
fn new_caller(args: &CallerAddArgs) -> Result<NewCaller, String> {
    let name: CallerName = args.name.parse().map_err(|error| format!("{error}"))?;
    args.expires.as_deref().map_or(Ok(()), check_expiry)?;
    Ok(NewCaller {
        name,
        allow: args.allow.clone(),
        deny: args.deny.clone(),
        policy: args.policy.clone(),
        expires: args.expires.clone(),
        tenants: args.tenant.clone(),
    })
}

/// What was done to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Key,
    Changed,
    KeyRevoked,
    CallerRevoked,
}

impl Done {
    const fn schema(self) -> &'static str {
        match self {
            Self::Key => "caller-key/1",
            Self::Changed => "caller-changed/1",
            Self::KeyRevoked | Self::CallerRevoked => "caller-revoked/1",
        }
    }

    fn text(self, name: &str, file: &str) -> String {
        match self {
            Self::Key => format!("Wrote {file}. Copy this key now; it cannot be shown again:"),
            Self::Changed => format!("Changed caller {name} in {file}."),
            Self::KeyRevoked => format!("Revoked a key of caller {name} in {file}."),
            Self::CallerRevoked => format!("Revoked caller {name} and removed {file}."),
        }
    }
}

/// Reports the result of a change.
fn report_change(
    changed: Result<CallerFileChange, CallerFileError>,
    name: &str,
    done: Done,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let changed = match changed {
        Ok(changed) => changed,
        Err(error) => return report_error(&error, err),
    };
    let file = changed.file.display().to_string();
    match &changed.key {
        Some(key) if as_json => {
            let object =
                json!({"schema": done.schema(), "caller": name, "key": key.expose(), "file": file});
            writeln!(out, "{object}")?;
        }
        Some(key) => {
            writeln!(err, "{}", done.text(name, &file))?;
            writeln!(out, "{}", key.expose())?;
        }
        None if as_json => {
            let object = json!({"schema": done.schema(), "caller": name, "file": file});
            writeln!(out, "{object}")?;
        }
        None if changed.is_unchanged => {
            writeln!(err, "Caller {name} is so already; {file} was not changed.")?;
        }
        None => writeln!(err, "{}", done.text(name, &file))?,
    }
    if let Some(problems) = &changed.remaining_errors {
        writeln!(
            err,
            "\n{problems}\n\nThe change is made, but it takes effect only once these errors are fixed."
        )?;
        return Ok(ExitStatus::ConfigurationWrong);
    }
    Ok(ExitStatus::Done)
}

fn report_error(error: &CallerFileError, err: &mut dyn Write) -> io::Result<ExitStatus> {
    writeln!(err, "error: {error}")?;
    match error {
        CallerFileError::UnknownCaller(_, Some(meant)) => writeln!(err, "did you mean {meant}?")?,
        CallerFileError::UnknownCaller(_, None) => {
            writeln!(
                err,
                "hint: see all callers with: ninjaone-proxy caller list"
            )?;
        }
        CallerFileError::Expired { name, .. } => writeln!(
            err,
            "hint: give its keys a later date first: ninjaone-proxy caller set {name} --expires DATE (or --expires never)"
        )?,
        CallerFileError::Unreadable(_) => return Ok(ExitStatus::ConfigurationWrong),
        CallerFileError::DefinedElsewhere { name, location } => {
            writeln!(
                err,
                "hint: edit [caller.{name}] at {location}; to revoke it, delete [caller.{name}] there"
            )?;
        }
        CallerFileError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            writeln!(
                err,
                "hint: the files of callers are written as the user who runs this command: run it as their owner, or as root"
            )?;
        }
        _ => {}
    }
    Ok(ExitStatus::Failed)
}
