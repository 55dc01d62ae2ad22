//! `POST /explain`: the running proxy explains by the rules in force, and by its own audit log.

use std::{
    fmt::Write,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use arc_swap::ArcSwap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{names::RequestId, proxy::rules::Rules};

use super::{
    ImaginedRequest, LogPlace,
    answer::{ExplainAnswer, ExplainError, ExplainOutcome, SCHEMA},
    explain_record,
    recorded_request::RecordedRequest,
    rules::ExplainRules,
};
use crate::admin::{plain_text::escape_control, status_snapshot::AuditStatus};

/// Gives what the status says of the audit log.
pub type AuditStatusSource = Box<dyn Fn() -> AuditStatus + Send + Sync>;

/// Answers questions by the rules in force.
pub struct ExplainEndpoint {
    rules: Arc<ArcSwap<Rules>>,
    audit_directory: PathBuf,
    audit_status: AuditStatusSource,
}

/// What is asked: about a request that is imagined, one in the proxy's audit log, or one whose line the asker has read there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplainBody {
    caller: Option<String>,
    method: Option<String>,
    target: Option<String>,
    tenant: Option<String>,
    request: Option<String>,
    line: Option<String>,
}

/// Where the answer about a recorded request comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RecordSource {
    /// The proxy has read its own log.
    Proxy,
    /// The asker has read the log's files.
    Files,
}

impl ExplainEndpoint {
    /// `audit_directory` is where the log in use is.
    #[must_use]
    pub(crate) fn new(
        rules: Arc<ArcSwap<Rules>>,
        audit_directory: PathBuf,
        audit_status: AuditStatusSource,
    ) -> Self {
        Self {
            rules,
            audit_directory,
            audit_status,
        }
    }

    /// Where the log in use is.
    #[must_use]
    pub fn audit_directory(&self) -> &PathBuf {
        &self.audit_directory
    }

    /// `explain/1` with `text`, `exit`, and, of a recorded request, `source`. Blocks on the disk, but stops reading once it
    /// `is_given_up`: then nobody sees the answer.
    ///
    /// # Errors
    /// The body is no question; the text says what one is.
    pub fn answer(&self, body: &[u8], is_given_up: &AtomicBool) -> Result<Value, String> {
        let body: ExplainBody = serde_json::from_slice(body).map_err(|error| {
            format!(
                "the body is a JSON object, {{\"caller\":…,\"method\":…,\"target\":…,\"tenant\":…}} or {{\"request\":ID}}: {error}"
            )
        })?;
        let rules = self.rules.load_full();
        let by = ExplainRules {
            policy: &rules.policy,
            callers: Some(&rules.callers),
            limits: Some(&rules.limits),
            logins: Some(&rules.credentials),
        };
        let (source, answer) = self.explain(&body, by, is_given_up)?;
        let mut document = self.document(answer, source);
        if let Some(members) = document.as_object_mut() {
            let generation = rules.generation;
            members.insert(
                "rules".to_owned(),
                json!({ "from": "proxy", "generation": generation }),
            );
        }
        Ok(document)
    }

    fn explain(
        &self,
        body: &ExplainBody,
        rules: ExplainRules<'_>,
        is_given_up: &AtomicBool,
    ) -> Result<(Option<RecordSource>, Result<ExplainAnswer, ExplainError>), String> {
        let tenant = body.tenant.as_deref();
        let (caller, method, target) = (&body.caller, &body.method, &body.target);
        match (caller, method, target, &body.request, &body.line) {
            (Some(caller), Some(method), Some(target), None, None) => {
                let imagined = ImaginedRequest::parse(caller, method, target, tenant);
                Ok((None, imagined.map(|it| it.explain(rules))))
            }
            (None, None, None, Some(id), None) => {
                let answer = match id.parse() {
                    Ok(id) => self.explain_request(id, tenant, rules, is_given_up),
                    Err(problem) => {
                        let text = format!("\"{}\": {problem}", escape_control(id));
                        Err(ExplainError::new(ExplainOutcome::WrongUsage, text))
                    }
                };
                Ok((Some(RecordSource::Proxy), answer))
            }
            (None, None, None, None, Some(line)) => {
                let record = RecordedRequest::parse(line)
                    .ok_or_else(|| "`line` is no line of a request in an audit log".to_owned())?;
                let answer = explain_record(&record, tenant, rules);
                Ok((Some(RecordSource::Files), Ok(answer)))
            }
            _ => Err("give caller, method and target, or request, or line".to_owned()),
        }
    }

    fn explain_request(
        &self,
        id: RequestId,
        tenant: Option<&str>,
        rules: ExplainRules<'_>,
        is_given_up: &AtomicBool,
    ) -> Result<ExplainAnswer, ExplainError> {
        let running = || Some((self.audit_status)());
        let log = LogPlace {
            directory: &self.audit_directory,
            running: &running,
        };
        let found = log.find_unless(id, is_given_up);
        log.explain(id, found, tenant, rules)
    }

    fn document(
        &self,
        answer: Result<ExplainAnswer, ExplainError>,
        source: Option<RecordSource>,
    ) -> Value {
        let (mut document, mut text, outcome) = match answer {
            Ok(answer) => (answer.document, answer.text, answer.outcome),
            Err(error) => {
                let document = json!({ "schema": SCHEMA, "error": error.text });
                (document, String::new(), error.outcome)
            }
        };
        let is_answer = !text.is_empty();
        if is_answer && source == Some(RecordSource::Proxy) {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "\nThis is the running proxy's own word. The files of its audit log prove it: {}",
                self.audit_directory.display()
            );
        }
        if let Some(members) = document.as_object_mut() {
            match source {
                Some(RecordSource::Proxy) => members.insert("source".to_owned(), json!("proxy")),
                Some(RecordSource::Files) => members.insert("source".to_owned(), json!("files")),
                None => None,
            };
            if is_answer {
                members.insert("text".to_owned(), json!(text));
            }
            members.insert("exit".to_owned(), json!(outcome.exit_code()));
        }
        document
    }
}
