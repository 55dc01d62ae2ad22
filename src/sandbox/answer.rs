//! What an operation has to say, before it is given the form that its description declares.

use serde_json::Value;

use super::{
    response::SandboxResponse,
    world::{Collection, RecordTooLargeError},
};

/// The answer of an operation that succeeded.
pub(super) enum Answer {
    /// Completed to the declared type, and sent with the declared status.
    Value(Value),
    /// Only the declared status.
    Done,
    /// One page of it, by a cursor.
    Report(Report),
    /// A file or a redirect: sent as it is.
    Response(SandboxResponse),
}

/// The rows of a report, each made when it is sent.
pub(super) struct Report {
    pub(super) total: usize,
    pub(super) row: Box<dyn Fn(usize) -> Value + Send>,
}

/// An answer, or the refusal of the request.
pub(super) type Answered = Result<Answer, SandboxResponse>;

impl Answer {
    pub(super) fn list(values: impl IntoIterator<Item = impl Into<Value>>) -> Self {
        Self::Value(Value::Array(values.into_iter().map(Into::into).collect()))
    }

    pub(super) fn report(rows: Vec<Value>) -> Self {
        Self::Report(Report {
            total: rows.len(),
            row: Box::new(move |index| rows.get(index).cloned().unwrap_or_default()),
        })
    }
}

/// 404 in NinjaOne's form.
pub(super) fn no_such(of: Collection) -> SandboxResponse {
    SandboxResponse::not_found(&format!("There is no such {}", of.noun()))
}

/// 400 in NinjaOne's form.
pub(super) fn bad_request(message: &str) -> SandboxResponse {
    SandboxResponse::application_error(http::StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
}

/// 400: the body of a request names something that does not exist.
pub(super) fn unknown_in_body(of: Collection) -> SandboxResponse {
    bad_request(&format!("There is no such {}", of.noun()))
}

impl From<RecordTooLargeError> for SandboxResponse {
    fn from(error: RecordTooLargeError) -> Self {
        let status = http::StatusCode::PAYLOAD_TOO_LARGE;
        SandboxResponse::application_error(status, "TOO_LARGE", &error.to_string())
    }
}
