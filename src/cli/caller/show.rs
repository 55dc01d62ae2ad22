//! `caller list` and `caller show`.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::{
    cli::exit::ExitStatus,
    config::{
        caller_files,
        effective_settings::{self, EffectiveSetting},
        read::{
            key_path::KeyPath,
            load::{self, LoadedSettings},
            sources::Sources,
        },
        settings::caller,
    },
};

use super::{last_use::LastUse, report_error, table};

pub(super) fn list(
    sources: &Sources,
    last_use: &LastUse,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let written = load::read(sources);
    let callers = &written.settings.caller;
    if as_json {
        let callers: Vec<Value> = callers
            .iter()
            .map(|(name, caller)| caller_json(name, caller, last_use, &written))
            .collect();
        let object = json!({"schema": "callers/1", "callers": callers});
        writeln!(out, "{object}")?;
        return end_of_list(&written, err);
    }
    let is_whole = written.unreadable.is_none() && written.broken.is_none();
    if callers.is_empty() && is_whole {
        writeln!(
            err,
            "There are no callers yet. Add one: ninjaone-proxy caller add NAME --allow read"
        )?;
    } else if !callers.is_empty() {
        table::write(
            callers.iter(),
            |name| location(name, &written),
            last_use,
            out,
        )?;
    }
    end_of_list(&written, err)
}

/// What could not be read may hold more callers.
fn end_of_list(written: &LoadedSettings, err: &mut dyn Write) -> io::Result<ExitStatus> {
    match written.unreadable.as_ref().or(written.broken.as_ref()) {
        Some(unreadable) => {
            writeln!(
                err,
                "{unreadable}\n\nThere may be callers that are not shown."
            )?;
            Ok(ExitStatus::ConfigurationWrong)
        }
        None => warn_of_errors(written, err),
    }
}

pub(super) fn show(
    name: &str,
    sources: &Sources,
    last_use: &LastUse,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let written = load::read(sources);
    let Some(caller) = written.settings.caller.get(name) else {
        return report_error(&caller_files::unknown_caller(&written, name), err);
    };
    if as_json {
        let mut object = caller_json(name, caller, last_use, &written);
        if let Some(top) = object.as_object_mut() {
            top.insert("schema".into(), "caller/1".into());
        }
        writeln!(out, "{object}")?;
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
            "warning: the configuration has errors; see them with: ninjaone-proxy config check"
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

fn caller_json(
    name: &str,
    caller: &caller::CallerSettings,
    last_use: &LastUse,
    written: &LoadedSettings,
) -> Value {
    let caller::CallerSettings {
        created,
        expires,
        policy,
        allow,
        deny,
        tenants,
        on_behalf_of,
        require_reason,
        // Below: shortened.
        key: _,
        // Shown by `config show` and by `caller show`.
        limit: _,
        identity: _,
    } = caller;
    json!({
        "caller": name,
        "keys": key_count(caller),
        "digests": table::digests(caller),
        "created": created,
        "age_s": table::age_s(caller),
        "expires": expires,
        "expired": table::is_expired(caller),
        "last_used": last_use.of(name),
        "policy": policy,
        "allow": allow,
        "deny": deny,
        "tenants": tenants,
        "on_behalf_of": on_behalf_of,
        "require_reason": require_reason,
        "origin": location(name, written),
    })
}
