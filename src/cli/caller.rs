//! `caller add`, `list`, `show`, `rotate` and `revoke`: manages the files of callers.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    config::{
        caller_files::{self, CallerFileChange, CallerFileError, NewCaller},
        effective_settings::{self, EffectiveSetting},
        read::{
            key_path::KeyPath,
            load::{self, LoadedSettings},
            sources::Sources,
        },
        settings::caller,
        value::expiry,
    },
    names::CallerName,
};

use super::{
    config::{ConfigContext, pluralized},
    exit::ExitStatus,
};

/// Who may ask: make, list, change and remove callers.
#[derive(Debug, Args)]
pub struct CallerArgs {
    #[command(subcommand)]
    pub command: CallerCommand,
}

#[derive(Debug, Subcommand)]
pub enum CallerCommand {
    /// Make a caller and its key; the key is printed once and stored nowhere
    Add(CallerAddArgs),
    /// List all callers
    List,
    /// Show a caller's settings and where they are written
    Show {
        /// The caller's name
        name: String,
    },
    /// Give a caller one more key, so that the old one can be retired without a gap
    Rotate(CallerRotateArgs),
    /// Remove a caller, or one of its keys
    Revoke(CallerRevokeArgs),
}

#[derive(Debug, Args)]
pub struct CallerAddArgs {
    /// Letters, digits, '-', '_' and '.'
    pub name: String,
    /// What it may do: a class, "scope:…", "tag:…", an operation id, "METHOD /path"; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    pub allow: Vec<String>,
    /// What it may not do, whatever allows it; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    pub deny: Vec<String>,
    /// A policy that holds for it; may be repeated
    #[arg(long)]
    pub policy: Vec<String>,
    /// The day or the moment from which its key is no longer valid
    #[arg(long, value_name = "DATE")]
    pub expires: Option<String>,
    /// A tenant that it may use; may be repeated; all if not given
    #[arg(long)]
    pub tenant: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CallerRotateArgs {
    /// The caller's name
    pub name: String,
    /// End the old keys at once
    #[arg(long)]
    pub now: bool,
}

#[derive(Debug, Args)]
pub struct CallerRevokeArgs {
    /// The caller's name
    pub name: String,
    /// Only the key whose digest begins so
    #[arg(long, value_name = "PREFIX")]
    pub key: Option<String>,
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
    let sources = match context.sources() {
        Ok(sources) => sources,
        Err(problems) => {
            writeln!(err, "{problems}")?;
            return Ok(ExitStatus::ConfigurationWrong);
        }
    };
    match &args.command {
        CallerCommand::Add(args) => add(args, &sources, context, out, err),
        CallerCommand::List => list(&sources, context.json, out, err),
        CallerCommand::Show { name } => show(name, &sources, context.json, out, err),
        CallerCommand::Rotate(args) => {
            let changed = caller_files::rotate(&sources, context.operations, &args.name, args.now);
            report_change(changed, &args.name, context.json, out, err)
        }
        CallerCommand::Revoke(args) => {
            let changed = match &args.key {
                Some(prefix) => {
                    caller_files::revoke_key(&sources, context.operations, &args.name, prefix)
                }
                None => caller_files::revoke(&sources, context.operations, &args.name),
            };
            report_change(changed, &args.name, context.json, out, err)
        }
    }
}

fn add(
    args: &CallerAddArgs,
    sources: &Sources,
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let name: CallerName = match args.name.parse() {
        Ok(name) => name,
        Err(error) => {
            writeln!(err, "error: {error}")?;
            return Ok(ExitStatus::WrongUsage);
        }
    };
    if let Some(Err(error)) = args.expires.as_deref().map(expiry::parse) {
        writeln!(err, "error: --expires: {error}")?;
        return Ok(ExitStatus::WrongUsage);
    }
    let new = NewCaller {
        name,
        allow: args.allow.clone(),
        deny: args.deny.clone(),
        policy: args.policy.clone(),
        expires: args.expires.clone(),
        tenants: args.tenant.clone(),
    };
    if new.allow.is_empty() && new.policy.is_empty() {
        writeln!(
            err,
            "warning: nothing is allowed to this caller yet: give --allow or --policy"
        )?;
    }
    let changed = caller_files::add(sources, context.operations, &new);
    report_change(changed, &args.name, context.json, out, err)
}

/// Reports the result of a change.
fn report_change(
    changed: Result<CallerFileChange, CallerFileError>,
    name: &str,
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
            let object = json!({"schema": "caller-key/1", "caller": name, "key": key.expose(), "file": file});
            writeln!(out, "{object:#}")?;
        }
        Some(key) => {
            writeln!(
                err,
                "{file} is written. This is the key; it is shown once and stored nowhere:"
            )?;
            writeln!(out, "{}", key.expose())?;
        }
        None if as_json => {
            let object = json!({"schema": "caller-revoked/1", "caller": name, "file": file});
            writeln!(out, "{object:#}")?;
        }
        None => writeln!(err, "revoked in {file}")?,
    }
    if let Some(problems) = &changed.remaining_errors {
        writeln!(
            err,
            "\n{problems}\n\nThe change is made, but the configuration cannot be loaded as it is."
        )?;
        return Ok(ExitStatus::ConfigurationWrong);
    }
    Ok(ExitStatus::Done)
}

fn report_error(error: &CallerFileError, err: &mut dyn Write) -> io::Result<ExitStatus> {
    writeln!(err, "error: {error}")?;
    match error {
        CallerFileError::UnknownCaller(_, Some(meant)) => writeln!(err, "did you mean {meant}?")?,
        CallerFileError::DefinedElsewhere { name, location } => {
            writeln!(
                err,
                "to revoke it, delete [caller.{name}] at {location}; to change its keys, edit `key` there"
            )?;
        }
        _ => {}
    }
    Ok(ExitStatus::Failed)
}

fn list(
    sources: &Sources,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let written = load::read(sources);
    let callers = &written.settings.caller;
    if as_json {
        let callers: Vec<Value> = callers
            .iter()
            .map(|(name, caller)| caller_json(name, caller, &written))
            .collect();
        let object = json!({"schema": "callers/1", "callers": callers});
        writeln!(out, "{object:#}")?;
        return warn_of_errors(&written, err);
    }
    let width = callers.keys().map(String::len).max().unwrap_or_default();
    for (name, caller) in callers {
        let keys = pluralized(key_count(caller), "key");
        let expires = caller
            .expires
            .as_deref()
            .map(|it| format!(", expires {it}"));
        let rules: Vec<&str> = caller
            .policy
            .iter()
            .chain(&caller.allow)
            .map(String::as_str)
            .collect();
        let expires = expires.unwrap_or_default();
        let location = location(name, &written);
        writeln!(
            out,
            "{name:width$}  {keys}{expires}  [{}]  {location}",
            rules.join(", ")
        )?;
    }
    warn_of_errors(&written, err)
}

fn show(
    name: &str,
    sources: &Sources,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let written = load::read(sources);
    let Some(caller) = written.settings.caller.get(name) else {
        return report_error(&CallerFileError::UnknownCaller(name.to_owned(), None), err);
    };
    if as_json {
        let mut object = caller_json(name, caller, &written);
        if let Some(top) = object.as_object_mut() {
            top.insert("schema".into(), "caller/1".into());
        }
        writeln!(out, "{object:#}")?;
        return warn_of_errors(&written, err);
    }
    let start = format!("caller.{name}.");
    let shown = effective_settings::effective_settings(&written).into_iter();
    let own: Vec<EffectiveSetting> = shown.filter(|it| it.setting.starts_with(&start)).collect();
    for it in own {
        let setting = it.setting.trim_start_matches(&start);
        writeln!(out, "{setting} = {}  # {}", it.value, it.origin)?;
    }
    warn_of_errors(&written, err)
}

/// Warns if what was shown is not in force.
fn warn_of_errors(written: &LoadedSettings, err: &mut dyn Write) -> io::Result<ExitStatus> {
    if written.diagnostics.has_errors() {
        writeln!(
            err,
            "warning: the configuration has errors: ninjaone-proxy config check"
        )?;
    }
    Ok(ExitStatus::Done)
}

fn key_count(caller: &caller::CallerSettings) -> usize {
    caller.key.as_ref().map_or(0, |keys| keys.as_slice().len())
}

fn location(name: &str, written: &LoadedSettings) -> String {
    let origin = written
        .provenance
        .get(&KeyPath::from_keys(&["caller", name]));
    origin.map_or_else(String::new, |origin| {
        effective_settings::provenance_text(origin, &written.files)
    })
}

fn caller_json(name: &str, caller: &caller::CallerSettings, written: &LoadedSettings) -> Value {
    let caller::CallerSettings {
        expires,
        policy,
        allow,
        deny,
        tenants,
        on_behalf_of,
        require_reason,
        // Only their number: a digest is of no use to a reader.
        key: _,
        // Shown by `config show` and by `caller show`.
        limit: _,
        identity: _,
    } = caller;
    json!({
        "caller": name,
        "keys": key_count(caller),
        "expires": expires,
        "policy": policy,
        "allow": allow,
        "deny": deny,
        "tenants": tenants,
        "on_behalf_of": on_behalf_of,
        "require_reason": require_reason,
        "origin": location(name, written),
    })
}
