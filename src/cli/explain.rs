//! `explain`: why a request would be allowed or refused, and what would have to change.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    admin::{
        explain::{
            ImaginedRequest, LogPlace,
            answer::{ExplainAnswer, ExplainError, ExplainOutcome},
            log_search::RecordSearch,
            rules::ExplainRules,
        },
        inquiries::EXPLAIN_MS_MAX,
        plain_text::escape_control_in_lines,
        status_snapshot::AuditStatus,
    },
    app::wiring,
    names::RequestId,
    policy::policy_set::PolicySet,
    shell_word::shell_word,
};

use super::{
    admin_args::AdminArgs,
    ask::{Answerer, AskError, AskedProxy, find_answerer, take_text_and_exit},
    context::Context,
    exit::ExitStatus,
    running_proxy::RunningProxyError,
};

/// A little more than the proxy's own bound.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(EXPLAIN_MS_MAX + 5_000);

/// Longest line that is sent to the proxy, so that a question stays short; it reads a longer one itself.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Explain why a request is allowed or refused, and what would allow it
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainArgs {
    /// Name of a caller, or the ID of a request in the audit log
    #[arg(value_name = "CALLER|REQUEST_ID")]
    pub subject: String,
    /// For a caller: method and path, such as GET "/v2/devices?pageSize=10"
    #[arg(value_name = "METHOD TARGET", num_args = 0..=2)]
    pub request: Vec<String>,
    /// Tenant, as the header NJP-Tenant would name it
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Go by the files instead of asking the running proxy
    #[arg(long)]
    pub offline: bool,
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// What to explain.
enum ExplainSubject {
    /// With method and target as they were typed.
    Imagined(Box<ImaginedRequest>, String, String),
    Recorded(RequestId),
}

impl From<ExplainOutcome> for ExitStatus {
    fn from(outcome: ExplainOutcome) -> Self {
        match outcome {
            ExplainOutcome::Allowed => Self::Done,
            ExplainOutcome::NotFound => Self::Failed,
            ExplainOutcome::WrongUsage => Self::WrongUsage,
            ExplainOutcome::LoginNeeded => Self::LoginNeeded,
            ExplainOutcome::Refused => Self::Refused,
            ExplainOutcome::TryAgainLater => Self::TryAgainLater,
        }
    }
}

impl ExplainArgs {
    /// Explains with the policies in `policy`; a request id is looked up in `audit_directory`. Asks no running proxy.
    ///
    /// # Errors
    /// `out` or `err` cannot be written to.
    pub fn run(
        &self,
        policy: &PolicySet,
        audit_directory: &Path,
        as_json: bool,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let rules = ExplainRules {
            policy,
            callers: None,
            limits: None,
            logins: None,
        };
        let log = LogPlace {
            directory: audit_directory,
            running: &|| None,
        };
        match self.parse_subject() {
            Ok(subject) => print(self.by_files(&subject, &log, rules), as_json, out, err),
            Err(problem) => wrong_usage(&problem, err),
        }
    }

    /// Asks the running proxy, which explains by the rules in force; where there is none, explains by the files.
    ///
    /// Exit codes: 0 allowed, or answered by the proxy itself, 5 refused, 4 it waits for a login, 1 no such caller or request,
    /// 2 wrong usage, 75 a limit or an outage was in the way, or the request's line may still come.
    ///
    /// # Errors
    /// `out` or `err` cannot be written to.
    pub(super) async fn run_command(
        &self,
        context: &Context,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let subject = match self.parse_subject() {
            Ok(subject) => subject,
            Err(problem) => return wrong_usage(&problem, err),
        };
        let (audit, forbidden) = match find_answerer(context, &self.admin, self.offline).await {
            Ok(Answerer::Proxy(proxy)) => match self.ask(&proxy, &subject).await {
                Ok(answer) => {
                    if matches!(subject, ExplainSubject::Imagined(..)) && !context.quiet {
                        writeln!(
                            err,
                            "By the rules in force in the proxy at {}:",
                            proxy.describe()
                        )?;
                    }
                    return print_answer(answer, context.json, out, err);
                }
                Err(error) if proxy.leaves_it_to_files(&error) => {
                    proxy.note_files(&error, err)?;
                    (Some(proxy.status.audit), None)
                }
                Err(error) => return error.report(err),
            },
            Ok(Answerer::Files(forbidden)) => (None, forbidden),
            Err(error) => return AskError::from(error).report(err),
        };
        self.run_by_files(context, &subject, audit.as_ref(), forbidden, out, err)
    }

    fn run_by_files(
        &self,
        context: &Context,
        subject: &ExplainSubject,
        audit: Option<&AuditStatus>,
        forbidden: Option<RunningProxyError>,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let Some(config) = context.inspect(err)? else {
            if let Some(forbidden) = forbidden {
                writeln!(err, "error: {forbidden}")?;
            }
            return Ok(ExitStatus::ConfigurationWrong);
        };
        let catalogue = match wiring::catalogue(&config) {
            Ok(catalogue) => catalogue,
            Err(clash) => {
                writeln!(err, "error: {clash}")?;
                return Ok(ExitStatus::ConfigurationWrong);
            }
        };
        let policy = wiring::policy_set(&config, catalogue);
        let limits = wiring::limits(&config, None);
        let callers = wiring::caller_directory(&config);
        let rules = ExplainRules {
            policy: &policy,
            callers: Some(&callers),
            limits: Some(&limits),
            logins: None,
        };
        let log = LogPlace {
            directory: &config.audit.path,
            running: &|| audit.cloned(),
        };
        print(self.by_files(subject, &log, rules), context.json, out, err)
    }

    fn parse_subject(&self) -> Result<ExplainSubject, String> {
        let joined = self.request.join(" ");
        let words: Vec<&str> = joined.split_ascii_whitespace().collect();
        match words.as_slice() {
            [] => self
                .subject
                .parse()
                .map(ExplainSubject::Recorded)
                .map_err(|_| {
                    format!(
                        "\"{}\" is not the ID of a request; for a caller, name a method and a path too, \
                         such as: ninjaone-proxy explain {} GET /v2/devices",
                        self.subject,
                        shell_word(&self.subject)
                    )
                }),
            [method, target] => {
                let tenant = self.tenant.as_deref();
                ImaginedRequest::parse(&self.subject, method, target, tenant)
                    .map(|it| {
                        let (method, target) = ((*method).to_owned(), (*target).to_owned());
                        ExplainSubject::Imagined(Box::new(it), method, target)
                    })
                    .map_err(|error| error.text)
            }
            _ => Err(format!(
                "\"{joined}\" is not a method and a path, such as: GET /v2/devices"
            )),
        }
    }

    async fn ask(&self, proxy: &AskedProxy, subject: &ExplainSubject) -> Result<Value, AskError> {
        let tenant = self.tenant.as_deref();
        let question = match subject {
            ExplainSubject::Imagined(_, method, target) => json!({
                "caller": &self.subject, "method": method, "target": target, "tenant": tenant,
            }),
            ExplainSubject::Recorded(id) => match line_in_files(proxy, *id) {
                Some(line) => json!({ "line": line, "tenant": tenant }),
                None => json!({ "request": id.as_str(), "tenant": tenant }),
            },
        };
        proxy.ask("/explain", &question, ANSWER_TIMEOUT).await
    }

    fn by_files(
        &self,
        subject: &ExplainSubject,
        log: &LogPlace<'_>,
        rules: ExplainRules<'_>,
    ) -> Result<ExplainAnswer, ExplainError> {
        let (mut answer, is_recorded) = match subject {
            ExplainSubject::Imagined(request, ..) => (request.explain(rules), false),
            ExplainSubject::Recorded(id) => {
                let found = log.find(*id);
                (
                    log.explain(*id, found, self.tenant.as_deref(), rules)?,
                    true,
                )
            }
        };
        if let Some(members) = answer.document.as_object_mut() {
            if is_recorded {
                members.insert("source".to_owned(), json!("files"));
            }
            members.insert("rules".to_owned(), json!({ "from": "files" }));
        }
        Ok(answer)
    }
}

/// The line of a request, where this user may read the proxy's audit log: then it need not be taken at its word.
fn line_in_files(proxy: &AskedProxy, id: RequestId) -> Option<String> {
    let log = LogPlace {
        directory: proxy.audit_directory()?,
        running: &|| None,
    };
    match log.find(id) {
        Ok(RecordSearch::Found(record)) if record.line().len() <= LINE_BYTES_MAX => {
            Some(record.line().to_owned())
        }
        Ok(_) | Err(_) => None,
    }
}

fn print(
    answer: Result<ExplainAnswer, ExplainError>,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    match answer {
        Ok(answer) => {
            if as_json {
                writeln!(out, "{}", answer.document)?;
            } else {
                out.write_all(answer.text.as_bytes())?;
            }
            Ok(answer.outcome.into())
        }
        Err(error) => {
            writeln!(err, "error: {error}")?;
            Ok(error.outcome.into())
        }
    }
}

/// Prints what the running proxy has answered.
fn print_answer(
    mut answer: Value,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let (text, exit) = take_text_and_exit(&mut answer);
    let outcome = exit.and_then(ExplainOutcome::from_exit_code);
    let Some(outcome) = outcome else {
        writeln!(
            err,
            "error: the running proxy's answer is not one that this version understands"
        )?;
        return Ok(ExitStatus::Failed);
    };
    match (answer.get("error").and_then(Value::as_str), text) {
        (Some(error), _) => writeln!(err, "error: {}", escape_control_in_lines(error))?,
        (None, Some(text)) if !as_json => out.write_all(text.as_bytes())?,
        (None, _) => writeln!(out, "{answer}")?,
    }
    Ok(outcome.into())
}

fn wrong_usage(problem: &str, err: &mut dyn Write) -> io::Result<ExitStatus> {
    writeln!(err, "error: {problem}")?;
    Ok(ExitStatus::WrongUsage)
}
