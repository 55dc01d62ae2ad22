//! A request as the audit log has it, rebuilt so that it can be evaluated again.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    clock::Timestamp,
    names::RequestId,
    net::Method,
    ninjaone::{
        catalogue::Catalogue,
        operation::{Operation, RiskClass},
    },
};

use super::target::parse_target;

/// Every line of the type has it; spares parsing the others.
const REFUSED_TYPE: &str = "\"refused\"";

/// The fields that are used of a request's audit line.
#[derive(Debug, Deserialize)]
pub struct RecordedRequest {
    #[serde(rename = "type")]
    kind: String,
    request: Option<String>,
    pub(super) at: Option<String>,
    pub(super) caller: Option<String>,
    pub(super) tenant: Option<String>,
    /// The identity that carried it.
    pub(super) identity: Option<String>,
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    #[serde(default)]
    params: Map<String, Value>,
    operation: Option<String>,
    class: Option<String>,
    pub(super) decision: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) source: Option<String>,
    /// More about the refusal: `unknown-key`, `not-http`, …
    pub(super) error: Option<String>,
    /// The limit that it ran into.
    pub(super) bucket: Option<String>,
    /// How often it was sent to NinjaOne, whole or in part.
    #[serde(default)]
    pub(super) attempts: u32,
    /// The line itself, as it is in the file.
    #[serde(skip)]
    line: Box<str>,
}

/// A line that counts refused strangers instead of naming each.
#[derive(Debug, Deserialize)]
pub struct RefusedLine {
    #[serde(rename = "type")]
    kind: String,
    pub(super) seq: Option<u64>,
    pub(super) count: u64,
    #[serde(default)]
    pub(super) reasons: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) peers: Vec<String>,
    /// RFC 3339 in UTC, like `last`.
    pub(super) first: String,
    pub(super) last: String,
}

impl RefusedLine {
    /// Whether it counts a request that came at `at`, to the millisecond: an id has no more.
    fn covers(&self, at: &str) -> bool {
        to_the_millisecond(&self.first) <= to_the_millisecond(at)
            && to_the_millisecond(at) <= to_the_millisecond(&self.last)
    }
}

/// `2026-11-17T14:02:11.123` of an RFC 3339 time in UTC, whatever the number of its decimals.
fn to_the_millisecond(at: &str) -> String {
    let at = at.trim_end_matches('Z');
    let (whole, decimals) = at.split_once('.').unwrap_or((at, ""));
    let decimals: String = decimals.chars().chain("000".chars()).take(3).collect();
    format!("{whole}.{decimals}")
}

/// A recorded request in a form that can be evaluated again.
pub(super) struct ReplayedRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
}

impl RecordedRequest {
    /// Of a line of the audit log; none if that is of no request.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let record: Self = serde_json::from_str(line).ok()?;
        let is_of_a_request = matches!(&*record.kind, "intent" | "outcome");
        is_of_a_request.then(|| Self {
            line: line.trim_end().into(),
            ..record
        })
    }

    /// The line that it was read from.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The log does not have the query, so a read of class `secrets` gets the parameter that makes it one.
    pub(super) fn to_request(&self, catalogue: &Catalogue) -> Option<ReplayedRequest> {
        let method = Method::parse(self.method.as_deref()?)?;
        let operation = self.operation.as_deref().and_then(|id| catalogue.by_id(id));
        let Some(operation) = operation else {
            let received = self.path.as_deref()?;
            let path = parse_target(received).map_or_else(
                |_| received.to_owned(),
                |target| target.canonical_path().to_owned(),
            );
            return Some(ReplayedRequest {
                method,
                path,
                query: None,
            });
        };
        let raised = operation.class == RiskClass::Read
            && self.class.as_deref() == Some(RiskClass::Secrets.as_str());
        let flag = operation.secrets_parameter.as_deref().filter(|_| raised);
        Some(ReplayedRequest {
            method,
            path: self.fill_template(operation),
            query: flag.map(|name| format!("{name}=true")),
        })
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "request": self.request,
            "at": self.at,
            "decision": self.decision,
            "policy": self.policy,
            "identity": self.identity,
            "status": self.status,
            "error": self.error,
            "bucket": self.bucket,
        })
    }

    /// The template with the recorded values. An unrecorded value becomes one that fits any parameter.
    fn fill_template(&self, operation: &Operation) -> String {
        let segments = operation.template.split('/').map(|segment| {
            let name = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            match name.map(|name| self.params.get(name)) {
                None => segment,
                Some(Some(Value::String(value))) => value,
                Some(_) => "1",
            }
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

/// When a request came, as its id tells.
pub(super) fn came_at(id: RequestId) -> Timestamp {
    let micros = id.unix_ms().saturating_mul(1000);
    Timestamp::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

impl RecordedRequest {
    /// What came of it: `allowed`, or the code of what it got instead of NinjaOne's answer. None if its end is not on record.
    pub(super) fn result(&self) -> Option<&str> {
        let decision = self.decision.as_deref()?;
        // One that was sent counts as allowed, whatever came of it.
        let is_ours = decision == "allowed" && self.source.as_deref() == Some("proxy");
        let error = self.error.as_deref().filter(|_| is_ours);
        Some(error.map_or(decision, code_of_body_error))
    }

    /// Whether it is of a request that no operation was found for, or sought.
    pub(super) fn has_no_operation(&self) -> bool {
        self.operation.is_none()
    }

    /// Whether it got something else than NinjaOne's answer.
    pub(super) fn was_refused(&self) -> bool {
        self.result().is_some_and(|it| it != "allowed")
    }

    /// Whether its end is on record.
    pub(super) fn is_outcome(&self) -> bool {
        self.kind == "outcome"
    }
}

/// The code that the caller got, where the line has a more exact word for what was wrong with the body.
fn code_of_body_error(word: &str) -> &str {
    match word {
        "body-stalled" | "body-slow" | "body-overdue" | "body-malformed" => "bad-request",
        "body-broken" => "caller-gone",
        "body-too-large" => "too-large",
        other => other,
    }
}

fn parse_if_about(text: &str, id: RequestId) -> Option<Box<RecordedRequest>> {
    let record = RecordedRequest::parse(text)?;
    let same = record.request.as_deref() == Some(id.as_str());
    same.then(|| Box::new(record))
}

/// Where a line is about request `id`: its own, or one that counts strangers of its time.
pub(super) enum LineAbout {
    Request(Box<RecordedRequest>),
    Strangers(Box<RefusedLine>),
}

impl LineAbout {
    /// `came_at` is when the request came, as in the log.
    pub(super) fn parse(line: &[u8], id: RequestId, came_at: &str) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        if text.contains(id.as_str()) {
            return parse_if_about(text, id).map(Self::Request);
        }
        if !text.contains(REFUSED_TYPE) {
            return None;
        }
        let counted: RefusedLine = serde_json::from_str(text).ok()?;
        let is_about = counted.kind == "refused" && counted.covers(came_at);
        is_about.then(|| Self::Strangers(Box::new(counted)))
    }
}
