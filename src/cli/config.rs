//! `config check`, `config show` and `config schema`.

use std::{
    borrow::Cow,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::{
    config::{
        self, Config,
        effective_settings::{self, EffectiveSetting},
        read::{
            diagnostics::{ConfigurationError, Diagnostic},
            json_schema::json_schema,
            sources::{Sources, find_config_file},
        },
    },
    ninjaone::operation::Operation,
    typed_command::typed,
};

use super::{admin_args::AdminArgs, exit::ExitStatus};

/// Check and show the configuration
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Report every problem with its file, line and column
    Check(ConfigCheckArgs),
    /// Show every setting in force and where it comes from; secrets are masked
    Show(ConfigShowArgs),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}

#[derive(Debug, Clone, Args)]
pub struct ConfigShowArgs {
    /// Show what the files say, not what the running proxy has in force
    #[arg(long)]
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) admin: AdminArgs,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct ConfigCheckArgs {
    /// How to print the problems
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ConfigCheckFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigCheckFormat {
    /// For people, with the line and a caret
    Text,
    /// Workflow commands of GitHub Actions, which marks the lines in a pull request
    Github,
}

/// The context of the commands that read the configuration.
pub struct ConfigContext<'a> {
    /// `--config`, or the file of the running proxy that the environment names.
    pub file: Option<&'a Path>,
    /// Whether it is `--config`.
    pub is_file_given: bool,
    /// Why there is no file to work on although a running proxy has one.
    pub no_file: Option<&'a str>,
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
        if let Some(why) = self.no_file {
            let hint = "name a configuration with --config, or unset NJP_ADMIN";
            return Err(Diagnostic::without_location(why.to_owned(), Some(hint.to_owned())).into());
        }
        let file: PathBuf = find_config_file(self.file, &self.environment)?;
        let shown = file.display();
        tracing::debug!(file = %shown, "reads the configuration");
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
        ConfigCommand::Check(args) => check(args.format, context, out, err),
        ConfigCommand::Show(_) => show(context, out, err),
        ConfigCommand::Schema => schema(out),
    }
}

fn check(
    format: ConfigCheckFormat,
    context: &ConfigContext<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    if context.json && format == ConfigCheckFormat::Github {
        writeln!(err, "error: give --json or --format github, not both")?;
        return Ok(ExitStatus::WrongUsage);
    }
    let checked = context.sources().and_then(|sources| {
        let (config, warnings) = config::inspect(&sources, context.operations)?;
        Ok((valid_text(&sources, &config), warnings))
    });
    let (valid, problems) = match &checked {
        Ok((valid, warnings)) => (Some(valid.as_str()), warnings.as_slice()),
        Err(problems) => (None, problems.as_slice()),
    };
    if context.json {
        print_check_json(problems, valid.is_some(), out)?;
    } else {
        match format {
            ConfigCheckFormat::Text => print_check_text(problems, valid, out, err)?,
            ConfigCheckFormat::Github => {
                for problem in problems {
                    writeln!(out, "{}", workflow_command(problem))?;
                }
            }
        }
    }
    Ok(if valid.is_some() {
        ExitStatus::Done
    } else {
        ExitStatus::ConfigurationWrong
    })
}

/// That the configuration is valid, what it has, and the next step where something is missing.
fn valid_text(sources: &Sources, config: &Config) -> String {
    let number = |count: usize, what: &str| match count {
        0 => format!("no {what}s yet"),
        _ => pluralized(count, what),
    };
    let (tenants, callers) = (config.tenants.len(), config.callers.len());
    let next: Cow<'_, str> = match (tenants, callers) {
        (0, _) => " Next: add a section [tenant.NAME].".into(),
        (_, 0) => typed(" Next: ninjaone-proxy caller add NAME --allow read"),
        _ => "".into(),
    };
    format!(
        "{} is valid: {}, {}.{next}",
        sources.file.display(),
        number(tenants, "tenant"),
        number(callers, "caller"),
    )
}

fn print_check_json(problems: &[Diagnostic], ok: bool, out: &mut dyn Write) -> io::Result<()> {
    let problems: Vec<Value> = problems.iter().map(problem_json).collect();
    let object = json!({"schema": "config-check/1", "ok": ok, "problems": problems});
    writeln!(out, "{object}")
}

/// Prints problems to `err` and the verdict to `out`. `valid` is the verdict if there was no error.
fn print_check_text(
    problems: &[Diagnostic],
    valid: Option<&str>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    for problem in problems {
        writeln!(err, "{problem}\n")?;
    }
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = problems.len() - errors;
    let warned = pluralized(warnings, "warning");
    match (valid, warnings) {
        (Some(valid), 0) => writeln!(out, "{valid}"),
        (Some(valid), _) => writeln!(out, "{valid}\n{warned}"),
        (None, 0) => writeln!(out, "{}", pluralized(errors, "error")),
        (None, _) => writeln!(out, "{}, {warned}", pluralized(errors, "error")),
    }
}

/// `::error file=…,line=…,col=…::message`, escaped as GitHub's runner reads it: `%`, line breaks, and in values also `:`
/// and `,`.
fn workflow_command(problem: &Diagnostic) -> String {
    let data = |text: &str| {
        let text = text.replace('%', "%25");
        text.replace('\r', "%0D").replace('\n', "%0A")
    };
    let value = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut place = String::new();
    if problem.line > 0 {
        let (line, column) = (problem.line, problem.column);
        place = format!(" file={},line={line},col={column}", value(&problem.file));
    } else if !problem.file.is_empty() {
        // A variable or a directory has no line that could be marked.
        place = format!(" title={}", value(&problem.file));
    }
    let hint = problem.hint.as_deref();
    let hint = hint.map_or_else(String::new, |hint| format!("\nhelp: {hint}"));
    let message = data(&format!("{}{hint}", problem.message));
    format!("::{}{place}::{message}", problem.severity.as_str())
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
        .and_then(|sources| config::inspect(&sources, context.operations));
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
        writeln!(out, "{}", effective_settings::to_json(shown))?;
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
