//! What the verification of an audit log found, for programs and for people.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::audit::verify::{ChainBreak, LISTED_MAX, LogPosition, Remark, RemarkKind, VerifyReport};

/// Version of the shape of [`document`].
pub const SCHEMA: &str = "audit-verify/1";

/// Exit codes of `audit verify`: the log is whole, or it is broken.
const EXIT_WHOLE: u8 = 0;
const EXIT_BROKEN: u8 = 7;

/// Most breaks in the text; the document has up to a thousand.
const SHOWN_MAX: usize = 20;

/// The exit code of `audit verify`.
#[must_use]
pub fn exit_code(report: &VerifyReport) -> u8 {
    if report.is_intact() {
        EXIT_WHOLE
    } else {
        EXIT_BROKEN
    }
}

/// Whole lines, without colour.
#[must_use]
pub fn text(report: &VerifyReport) -> String {
    let verdict = if report.is_intact() {
        "whole"
    } else {
        "BROKEN"
    };
    let lines = counted(report.lines, "line");
    let files = counted(report.files, "file");
    let mut text = format!("The audit log is {verdict}: {lines} in {files}.\n");
    // Writing to a String cannot fail, here and below.
    if let (Some(first), Some(last)) = (&report.first_at, &report.last_at) {
        let _ = writeln!(text, "  from  {first}");
        let _ = writeln!(text, "  to    {last}");
    }
    let _ = writeln!(text, "  head  {}", report.head);
    add_breaks(report, &mut text);
    add_remarks(report, RemarkKind::IntentWithoutOutcome, &mut text);
    add_remarks(report, RemarkKind::OutcomeWithoutIntent, &mut text);
    text
}

/// `audit-verify/1`
#[must_use]
pub fn document(report: &VerifyReport) -> Value {
    json!({
        "schema": SCHEMA,
        "verdict": if report.is_intact() { "whole" } else { "broken" },
        "files": report.files,
        "lines": report.lines,
        "first_at": report.first_at,
        "last_at": report.last_at,
        "head": { "seq": report.head.seq, "hash": report.head.hash.to_string() },
        "breaks_total": report.breaks_total,
        "breaks": report.breaks.iter().map(break_json).collect::<Vec<_>>(),
        "remarks_total": report.remarks_total,
        "remarks": report.remarks.iter().map(remark_json).collect::<Vec<_>>(),
    })
}

fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn add_breaks(report: &VerifyReport, text: &mut String) {
    for item in report.breaks.iter().take(SHOWN_MAX) {
        let _ = writeln!(text, "{}: {}", location(&item.at), item.error);
    }
    let shown = report.breaks.len().min(SHOWN_MAX) as u64;
    let more = report.breaks_total - shown;
    if more > 0 {
        let _ = writeln!(text, "and {}", counted(more, "more break"));
    }
}

fn add_remarks(report: &VerifyReport, kind: RemarkKind, text: &mut String) {
    let of_kind = || report.remarks.iter().filter(|remark| remark.kind == kind);
    let count = of_kind().count();
    let Some(first) = of_kind().next() else {
        return;
    };
    let what = match (kind, count) {
        (RemarkKind::IntentWithoutOutcome, 1) => "intent has no outcome (in flight, or a crash)",
        (RemarkKind::IntentWithoutOutcome, _) => "intents have no outcome (in flight, or a crash)",
        (RemarkKind::OutcomeWithoutIntent, 1) => "outcome of a change has no intent",
        (RemarkKind::OutcomeWithoutIntent, _) => "outcomes of changes have no intent",
    };
    let at_least = if report.remarks_total > LISTED_MAX as u64 {
        "at least "
    } else {
        ""
    };
    let which = if count == 1 { "it is" } else { "the first is" };
    let (location, request) = (location(&first.at), &first.request);
    let _ = writeln!(
        text,
        "note: {at_least}{count} {what}; {which} request {request} at {location}"
    );
}

fn location(at: &LogPosition) -> String {
    match at.seq {
        Some(seq) => format!("{}:{} (line {seq} of the log)", at.file, at.line),
        None => format!("{}:{}", at.file, at.line),
    }
}

fn break_json(item: &ChainBreak) -> Value {
    json!({
        "file": item.at.file,
        "line": item.at.line,
        "seq": item.at.seq,
        "kind": item.error.kind(),
        "detail": item.error.to_string(),
    })
}

fn remark_json(remark: &Remark) -> Value {
    json!({
        "file": remark.at.file,
        "line": remark.at.line,
        "seq": remark.at.seq,
        "kind": remark.kind.as_str(),
        "request": remark.request,
    })
}
