//! `config check`, `config show` and `config schema`.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    config::{
        self,
        effective_settings::{CONFIG_SHOW_SCHEMA, EffectiveSetting},
        read::{
            diagnostics::{ConfigurationError, Diagnostic},
            json_schema::json_schema,
            sources::{Sources, find_config_file},
        },
    },
    ninjaone::operation::Operation,
};

use super::{
    context::Context,
    exit::ExitStatus,
    running_proxy::{AdminArgs, RunningProxy, RunningProxyError},
};

/// Look at the configuration.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Say everything that is wrong, with file, line and column
    Check,
    /// Show every setting in force and where it comes from; secrets are masked
    Show(ConfigShowArgs),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}

#[derive(Debug, Clone, Args)]
pub struct ConfigShowArgs {
    /// Read the files, whatever the running proxy has in force
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// The context of the commands that read the configuration.
pub struct ConfigContext<'a> {
    /// `--config`
    pub file: Option<&'a Path>,
    /// `--json`
    pub json: bool,
    pub environment: Vec<(String, String)>,
    /// The operations of the catalogue.
    pub operations: &'a [Operation],
}

impl ConfigContext<'_> {
    /// Where the configuration is read from.
    ///
    /// # Errors
    /// There is no configuration file.
    pub fn sources(&self) -> Result<Sources, ConfigurationError> {
        let file: PathBuf = find_config_file(self.file, &self.environment)?;
        Ok(Sources {
            file,
            environment: self.environment.clone(),
        })
    }
}

/// Runs the command.
///
/// # Errors
/// `out` or `err` cannot be written.
pub(super) async fn run(
    args: &ConfigArgs,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    match &args.command {
        ConfigCommand::Check => check(&context.config_context(), out, err),
        ConfigCommand::Show(args) => show(args, context, out, err).await,
        ConfigCommand::Schema => schema(out),
    }
}

fn check(
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let sources = match context.sources() {
        Ok(sources) => sources,
        Err(problems) => return report(problems.as_slice(), None, context.json, out, err),
    };
    let name = sources.file.display().to_string();
    match config::load(&sources, context.operations) {
        Ok((config, warnings)) => {
            let counts = format!(
                "{}, {}",
                pluralized(config.tenants.len(), "tenant"),
                pluralized(config.callers.len(), "caller"),
            );
            report(
                &warnings,
                Some(&format!("{name}: in order ({counts})")),
                context.json,
                out,
                err,
            )
        }
        Err(problems) => report(problems.as_slice(), None, context.json, out, err),
    }
}

/// Prints problems to `err` and the summary to `out`. `well` is the summary if there was no error.
fn report(
    problems: &[Diagnostic],
    well: Option<&str>,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let exit = if well.is_some() {
        ExitStatus::Done
    } else {
        ExitStatus::ConfigurationWrong
    };
    if as_json {
        let problems: Vec<Value> = problems.iter().map(problem_json).collect();
        let object =
            json!({"schema": "config-check/1", "ok": well.is_some(), "problems": problems});
        writeln!(out, "{object:#}")?;
        return Ok(exit);
    }
    for problem in problems {
        writeln!(err, "{problem}\n")?;
    }
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = problems.len() - errors;
    match (well, warnings) {
        (Some(well), 0) => writeln!(out, "{well}")?,
        (Some(well), _) => writeln!(out, "{well}, {}", pluralized(warnings, "warning"))?,
        (None, 0) => writeln!(out, "{}", pluralized(errors, "error"))?,
        (None, _) => {
            writeln!(
                out,
                "{}, {}",
                pluralized(errors, "error"),
                pluralized(warnings, "warning")
            )?;
        }
    }
    Ok(exit)
}

/// `1 error`, `2 errors`.
pub(super) fn pluralized(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}

fn problem_json(problem: &Diagnostic) -> Value {
    let number = |it: usize| if it == 0 { Value::Null } else { json!(it) };
    json!({
        "severity": problem.severity.as_str(),
        "file": Some(&problem.file).filter(|file| !file.is_empty()),
        "line": number(problem.line),
        "column": number(problem.column),
        "message": problem.message,
        "hint": problem.hint,
    })
}

async fn show(
    args: &ConfigShowArgs,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let in_force = match in_force(args, context).await {
        Ok(in_force) => in_force,
        Err(error) => {
            writeln!(err, "error: {error}")?;
            return Ok(ExitStatus::Failed);
        }
    };
    if let Some((settings, at)) = in_force {
        if !context.quiet {
            writeln!(err, "In force in the proxy at {at}:")?;
        }
        return print_settings(&settings, context.json, out);
    }
    match context.load_with_warnings() {
        Ok((config, _, _)) => print_settings(&config.effective, context.json, out),
        Err(problems) => {
            writeln!(err, "{problems}")?;
            Ok(ExitStatus::ConfigurationWrong)
        }
    }
}

/// What the running proxy has in force, and where it was asked; `None` where none runs or the files are asked for. A proxy that
/// runs with another configuration than the one that is named is not meant.
async fn in_force(
    args: &ConfigShowArgs,
    context: &Context,
) -> Result<Option<(Vec<EffectiveSetting>, String)>, RunningProxyError> {
    let is_named = args.admin.admin.is_some();
    if args.offline || (context.named_config().is_some() && !is_named) {
        return Ok(None);
    }
    let asked = match RunningProxy::find(context, &args.admin) {
        Ok(proxy) => proxy.get("/config").await.map(|body| (proxy, body)),
        Err(error) => Err(error),
    };
    let (proxy, body) = match asked {
        Ok(asked) => asked,
        Err(error) if is_named => return Err(error),
        Err(_) => return Ok(None),
    };
    let not_understood = || RunningProxyError::NotUnderstood(proxy.describe());
    let shown: Value = serde_json::from_slice(&body).map_err(|_| not_understood())?;
    let settings = shown.get("settings").and_then(Value::as_array);
    let settings = settings.ok_or_else(not_understood)?.iter();
    let settings: Option<Vec<_>> = settings.map(EffectiveSetting::from_json).collect();
    Ok(Some((
        settings.ok_or_else(not_understood)?,
        proxy.describe(),
    )))
}

fn print_settings(
    shown: &[EffectiveSetting],
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<ExitStatus> {
    if as_json {
        let settings: Vec<Value> = shown.iter().map(EffectiveSetting::to_json).collect();
        let object = json!({"schema": CONFIG_SHOW_SCHEMA, "settings": settings});
        writeln!(out, "{object:#}")?;
        return Ok(ExitStatus::Done);
    }
    let lines: Vec<String> = shown.iter().map(line).collect();
    let width = lines.iter().map(|line| line.chars().count()).max();
    // A single long list must not push all origins off the screen.
    let width = width.unwrap_or_default().min(COLUMN_MAX);
    for (line, shown) in lines.iter().zip(shown) {
        writeln!(out, "{line:width$}  # {}", shown.origin)?;
    }
    Ok(ExitStatus::Done)
}

const COLUMN_MAX: usize = 72;

fn line(shown: &EffectiveSetting) -> String {
    format!("{} = {}", shown.setting, shown.value)
}

fn schema(out: &mut dyn Write) -> io::Result<ExitStatus> {
    match serde_json::to_string_pretty(&json_schema()) {
        Ok(text) => writeln!(out, "{text}").map(|()| ExitStatus::Done),
        Err(_) => Ok(ExitStatus::Failed),
    }
}
