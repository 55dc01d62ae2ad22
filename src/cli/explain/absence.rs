//! What can be said of a request that has no line of its own in the audit log.

use std::io::{self, Write};

use serde_json::json;

use crate::{
    admin::status_snapshot::{AuditState, AuditStatus},
    cli::{exit::ExitStatus, status::single_line},
    names::RequestId,
};

use super::recorded_request::{RefusedLine, came_at};

/// The request is one of those that one line counts.
pub(super) fn print_counted(
    id: RequestId,
    line: &RefusedLine,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let reasons: Vec<String> = line
        .reasons
        .iter()
        .map(|(reason, count)| format!("{} {count}", single_line(reason)))
        .collect();
    let peers: Vec<String> = line.peers.iter().map(|it| single_line(it)).collect();
    if as_json {
        let object = json!({
            "schema": "explain/1",
            "request": id.as_str(),
            "decision": line.reasons.keys().next(),
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
        writeln!(out, "{object}")?;
        return Ok(ExitStatus::Refused);
    }
    writeln!(
        out,
        "Request {id} came at {} and has no line of its own. So many strangers were refused then that they were counted.",
        came_at(id)
    )?;
    let seq = line
        .seq
        .map_or_else(String::new, |it| format!("line {it} of the log, "));
    writeln!(
        out,
        "Unless it is a caller's request that is still under way, it is one of {} in {seq}from {} to {}: {}.",
        line.count,
        single_line(&line.first),
        single_line(&line.last),
        reasons.join(", ")
    )?;
    if !peers.is_empty() {
        writeln!(out, "They came from: {}", peers.join(", "))?;
    }
    Ok(ExitStatus::Refused)
}

/// The log cannot be written now, so a line that is missing may still come.
pub(super) fn print_outage(
    id: RequestId,
    audit: &AuditStatus,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let why = audit
        .last_error
        .as_deref()
        .unwrap_or("its disk does not answer");
    let meanwhile = if audit.refuses_reads {
        "every request is refused"
    } else {
        "reads are served and everything else is refused"
    };
    if as_json {
        let object = json!({
            "schema": "explain/1",
            "request": id.as_str(),
            "decision": null,
            "audit": { "state": audit.state, "why": why, "queued": audit.queued, "lost": audit.lost },
            "steps": [],
        });
        writeln!(out, "{object}")?;
        return Ok(ExitStatus::TryAgainLater);
    }
    writeln!(
        out,
        "Request {id} came at {}, and its line is not on disk: the audit log {} cannot be written ({}).",
        came_at(id),
        single_line(&audit.path),
        single_line(why)
    )?;
    writeln!(
        out,
        "While that lasts, {meanwhile} with 503 audit-unavailable. {} lines wait in memory, {} were lost. Ask again when the log can be written: see ninjaone-proxy status.",
        audit.queued, audit.lost
    )?;
    Ok(ExitStatus::TryAgainLater)
}

/// Whether the running proxy cannot write its log.
pub(super) fn is_outage(audit: &AuditStatus) -> bool {
    audit.state == AuditState::Failing
}
