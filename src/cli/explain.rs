//! `explain`: why a request would be allowed or refused, and what would have to change.

mod absence;
mod own_endpoint;
mod recorded_request;
mod target;
mod text;
mod verdict;

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    admin::status_snapshot::AuditStatus,
    clock::{Moment, Timestamp},
    names::RequestId,
    net::{Method, request::target::Target},
    ninjaone::operation::RiskClass,
    policy::{
        explain::{Conclusion, ExplainRequest, Explanation, ExplanationStep},
        policy_set::PolicySet,
    },
};

use self::{
    own_endpoint::OwnEndpoint,
    recorded_request::{RecordSearch, RecordedRequest},
    target::parse_target,
    text::TenantOrigin,
    verdict::Verdict,
};

use super::exit::ExitStatus;

/// How long the line of a request that came just now is waited for, and how often it is looked for, in milliseconds.
const LINE_WAIT_MS_MAX: u64 = 2_000;
const LOOK_AGAIN_MS: u64 = 50;

/// A request that came longer ago has its line or gets none, in milliseconds.
const RECENT_MS_MAX: u64 = 120_000;

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
}

/// What to explain.
enum ExplainSubject {
    Hypothetical { method: Method, target: Target },
    Recorded(RequestId),
}

impl ExplainArgs {
    /// As [`ExplainArgs::run_beside`], without asking a running proxy.
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
        self.run_beside(&|| None, policy, audit_directory, as_json, out, err)
    }

    /// Explains with the policies in `policy`; a request id is looked up in `audit_directory`. `running` gives what the
    /// running proxy says of its audit log.
    ///
    /// Exit codes: 0 allowed, or answered by the proxy itself, 5 refused, 1 no such caller or request, 2 wrong usage, 75 the request's line may still
    /// come: it came just now, or the audit log cannot be written.
    ///
    /// # Errors
    /// `out` or `err` cannot be written to.
    pub fn run_beside(
        &self,
        running: &dyn Fn() -> Option<AuditStatus>,
        policy: &PolicySet,
        audit_directory: &Path,
        as_json: bool,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        match self.parse_subject() {
            Err(problem) => {
                writeln!(err, "error: {problem}")?;
                Ok(ExitStatus::WrongUsage)
            }
            Ok(ExplainSubject::Hypothetical { method, target }) => {
                let request = ExplainRequest {
                    caller: &self.subject,
                    tenant: self.tenant.as_deref(),
                    base_path_tenant: target.tenant(),
                    method,
                    path: target.canonical_path(),
                    query: target.query(),
                };
                print_explanation(&request, &policy.explain(&request), None, as_json, out)
            }
            Ok(ExplainSubject::Recorded(id)) => {
                let log = LogPlace {
                    directory: audit_directory,
                    running,
                };
                self.explain_recorded(id, &log, policy, as_json, out, err)
            }
        }
    }

    fn parse_subject(&self) -> Result<ExplainSubject, String> {
        let joined = self.request.join(" ");
        let words: Vec<&str> = joined.split_ascii_whitespace().collect();
        match words.as_slice() {
            [] => self
                .subject
                .parse()
                .map(ExplainSubject::Recorded)
                .map_err(|problem| {
                    format!(
                        "\"{}\" alone is not enough: {problem}; for a caller give METHOD and TARGET too, \
                         such as: explain {} GET /v2/devices",
                        self.subject, self.subject
                    )
                }),
            [method, target] => Ok(ExplainSubject::Hypothetical {
                method: parse_method(method)?,
                target: parse_target(target)
                    .map_err(|problem| format!("the target {target} is refused: {problem}"))?,
            }),
            _ => Err(format!(
                "\"{joined}\" is not METHOD and TARGET, such as: GET /v2/devices"
            )),
        }
    }

    fn explain_recorded(
        &self,
        id: RequestId,
        log: &LogPlace<'_>,
        policy: &PolicySet,
        as_json: bool,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let directory = log.directory.display();
        let found = match find_or_wait(log.directory, id) {
            Ok(found) => found,
            // Somebody may have deleted it while the proxy runs.
            Err(problem) => {
                if let Some(audit) = log.outage() {
                    return absence::print_outage(id, &audit, as_json, out);
                }
                writeln!(err, "error: {directory} cannot be read: {problem}")?;
                return Ok(ExitStatus::Failed);
            }
        };
        match found {
            RecordSearch::Found(record) => self.explain_record(&record, policy, as_json, out),
            RecordSearch::Counted(line) => absence::print_counted(id, &line, as_json, out),
            RecordSearch::NotFound => match log.outage() {
                Some(audit) => absence::print_outage(id, &audit, as_json, out),
                None if is_recent(id) => {
                    writeln!(
                        err,
                        "error: request {id} is not in {directory} yet: it came just now, and its line is written at its end. Ask again."
                    )?;
                    Ok(ExitStatus::TryAgainLater)
                }
                None => {
                    writeln!(err, "error: request {id} is not in {directory}")?;
                    Ok(ExitStatus::Failed)
                }
            },
            RecordSearch::LimitReached => {
                writeln!(
                    err,
                    "error: request {id} is not in the newest {} MiB of {directory}; look further with: grep -r {id} {directory}",
                    recorded_request::SEARCHED_BYTES_MAX >> 20,
                )?;
                Ok(ExitStatus::Failed)
            }
        }
    }

    fn explain_record(
        &self,
        record: &RecordedRequest,
        policy: &PolicySet,
        as_json: bool,
        out: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        if OwnEndpoint::of(record).is_some() {
            return print_undecided(record, as_json, out);
        }
        let asked = record.to_request(policy.catalogue());
        let (Some(caller), Some(asked)) = (record.caller.as_deref(), asked) else {
            return print_undecided(record, as_json, out);
        };
        let request = ExplainRequest {
            caller,
            tenant: self.tenant.as_deref().or(record.tenant.as_deref()),
            base_path_tenant: None,
            method: asked.method,
            path: &asked.path,
            query: asked.query.as_deref(),
        };
        print_explanation(
            &request,
            &policy.explain(&request),
            Some(record),
            as_json,
            out,
        )
    }
}

/// Where recorded requests are looked up.
struct LogPlace<'a> {
    directory: &'a Path,
    /// What the running proxy says of its audit log; none if there is none.
    running: &'a dyn Fn() -> Option<AuditStatus>,
}

impl LogPlace<'_> {
    fn outage(&self) -> Option<AuditStatus> {
        (self.running)().filter(absence::is_outage)
    }
}

/// Whether a request came so short a time ago that its line may still be on its way.
fn is_recent(id: RequestId) -> bool {
    Timestamp::now().unix_millis().abs_diff(id.unix_ms()) < RECENT_MS_MAX
}

/// Looks again for a while for the outcome of a request that came just now: it is written after its last byte.
fn find_or_wait(directory: &Path, id: RequestId) -> io::Result<RecordSearch> {
    let gives_up = Moment::now().plus(Duration::from_millis(LINE_WAIT_MS_MAX));
    loop {
        let found = recorded_request::find(directory, id)?;
        let is_final = match &found {
            RecordSearch::Found(record) => record.is_outcome(),
            RecordSearch::LimitReached => true,
            // Strangers were counted at that time; a caller's own line may still be on its way.
            RecordSearch::Counted(_) | RecordSearch::NotFound => false,
        };
        if is_final || !is_recent(id) || Moment::now() >= gives_up {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(LOOK_AGAIN_MS));
    }
}

fn parse_method(text: &str) -> Result<Method, String> {
    Method::parse(&text.to_ascii_uppercase()).ok_or_else(|| {
        format!("\"{text}\" is not a method: methods are GET, HEAD, POST, PUT, PATCH and DELETE")
    })
}

fn print_explanation(
    request: &ExplainRequest<'_>,
    explanation: &Explanation,
    then: Option<&RecordedRequest>,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let was_refused = then.is_some_and(RecordedRequest::was_refused);
    if as_json {
        writeln!(out, "{}", to_json(request, explanation, then))?;
    } else {
        if let Some(record) = then {
            writeln!(out, "{}\n", text::record_text(record))?;
            writeln!(out, "By the rules now in force:\n")?;
        }
        write!(
            out,
            "{}",
            text::explanation_text(request, explanation, then)
        )?;
    }
    Ok(match explanation.conclusion {
        _ if was_refused => ExitStatus::Refused,
        Conclusion::Allowed { .. } => ExitStatus::Done,
        Conclusion::NoSuchCaller => ExitStatus::Failed,
        _ => ExitStatus::Refused,
    })
}

/// Prints a recorded request that no policy was asked of: it ended before, or the proxy itself answers such requests.
fn print_undecided(
    record: &RecordedRequest,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<ExitStatus> {
    if as_json {
        let verdict = Verdict::of(record);
        let object = json!({
            "schema": "explain/1",
            "decision": record.decision,
            "verdict": verdict.sentence,
            "do": verdict.remedy,
            "then": record.to_json(),
            "steps": [],
        });
        writeln!(out, "{object}")?;
    } else {
        writeln!(out, "{}", text::record_text(record))?;
    }
    let was_answered = OwnEndpoint::of(record).is_some() && !record.was_refused();
    Ok(if was_answered {
        ExitStatus::Done
    } else {
        ExitStatus::Refused
    })
}

fn to_json(
    request: &ExplainRequest<'_>,
    explanation: &Explanation,
    then: Option<&RecordedRequest>,
) -> Value {
    let conclusion = &explanation.conclusion;
    let rule = match conclusion {
        Conclusion::Allowed { rule, .. } | Conclusion::Denied { rule, .. } => {
            json!({ "effect": rule.effect.as_str(), "selector": rule.selector.to_string(),
                    "owner": &*rule.owner, "place": &*rule.location })
        }
        _ => Value::Null,
    };
    let find =
        |pick: fn(&ExplanationStep) -> Option<String>| explanation.steps.iter().find_map(pick);
    let origin = TenantOrigin::of(request, then);
    let steps = explanation.steps.iter();
    let steps: Vec<Value> = steps.map(|it| text::step_json(it, origin)).collect();
    let changes: Vec<String> = explanation.changes.iter().map(text::change_text).collect();
    let verdict = then.map(Verdict::of);
    let refused = then.filter(|it| it.was_refused());
    let decision = refused.and_then(RecordedRequest::result);
    json!({
        "schema": "explain/1",
        "caller": request.caller,
        "method": request.method.as_str(),
        "path": request.path,
        "tenant": find(|step| match step {
            ExplanationStep::Tenant { tenant, .. } => Some(tenant.name.to_string()),
            _ => None,
        }),
        "operation": find(|step| match step {
            ExplanationStep::Operation { operation, .. } => Some(operation.id.to_string()),
            _ => None,
        }),
        "class": conclusion.class().map(RiskClass::as_str),
        // What happened to it, where it was refused; otherwise what would happen now.
        "decision": decision.unwrap_or(conclusion.code()),
        "now": conclusion.code(),
        "verdict": verdict.as_ref().map(|it| &it.sentence),
        "do": verdict.as_ref().and_then(|it| it.remedy.as_ref()),
        "rule": rule,
        "identity": find(|step| match step {
            ExplanationStep::Identity { choice, .. } => Some(choice.identity.to_string()),
            _ => None,
        }),
        "steps": steps,
        "changes": changes,
        "then": then.map(RecordedRequest::to_json),
    })
}
