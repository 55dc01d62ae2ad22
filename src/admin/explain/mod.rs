//! `explain`: why a request would be allowed or refused, what happened to one that was sent, and what would have to change.
//! The command and the running proxy answer by the same functions.

mod absence;
pub mod answer;
mod document;
pub mod endpoint;
pub mod log_search;
mod obstacle;
mod own_endpoint;
pub mod recorded_request;
pub mod rules;
mod target;
mod text;
mod verdict;

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::{
    clock::{Moment, Timestamp},
    names::RequestId,
    net::{Method, request::target::Target},
    policy::explain::{Conclusion, ExplainRequest},
};

use super::{plain_text::escape_control, status_snapshot::AuditStatus};

use self::{
    answer::{ExplainAnswer, ExplainError, ExplainOutcome},
    log_search::{LogSearch, RecordSearch},
    obstacle::Obstacle,
    own_endpoint::OwnEndpoint,
    recorded_request::RecordedRequest,
    rules::ExplainRules,
    target::parse_target,
};

/// How long the line of a request that came just now is waited for, and how often it is looked for, in milliseconds.
const LINE_WAIT_MS_MAX: u64 = 2_000;
const LOOK_AGAIN_MS: u64 = 50;

/// A request that came longer ago has its line or gets none, in milliseconds.
const RECENT_MS_MAX: u64 = 120_000;

/// A request that is only imagined.
pub struct ImaginedRequest {
    caller: String,
    tenant: Option<String>,
    method: Method,
    target: Target,
}

impl ImaginedRequest {
    /// `tenant` is what `NJP-Tenant` would say.
    ///
    /// # Errors
    /// There is no such method, or the target would be refused whoever sent it.
    pub fn parse(
        caller: &str,
        method: &str,
        target: &str,
        tenant: Option<&str>,
    ) -> Result<Self, ExplainError> {
        let wrong = |text| ExplainError::new(ExplainOutcome::WrongUsage, text);
        let parsed = Method::parse(&method.to_ascii_uppercase()).ok_or_else(|| {
            wrong(format!(
                "\"{}\" is not a method: methods are GET, HEAD, POST, PUT, PATCH and DELETE",
                escape_control(method)
            ))
        })?;
        let target = parse_target(target).map_err(|problem| {
            let target = escape_control(target);
            wrong(format!("the target {target} is refused: {problem}"))
        })?;
        Ok(Self {
            caller: caller.to_owned(),
            tenant: tenant.map(str::to_owned),
            method: parsed,
            target,
        })
    }

    /// Explains it by `rules`.
    #[must_use]
    pub fn explain(&self, rules: ExplainRules<'_>) -> ExplainAnswer {
        let path = self.target.canonical_path();
        let is_known = rules.policy.callers().any(|it| it == self.caller);
        if is_known && let Some(endpoint) = OwnEndpoint::at(self.method.as_str(), path) {
            return own_endpoint::answer(&self.caller, self.method, path, endpoint);
        }
        let request = ExplainRequest {
            caller: &self.caller,
            tenant: self.tenant.as_deref(),
            base_path_tenant: self.target.tenant(),
            method: self.method,
            path,
            query: self.target.query(),
        };
        explain_by_policy(&request, None, rules)
    }
}

/// Where recorded requests are looked up.
pub struct LogPlace<'a> {
    pub directory: &'a Path,
    /// What the running proxy says of its audit log; none if there is none.
    pub running: &'a dyn Fn() -> Option<AuditStatus>,
}

impl LogPlace<'_> {
    fn outage(&self) -> Option<AuditStatus> {
        (self.running)().filter(absence::is_outage)
    }

    /// Looks the request up. Blocks on the disk, and waits for the line of a request that came just now.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn find(&self, id: RequestId) -> io::Result<RecordSearch> {
        self.find_unless(id, &AtomicBool::new(false))
    }

    /// The same, unless it `is_given_up` meanwhile.
    ///
    /// # Errors
    /// The log cannot be read; it is given up, which is of kind `Interrupted`.
    pub fn find_unless(&self, id: RequestId, is_given_up: &AtomicBool) -> io::Result<RecordSearch> {
        let gives_up = Moment::now().plus(Duration::from_millis(LINE_WAIT_MS_MAX));
        let mut search = LogSearch::new(self.directory, id, is_given_up);
        search.look()?;
        while !search.is_final() && is_recent(id) && Moment::now() < gives_up {
            if is_given_up.load(Ordering::Relaxed) {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "given up"));
            }
            std::thread::sleep(Duration::from_millis(LOOK_AGAIN_MS));
            search.look_again()?;
        }
        Ok(search.into_result())
    }

    /// Explains what was found of the request. `tenant` is the one to explain it for, where it has none.
    ///
    /// # Errors
    /// Nothing can be said of it.
    pub fn explain(
        &self,
        id: RequestId,
        found: io::Result<RecordSearch>,
        tenant: Option<&str>,
        rules: ExplainRules<'_>,
    ) -> Result<ExplainAnswer, ExplainError> {
        let directory = self.directory.display();
        let not_found = |text| Err(ExplainError::new(ExplainOutcome::NotFound, text));
        match found {
            // Somebody may have deleted it while the proxy runs.
            Err(problem) => match self.outage() {
                Some(audit) => Ok(absence::outage(id, &audit)),
                None => not_found(format!("{directory} cannot be read: {problem}")),
            },
            Ok(RecordSearch::Found(record)) => Ok(explain_record(&record, tenant, rules)),
            Ok(RecordSearch::Counted(line)) => Ok(absence::counted(id, &line)),
            Ok(RecordSearch::NotFound) => match self.outage() {
                Some(audit) => Ok(absence::outage(id, &audit)),
                None if is_recent(id) => Err(ExplainError::new(
                    ExplainOutcome::TryAgainLater,
                    format!(
                        "request {id} is not in {directory} yet: it came just now, and its line is written at its end. Ask again."
                    ),
                )),
                None => not_found(format!("request {id} is not in {directory}")),
            },
            Ok(RecordSearch::LimitReached) => not_found(format!(
                "request {id} is not in the newest {} MiB of {directory}; look further with: grep -r {id} {directory}",
                log_search::SEARCHED_BYTES_MAX >> 20,
            )),
        }
    }
}

/// Explains a recorded request: what happened to it, and what the rules say of it now. `tenant` is the one to explain it for,
/// where it has none.
#[must_use]
pub fn explain_record(
    record: &RecordedRequest,
    tenant: Option<&str>,
    rules: ExplainRules<'_>,
) -> ExplainAnswer {
    if OwnEndpoint::of(record).is_some() {
        return undecided(record, rules);
    }
    let asked = record.to_request(rules.policy.catalogue());
    let (Some(caller), Some(asked)) = (record.caller.as_deref(), asked) else {
        return undecided(record, rules);
    };
    let request = ExplainRequest {
        caller,
        tenant: tenant.or(record.tenant.as_deref()),
        base_path_tenant: None,
        method: asked.method,
        path: &asked.path,
        query: asked.query.as_deref(),
    };
    explain_by_policy(&request, Some(record), rules)
}

fn explain_by_policy(
    request: &ExplainRequest<'_>,
    then: Option<&RecordedRequest>,
    rules: ExplainRules<'_>,
) -> ExplainAnswer {
    let explanation = rules.policy.explain(request);
    let obstacle = Obstacle::of(request, &explanation, rules);
    let mut text = String::new();
    if let Some(record) = then {
        text.push_str(&text::record_text(record, rules));
        text.push_str("\n\nBy the rules now in force:\n\n");
    }
    let obstacle = obstacle.as_ref();
    let explained = text::explanation_text(request, &explanation, obstacle, then, rules);
    text.push_str(&explained);
    let outcome = match (refusal_outcome(then), obstacle, &explanation.conclusion) {
        (Some(refused), ..) => refused,
        (None, Some(obstacle), _) => obstacle.outcome(),
        (None, None, Conclusion::Allowed { .. }) => ExplainOutcome::Allowed,
        (None, None, Conclusion::NoSuchCaller) => ExplainOutcome::NotFound,
        (None, None, _) => ExplainOutcome::Refused,
    };
    ExplainAnswer {
        outcome,
        document: document::explanation_document(request, &explanation, obstacle, then, rules),
        text,
    }
}

/// None of a request that was not refused.
fn refusal_outcome(record: Option<&RecordedRequest>) -> Option<ExplainOutcome> {
    let record = record.filter(|it| it.was_refused())?;
    record.result().map(ExplainOutcome::of_refusal)
}

/// A recorded request that no policy was asked of: it ended before, or the proxy itself answers such requests.
fn undecided(record: &RecordedRequest, rules: ExplainRules<'_>) -> ExplainAnswer {
    let was_answered = OwnEndpoint::of(record).is_some() && !record.was_refused();
    let outcome = if was_answered {
        ExplainOutcome::Allowed
    } else {
        refusal_outcome(Some(record)).unwrap_or(ExplainOutcome::Refused)
    };
    ExplainAnswer {
        outcome,
        document: document::record_document(record, rules),
        text: text::record_text(record, rules) + "\n",
    }
}

/// Whether a request came so short a time ago that its line may still be on its way.
fn is_recent(id: RequestId) -> bool {
    Timestamp::now().unix_millis().abs_diff(id.unix_ms()) < RECENT_MS_MAX
}
