//! `doctor`: looks for everything that may keep the proxy from working, and says what to do. The running proxy makes the checks,
//! with its secrets, its store and its way to NinjaOne; where there is none, this process does.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    admin::inquiries::DOCTOR_MS_MAX,
    app::doctor::{
        Examination,
        check::{CheckName, DoctorCheck},
        configuration, find_tenant,
        machine::FoundProxy,
        report::{DoctorReport, DoctorVerdict},
    },
    config::{Config, read::diagnostics::ConfigurationError},
};

use super::{
    admin_args::AdminArgs,
    ask::{Answerer, AskError, AskedProxy, find_answerer, take_text_and_exit},
    context::Context,
    exit::ExitStatus,
    running_proxy::{RunningProxyError, find_with_status},
};

const AS_ANOTHER_USER: &str = "Run this as one of those users: sudo ninjaone-proxy doctor";

/// A little more than the proxy's own bound.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(DOCTOR_MS_MAX + 4_000);

/// Check everything that may keep the proxy from working, and say how to fix it
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DoctorArgs {
    /// Check this tenant only
    tenant: Option<String>,
    /// Send nothing to NinjaOne
    #[arg(long)]
    offline: bool,
    /// Make the checks as this user, with the files, instead of asking the running proxy
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    pub(super) admin: AdminArgs,
}

impl From<DoctorVerdict> for ExitStatus {
    fn from(verdict: DoctorVerdict) -> Self {
        match verdict {
            DoctorVerdict::Healthy => Self::Done,
            DoctorVerdict::Failed => Self::Failed,
            DoctorVerdict::LoginNeeded => Self::LoginNeeded,
            DoctorVerdict::Attention => Self::Degraded,
            DoctorVerdict::ConfigurationWrong => Self::ConfigurationWrong,
        }
    }
}

impl DoctorArgs {
    /// Has all checks made and prints the report.
    ///
    /// # Errors
    /// `out` or `err` cannot be written to.
    pub(super) async fn run(
        &self,
        context: &Context,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let forbidden = match find_answerer(context, &self.admin, self.local).await {
            Ok(Answerer::Proxy(proxy)) => match self.ask(&proxy, context).await {
                Ok(answer) => {
                    if !context.quiet {
                        writeln!(err, "Checked by the proxy at {}:", proxy.describe())?;
                    }
                    return print_answer(answer, context, out, err);
                }
                Err(error) if proxy.leaves_it_to_files(&error) => {
                    proxy.note_files(&error, err)?;
                    None
                }
                Err(error) => return error.report(err),
            },
            Ok(Answerer::Files(forbidden)) => forbidden,
            Err(error) => return AskError::from(error).report(err),
        };
        self.run_here(context, forbidden, out, err).await
    }

    async fn ask(&self, proxy: &AskedProxy, context: &Context) -> Result<Value, AskError> {
        let question = json!({
            "tenant": self.tenant, "offline": self.offline, "brief": context.quiet,
        });
        proxy.ask("/doctor", &question, ANSWER_TIMEOUT).await
    }

    async fn run_here(
        &self,
        context: &Context,
        forbidden: Option<RunningProxyError>,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let (config, warnings) = match context.load_with_warnings() {
            Ok((config, warnings, _)) => (config, warnings),
            Err(problems) => {
                let mut checks = vec![wrong_configuration(context, &problems, err)?];
                checks.extend(forbidden.map(|it| closed_proxy(&it)));
                return print(&DoctorReport(checks), context, out);
            }
        };
        if let Err(problem) = find_tenant(&config, self.tenant.as_deref()) {
            return failed(&problem, err);
        }
        let examination = Examination {
            configuration: configuration(&config, &warnings),
            found: find_proxy(context, &config, forbidden).await,
            config: Arc::new(config),
            tenant: self.tenant.clone(),
            offline: self.offline,
        };
        print(&examination.run().await, context, out)
    }
}

/// The proxy that runs here, as far as this user may know it.
async fn find_proxy(
    context: &Context,
    config: &Config,
    forbidden: Option<RunningProxyError>,
) -> FoundProxy {
    let error = match forbidden {
        Some(forbidden) => forbidden,
        None => match find_with_status(context, &AdminArgs::default()).await {
            Ok((_, snapshot)) => return FoundProxy::new(snapshot, config),
            Err(error) => error,
        },
    };
    let remedy = match &error {
        RunningProxyError::Forbidden { .. } | RunningProxyError::ForeignOwner { .. } => {
            Some(AS_ANOTHER_USER)
        }
        other => other.remedy(),
    };
    remedy.map_or(FoundProxy::None, |remedy| FoundProxy::Closed {
        why: error.to_string(),
        remedy: remedy.to_owned(),
    })
}

/// Says on `err` what is wrong, unless there is no configuration at all.
fn wrong_configuration(
    context: &Context,
    problems: &ConfigurationError,
    err: &mut dyn Write,
) -> io::Result<DoctorCheck> {
    let name = CheckName::Configuration;
    let candidates = context.config_file_candidates();
    if candidates.iter().all(|path| !path.exists()) {
        let looked: Vec<String> = candidates
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let remedy = if context.named_config().is_some() {
            "Check the path given with --config; or write a configuration: ninjaone-proxy init"
        } else {
            "Write one: ninjaone-proxy init. Or name it with --config. To try it without an account: ninjaone-proxy sandbox"
        };
        let seen = format!(
            "there is no configuration file, and no proxy is running; looked for {}",
            looked.join(", ")
        );
        return Ok(DoctorCheck::failed(name, seen, remedy));
    }
    let first = problems.as_slice().iter().find(|it| it.is_error());
    let first = first.map_or_else(String::new, |it| match it.location() {
        place if place.is_empty() => it.message.clone(),
        place => format!("at {place}: {}", it.message),
    });
    writeln!(err, "{problems}\n")?;
    let seen = match problems.error_count() {
        1 => format!("1 error: {first}"),
        count => format!("{count} errors; the first {first}"),
    };
    let remedy = "Correct what is shown above, then: ninjaone-proxy config check";
    Ok(DoctorCheck::failed(name, seen, remedy))
}

/// A proxy runs that this user may not ask.
fn closed_proxy(why: &RunningProxyError) -> DoctorCheck {
    DoctorCheck::failed(CheckName::Proxy, why.to_string(), AS_ANOTHER_USER)
}

fn print(report: &DoctorReport, context: &Context, out: &mut dyn Write) -> io::Result<ExitStatus> {
    if context.json {
        writeln!(out, "{}", report.document())?;
    } else {
        out.write_all(report.text(context.quiet).as_bytes())?;
    }
    Ok(report.verdict().into())
}

/// Prints what the running proxy has answered.
fn print_answer(
    mut answer: Value,
    context: &Context,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let (text, exit) = take_text_and_exit(&mut answer);
    let Some(verdict) = exit.and_then(DoctorVerdict::from_exit_code) else {
        let why = "the running proxy's answer is not one that this version understands";
        return failed(why, err);
    };
    match text {
        Some(text) if !context.json => out.write_all(text.as_bytes())?,
        _ => writeln!(out, "{answer}")?,
    }
    Ok(verdict.into())
}

fn failed(why: &str, err: &mut dyn Write) -> io::Result<ExitStatus> {
    writeln!(err, "error: {why}")?;
    Ok(ExitStatus::Failed)
}
