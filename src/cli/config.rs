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

use super::{admin_args::AdminArgs, exit::ExitStatus};

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
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) admin: AdminArgs,
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
pub fn run(
    args: &ConfigArgs,
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    match &args.command {
        ConfigCommand::Check => check(context, out, err),
        ConfigCommand::Show(_) => show(context, out, err),
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

fn show(
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let read = context
        .sources()
        .and_then(|sources| config::load(&sources, context.operations));
    match read {
        Ok((config, _)) => print_settings(&config.effective, context.json, out),
        Err(problems) => {
            writeln!(err, "{problems}")?;
            Ok(ExitStatus::ConfigurationWrong)
        }
    }
}

/// Prints settings and where each comes from.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn print_settings(
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
