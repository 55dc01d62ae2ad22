//! `audit verify`: checks that the audit log is intact, and reports where and how it is broken.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::audit::{
    chain::Head,
    verify::{ChainBreak, LISTED_MAX, LogPosition, Remark, RemarkKind, VerifyReport, verify},
};

use super::exit::ExitStatus;

/// Most breaks in the text output; `--json` has up to a thousand.
const SHOWN_MAX: usize = 20;

/// Verify the audit log
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    pub command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// Prove that the log is whole, or show where and how it is broken
    ///
    /// Lines that were cut off the end of the log show only against an
    /// anchor: a line's number and hash as an earlier run of this command printed it as the head. Where older files lie
    /// elsewhere, verify them there first, and give their head as the anchor of the files that are left.
    Verify(AuditVerifyArgs),
}

#[derive(Debug, clap::Args)]
pub struct AuditVerifyArgs {
    /// Directory of the log [default: audit.path of the configuration]
    pub directory: Option<PathBuf>,

    /// Line that must be there, as its number and hash; may be repeated
    #[arg(long = "anchor", value_name = "NUMBER:HASH")]
    pub anchors: Vec<Head>,
}

impl AuditVerifyArgs {
    /// Verifies `directory`; prints the verdict to `out` and diagnostics to `err`.
    pub fn run(
        &self,
        directory: &Path,
        json: bool,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> ExitStatus {
        let report = match verify(directory, &self.anchors) {
            Ok(report) => report,
            Err(error) => {
                // If this fails there is nowhere left to report it.
                let _ = writeln!(err, "error: {error}");
                return ExitStatus::Failed;
            }
        };
        let printed = if json {
            print_json(&report, out)
        } else {
            print_text(&report, out)
        };
        match (printed, report.is_intact()) {
            (_, false) => ExitStatus::AuditBroken,
            (Ok(()), true) => ExitStatus::Done,
            (Err(_), true) => ExitStatus::Failed,
        }
    }
}

fn print_text(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    let verdict = if report.is_intact() {
        "whole"
    } else {
        "BROKEN"
    };
    let lines = counted(report.lines, "line");
    let files = counted(report.files, "file");
    writeln!(out, "The audit log is {verdict}: {lines} in {files}.")?;
    if let (Some(first), Some(last)) = (&report.first_at, &report.last_at) {
        writeln!(out, "  from  {first}")?;
        writeln!(out, "  to    {last}")?;
    }
    writeln!(out, "  head  {}", report.head)?;
    print_breaks(report, out)?;
    print_remarks(report, RemarkKind::IntentWithoutOutcome, out)?;
    print_remarks(report, RemarkKind::OutcomeWithoutIntent, out)
}

fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn print_breaks(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    for item in report.breaks.iter().take(SHOWN_MAX) {
        writeln!(out, "{}: {}", location(&item.at), item.error)?;
    }
    let shown = report.breaks.len().min(SHOWN_MAX) as u64;
    if report.breaks_total > shown {
        writeln!(out, "and {} more breaks", report.breaks_total - shown)?;
    }
    Ok(())
}

fn print_remarks(report: &VerifyReport, kind: RemarkKind, out: &mut dyn Write) -> io::Result<()> {
    let of_kind = || report.remarks.iter().filter(|remark| remark.kind == kind);
    let count = of_kind().count();
    let Some(first) = of_kind().next() else {
        return Ok(());
    };
    let what = match kind {
        RemarkKind::IntentWithoutOutcome => "intents have no outcome (in flight, or a crash)",
        RemarkKind::OutcomeWithoutIntent => "outcomes of changes have no intent",
    };
    let at_least = if report.remarks_total > LISTED_MAX as u64 {
        "at least "
    } else {
        ""
    };
    let (location, request) = (location(&first.at), &first.request);
    writeln!(
        out,
        "note: {at_least}{count} {what}; the first is request {request} at {location}"
    )
}

fn location(at: &LogPosition) -> String {
    match at.seq {
        Some(seq) => format!("{}:{} (line {seq} of the log)", at.file, at.line),
        None => format!("{}:{}", at.file, at.line),
    }
}

fn print_json(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    let document = json!({
        "schema": "audit-verify/1",
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
    });
    writeln!(out, "{document}")
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
