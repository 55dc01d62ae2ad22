//! `explain`: why a request would be allowed or refused, and what would have to change.

mod recorded_request;
mod target;
mod text;

use std::{
    io::{self, Write},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    names::RequestId,
    net::{Method, request::target::Target},
    ninjaone::operation::RiskClass,
    policy::{
        explain::{Conclusion, ExplainRequest, Explanation, ExplanationStep},
        policy_set::PolicySet,
    },
};

use self::{
    recorded_request::{RecordSearch, RecordedRequest},
    target::parse_target,
};

use super::exit::ExitStatus;

/// Explain what the policies say about a request, without sending it.
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainArgs {
    /// A caller's name; or the id of a request that is in the audit log
    #[arg(value_name = "CALLER|REQUEST_ID")]
    pub subject: String,
    /// For a caller: method and path, as two arguments or one, such as "GET /v2/devices?pageSize=10"
    #[arg(value_name = "METHOD TARGET", num_args = 0..=2)]
    pub request: Vec<String>,
    /// The tenant, as `NJP-Tenant` would name it
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
}

/// What to explain.
enum ExplainSubject {
    Hypothetical { method: Method, target: Target },
    Recorded(RequestId),
}

impl ExplainArgs {
    /// Explains with the policies in `book`; a request id is looked up in `audit_directory`.
    ///
    /// Exit codes: 0 allowed, 5 refused, 1 no such caller or request, 2 wrong usage.
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
                self.explain_recorded(id, policy, audit_directory, as_json, out, err)
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
        policy: &PolicySet,
        audit_directory: &Path,
        as_json: bool,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<ExitStatus> {
        let record = match recorded_request::find(audit_directory, id) {
            Ok(RecordSearch::Found(record)) => *record,
            Ok(RecordSearch::NotFound) => {
                writeln!(
                    err,
                    "error: request {id} is not in {}",
                    audit_directory.display()
                )?;
                return Ok(ExitStatus::Failed);
            }
            Ok(RecordSearch::LimitReached) => {
                writeln!(
                    err,
                    "error: request {id} is not in the newest {} MiB of {directory}; look further with: grep -r {id} {directory}",
                    recorded_request::SEARCHED_BYTES_MAX >> 20,
                    directory = audit_directory.display()
                )?;
                return Ok(ExitStatus::Failed);
            }
            Err(problem) => {
                writeln!(
                    err,
                    "error: {} cannot be read: {problem}",
                    audit_directory.display()
                )?;
                return Ok(ExitStatus::Failed);
            }
        };
        let asked = record.to_request(policy.catalogue());
        let (Some(caller), Some(asked)) = (record.caller.as_deref(), asked) else {
            return print_undecided(&record, as_json, out);
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
            Some(&record),
            as_json,
            out,
        )
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
    if as_json {
        writeln!(out, "{}", to_json(request, explanation, then))?;
    } else {
        if let Some(record) = then {
            writeln!(out, "{}\n", text::record_text(record))?;
        }
        write!(out, "{}", text::explanation_text(request, explanation))?;
    }
    Ok(match explanation.conclusion {
        Conclusion::Allowed { .. } => ExitStatus::Done,
        Conclusion::NoSuchCaller => ExitStatus::Failed,
        _ => ExitStatus::Refused,
    })
}

/// Prints a recorded request that ended before any policy was evaluated.
fn print_undecided(
    record: &RecordedRequest,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<ExitStatus> {
    if as_json {
        let object = json!({ "schema": "explain/1", "then": record.to_json(), "steps": [] });
        writeln!(out, "{object}")?;
    } else {
        writeln!(out, "{}", text::record_text(record))?;
        writeln!(
            out,
            "It was not known who asked or for what, so no policy has a say in it."
        )?;
    }
    Ok(ExitStatus::Refused)
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
    let steps: Vec<Value> = explanation.steps.iter().map(text::step_json).collect();
    let changes: Vec<String> = explanation.changes.iter().map(text::change_text).collect();
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
        "decision": conclusion.code(),
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
