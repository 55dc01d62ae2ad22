//! What can be said of a request that has no line of its own in the audit log.

use std::fmt::Write;

use serde_json::json;

use crate::{
    admin::{
        plain_text::single_line,
        status_snapshot::{AuditState, AuditStatus},
    },
    names::RequestId,
    typed_command::typed,
};

use super::{
    answer::{ExplainAnswer, ExplainOutcome, SCHEMA},
    recorded_request::{RefusedLine, came_at},
};

/// The request is one of those that one line counts.
pub(super) fn counted(id: RequestId, line: &RefusedLine) -> ExplainAnswer {
    let reasons: Vec<String> = line
        .reasons
        .iter()
        .map(|(reason, count)| format!("{} {count}", single_line(reason)))
        .collect();
    let mut codes = line.reasons.keys();
    // With several reasons nobody can tell which was this one's.
    let only = codes.next().filter(|_| codes.next().is_none());
    let document = json!({
        "schema": SCHEMA,
        "request": id.as_str(),
        "decision": only,
        "refused": {
            "seq": line.seq,
            "count": line.count,
            "reasons": line.reasons,
            "peers": line.peers,
            "first": line.first,
            "last": line.last,
        },
        "steps": [],
    });
    let seq = line
        .seq
        .map_or_else(String::new, |it| format!("line {it} of the log, "));
    let mut text = format!(
        "Request {id} came at {} and has no line of its own: so many requests of unknown callers were refused then that they were counted.\n\
         Unless it is a caller's request that is still under way, it is one of {} in {seq}from {} to {}: {}.\n",
        came_at(id),
        line.count,
        single_line(&line.first),
        single_line(&line.last),
        reasons.join(", ")
    );
    let peers: Vec<String> = line.peers.iter().map(|it| single_line(it)).collect();
    if !peers.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "They came from: {}", peers.join(", "));
    }
    ExplainAnswer {
        outcome: only.map_or(ExplainOutcome::Refused, |it| ExplainOutcome::of_refusal(it)),
        document,
        text,
    }
}

/// The log cannot be written now, so a line that is missing may still come.
pub(super) fn outage(id: RequestId, audit: &AuditStatus) -> ExplainAnswer {
    let why = audit
        .last_error
        .as_deref()
        .unwrap_or("its disk does not answer");
    let meanwhile = if audit.refuses_reads {
        "every request is refused"
    } else {
        "reads are served and everything else is refused"
    };
    let document = json!({
        "schema": SCHEMA,
        "request": id.as_str(),
        "decision": null,
        "audit": { "state": audit.state, "why": why, "queued": audit.queued, "lost": audit.lost },
        "steps": [],
    });
    let waiting = match audit.queued {
        1 => "1 line waits in memory".to_owned(),
        count => format!("{count} lines wait in memory"),
    };
    let lost = match audit.lost {
        1 => "1 was lost".to_owned(),
        count => format!("{count} were lost"),
    };
    let see = typed("ninjaone-proxy status");
    let text = format!(
        "Request {id} came at {}, and its line is not on disk: the audit log {} cannot be written ({}).\n\
         While that lasts, {meanwhile} with 503 audit-unavailable. {waiting}, {lost}. Ask again when the log can be written: see {see}.\n",
        came_at(id),
        single_line(&audit.path),
        single_line(why)
    );
    ExplainAnswer {
        outcome: ExplainOutcome::TryAgainLater,
        document,
        text,
    }
}

/// Whether the running proxy cannot write its log.
pub(super) fn is_outage(audit: &AuditStatus) -> bool {
    audit.state == AuditState::Failing
}
