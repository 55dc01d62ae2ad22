//! Finds one request in the audit log and rebuilds it, so that it can be evaluated again.

use std::{
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    audit::{hashed_line::LINE_BYTES_MAX, log_file},
    names::RequestId,
    net::Method,
    ninjaone::{
        catalogue::Catalogue,
        operation::{Operation, RiskClass},
    },
};

use super::target::parse_target;

/// Most bytes of the log that are searched, newest files first.
pub(super) const SEARCHED_BYTES_MAX: u64 = 1 << 30;

pub(super) enum RecordSearch {
    Found(Box<RecordedRequest>),
    NotFound,
    /// Not found within [`SEARCHED_BYTES_MAX`].
    LimitReached,
}

/// The fields that are used of a request's audit line.
#[derive(Debug, Deserialize)]
pub(super) struct RecordedRequest {
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
}

/// A recorded request in a form that can be evaluated again.
pub(super) struct ReplayedRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
}

impl RecordedRequest {
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

/// Finds the outcome of request `id`, or otherwise its intent.
///
/// # Errors
/// The directory or a file in it cannot be read.
pub(super) fn find(directory: &Path, id: RequestId) -> io::Result<RecordSearch> {
    let mut left = SEARCHED_BYTES_MAX;
    let mut intent = None;
    for file in log_file::list_log_files(directory)?.iter().rev() {
        let (found, read) = find_in(&file.path, id, left)?;
        match found {
            Some(record) if record.kind == "outcome" => return Ok(RecordSearch::Found(record)),
            Some(record) => intent = Some(record),
            // The outcome would be in this file or in a newer one.
            None if intent.is_some() => break,
            None => {}
        }
        left = left.saturating_sub(read);
        if left == 0 {
            return Ok(intent.map_or(RecordSearch::LimitReached, RecordSearch::Found));
        }
    }
    Ok(intent.map_or(RecordSearch::NotFound, RecordSearch::Found))
}

/// The request's last line in a file, and how many bytes were read.
fn find_in(
    path: &Path,
    id: RequestId,
    bytes_max: u64,
) -> io::Result<(Option<Box<RecordedRequest>>, u64)> {
    let mut reader = BufReader::new(log_file::open_for_reading(path)?.take(bytes_max));
    let mut line = Vec::new();
    let mut found = None;
    while next_line(&mut reader, &mut line)? {
        if let Some(record) = parse_if_about(&line, id) {
            found = Some(record);
        }
    }
    let read = bytes_max - reader.get_ref().limit();
    Ok((found, read))
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

fn parse_if_about(line: &[u8], id: RequestId) -> Option<Box<RecordedRequest>> {
    let text = std::str::from_utf8(line).ok()?;
    if !text.contains(id.as_str()) {
        return None;
    }
    let record: RecordedRequest = serde_json::from_str(text).ok()?;
    let is_of_a_request = matches!(&*record.kind, "intent" | "outcome");
    let same = record.request.as_deref() == Some(id.as_str());
    (same && is_of_a_request).then(|| Box::new(record))
}
