//! One line about a request, a token or a login, as it happens: for the log of the program itself and the sandbox's window.
//! The audit log is the record; this is what somebody sees who watches.

use std::{borrow::Cow, time::Duration};

use crate::{
    audit::entry::{AuditEntry, AuditEvent, OutcomeDetails, RequestFacts},
    clock::Timestamp,
    names::{CallerName, RequestId},
    net::Method,
};

/// More of what a caller was told is cut.
const DETAIL_CHARS_MAX: usize = 300;

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RequestResult {
    Served,
    /// No byte of it went to NinjaOne.
    Refused,
    /// It was allowed, and something went wrong.
    Failed,
}

impl RequestResult {
    pub(crate) fn of(details: &OutcomeDetails) -> Self {
        if details.decision.is_refused() {
            Self::Refused
        } else if details.error.is_some() || details.status >= 500 {
            Self::Failed
        } else {
            Self::Served
        }
    }
}

/// A request that has ended.
pub(crate) struct RequestLine<'e> {
    pub at: Timestamp,
    pub request: RequestId,
    pub caller: Option<&'e str>,
    /// The operation's id; the method and path where no operation has them.
    pub operation: Cow<'e, str>,
    /// `allowed`, or the code of the refusal.
    pub decision: &'static str,
    pub result: RequestResult,
    /// What the caller was sent; 499 if it had gone.
    pub status: u16,
    pub duration: Duration,
    /// Why it was refused or failed.
    pub detail: Option<String>,
}

/// Anything else that somebody who watches wants to know.
pub(crate) struct EventLine {
    pub at: Timestamp,
    /// `token`, `login`, `config`, `caller`, `refused` or `gap`.
    pub kind: &'static str,
    /// Whose: a tenant and an identity, or a caller.
    pub subject: String,
    pub text: String,
    pub is_good: bool,
}

/// What an entry of the audit log looks like to somebody who watches.
pub(crate) enum LiveLine<'e> {
    Request(RequestLine<'e>),
    Event(EventLine),
}

impl<'e> LiveLine<'e> {
    /// None of an intent, whose outcome follows, and of what only concerns the audit log's files.
    #[must_use]
    pub(crate) fn of(entry: &'e AuditEntry) -> Option<Self> {
        match entry {
            AuditEntry::Intent { .. } => None,
            AuditEntry::Outcome { at, facts, details } => {
                Some(Self::Request(RequestLine::new(*at, facts, details)))
            }
            AuditEntry::Event { at, event } => EventLine::new(*at, event).map(Self::Event),
        }
    }
}

impl<'e> RequestLine<'e> {
    fn new(at: Timestamp, facts: &'e RequestFacts, details: &'e OutcomeDetails) -> Self {
        let detail = match (&details.detail, details.error) {
            (Some(detail), _) => Some(printable(detail)),
            (None, Some(error)) => Some(error.to_owned()),
            (None, None) => None,
        };
        Self {
            at,
            request: facts.request_id,
            caller: facts.caller.as_ref().map(CallerName::as_str),
            operation: operation(facts),
            decision: details.decision.as_str(),
            result: RequestResult::of(details),
            status: details.status,
            duration: Duration::from_micros(details.duration_us),
            detail,
        }
    }
}

/// Its operation's id, or the method and path as far as they are known.
fn operation(facts: &RequestFacts) -> Cow<'_, str> {
    if let Some(operation) = facts.operation.as_deref() {
        return Cow::Borrowed(&operation.id);
    }
    let method = facts.method.map_or("-", Method::as_str);
    let path = facts.raw_path.as_deref().unwrap_or("-");
    Cow::Owned(printable(&format!("{method} {path}")))
}

impl EventLine {
    fn new(at: Timestamp, event: &AuditEvent) -> Option<Self> {
        let (subject, text, is_good) = match event {
            AuditEvent::Start { .. } | AuditEvent::Stop { .. } | AuditEvent::Rotate { .. } => {
                return None;
            }
            AuditEvent::Config {
                generation, result, ..
            } => (
                "configuration".to_owned(),
                format!("{result}, generation {generation}"),
                *result != "refused",
            ),
            AuditEvent::Token {
                tenant,
                identity,
                result,
                error,
                ..
            } => {
                let text = match error {
                    Some(error) => format!("{result}: {error}"),
                    None => (*result).to_owned(),
                };
                (format!("{tenant} {identity}"), text, error.is_none())
            }
            AuditEvent::Login {
                tenant,
                identity,
                result,
                by,
            } => (
                format!("{tenant} {identity}"),
                match by {
                    Some(by) => format!("{result} by {by}"),
                    None => (*result).to_owned(),
                },
                !result.ends_with("failed"),
            ),
            AuditEvent::Caller { caller, change } => {
                (caller.to_string(), (*change).to_owned(), true)
            }
            AuditEvent::Refused(tally) => (
                "-".to_owned(),
                format!(
                    "{} more requests of unknown callers were refused",
                    tally.count
                ),
                false,
            ),
            AuditEvent::Gap { lost, reason } => (
                "-".to_owned(),
                format!("{lost} lines lost: {reason}"),
                false,
            ),
        };
        Some(Self {
            at,
            kind: event.kind(),
            subject: printable(&subject),
            text: printable(&text),
            is_good,
        })
    }
}

/// Callers choose part of these texts: no control character reaches a terminal, and no line is endless.
fn printable(text: &str) -> String {
    let shown = text.chars().take(DETAIL_CHARS_MAX);
    shown
        .map(|it| if it.is_control() { '\u{fffd}' } else { it })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_sends_neither_moves_the_cursor_nor_fills_the_window() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(printable(&"x".repeat(5000)).len(), DETAIL_CHARS_MAX);
    }
}
