//! Finds one request in the audit log and rebuilds it, so that it can be evaluated again.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    audit::{hashed_line::LINE_BYTES_MAX, log_file},
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

/// Most bytes of the log that are searched, newest files first.
pub const SEARCHED_BYTES_MAX: u64 = 1 << 30;

pub enum RecordSearch {
    Found(Box<RecordedRequest>),
    /// It has no line; this one counts those that were refused at its time.
    Counted(Box<RefusedLine>),
    NotFound,
    /// Not found within [`SEARCHED_BYTES_MAX`].
    LimitReached,
}

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

/// Finds the outcome of request `id`, or otherwise its intent, or the line that counts it.
///
/// # Errors
/// The directory or a file in it cannot be read.
pub(super) fn find(directory: &Path, id: RequestId) -> io::Result<RecordSearch> {
    let mut left = SEARCHED_BYTES_MAX;
    let mut found = FoundLines::default();
    for file in log_file::list_log_files(directory)?.iter().rev() {
        let read = found.read(&file.path, id, left)?;
        // An outcome would be in the file of its intent, or in a newer one.
        if found.own.is_some() {
            break;
        }
        left = left.saturating_sub(read);
        if left == 0 {
            return Ok(found.into_result(RecordSearch::LimitReached));
        }
    }
    Ok(found.into_result(RecordSearch::NotFound))
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

/// What the files that were read so far have.
#[derive(Default)]
struct FoundLines {
    /// The newest line of the request itself.
    own: Option<Box<RecordedRequest>>,
    counted: Option<Box<RefusedLine>>,
}

impl FoundLines {
    /// Reads a file that is older than those before it. Gives how many bytes were read.
    fn read(&mut self, path: &Path, id: RequestId, bytes_max: u64) -> io::Result<u64> {
        let came_at = came_at(id).to_string();
        let mut reader = BufReader::new(log_file::open_for_reading(path)?.take(bytes_max));
        let mut line = Vec::new();
        let mut own = None;
        while next_line(&mut reader, &mut line)? {
            let Ok(text) = std::str::from_utf8(&line) else {
                continue;
            };
            if text.contains(id.as_str()) {
                own = parse_if_about(text, id).or(own);
            } else if text.contains(REFUSED_TYPE)
                && let Ok(counted) = serde_json::from_str::<RefusedLine>(text)
                && counted.kind == "refused"
                && counted.covers(&came_at)
            {
                self.counted = Some(Box::new(counted));
            }
        }
        self.own = self.own.take().or(own);
        Ok(bytes_max - reader.get_ref().limit())
    }

    fn into_result(self, otherwise: RecordSearch) -> RecordSearch {
        match (self.own, self.counted) {
            (Some(own), _) => RecordSearch::Found(own),
            (None, Some(counted)) => RecordSearch::Counted(counted),
            (None, None) => otherwise,
        }
    }
}

/// Reads the next line into `line`, truncated to [`LINE_BYTES_MAX`]; false at the end.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(buffer.len(), |index| index + 1);
        let room = LINE_BYTES_MAX.saturating_sub(line.len());
        line.extend(buffer.iter().take(taken.min(room)));
        reader.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn parse_if_about(text: &str, id: RequestId) -> Option<Box<RecordedRequest>> {
    let record = RecordedRequest::parse(text)?;
    let same = record.request.as_deref() == Some(id.as_str());
    same.then(|| Box::new(record))
}
