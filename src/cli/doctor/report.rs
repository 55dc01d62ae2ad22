//! The report of all checks, as text and as JSON, and its exit code.

use std::io::{self, Write};

use serde_json::json;

use crate::cli::exit::ExitStatus;

use super::check::{CheckName, CheckStatus, DoctorCheck};

pub(super) struct DoctorReport(pub(super) Vec<DoctorCheck>);

impl DoctorReport {
    /// 78 the configuration is wrong, 1 something else failed, 4 somebody must log in, 6 something needs attention.
    #[must_use]
    pub(super) fn exit_code(&self) -> ExitStatus {
        let failed = |is_such: fn(&DoctorCheck) -> bool| {
            let mut failures = self.0.iter().filter(|it| it.status == CheckStatus::Failed);
            failures.any(is_such)
        };
        if failed(|it| it.name == CheckName::Configuration) {
            ExitStatus::ConfigurationWrong
        } else if failed(|it| !it.is_login_needed) {
            ExitStatus::Failed
        } else if failed(|_| true) {
            ExitStatus::LoginNeeded
        } else if self.0.iter().any(DoctorCheck::needs_attention) {
            ExitStatus::Degraded
        } else {
            ExitStatus::Done
        }
    }

    /// `{"schema","healthy","checks"}`
    pub(super) fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let document = json!({
            "schema": "doctor/1",
            "healthy": self.exit_code() == ExitStatus::Done,
            "checks": self.0.iter().map(DoctorCheck::json).collect::<Vec<_>>(),
        });
        writeln!(out, "{document}")
    }

    /// One line per check, then the remedies. With `is_brief` only what needs attention.
    pub(super) fn print_text(&self, is_brief: bool, out: &mut dyn Write) -> io::Result<()> {
        let shown = || {
            let all = self.0.iter();
            all.filter(move |it| !is_brief || it.needs_attention())
        };
        let width = shown().map(|it| it.title().len()).max().unwrap_or_default();
        for check in shown() {
            let verdict = match check.status {
                CheckStatus::Failed => "FAILED",
                other => other.as_str(),
            };
            writeln!(
                out,
                "{:<width$}  {verdict:<7}  {}",
                check.title(),
                check.observed
            )?;
        }
        let remedies = || shown().filter_map(|it| Some((it, it.remedy.as_ref()?)));
        if remedies().next().is_some() {
            writeln!(out, "\nWhat to do")?;
        }
        for (check, remedy) in remedies() {
            writeln!(out, "  {}: {remedy}", check.title())?;
        }
        if is_brief {
            return Ok(());
        }
        writeln!(out, "\n{}", self.summary())
    }

    fn summary(&self) -> String {
        let count = |verdict| self.0.iter().filter(|it| it.status == verdict).count();
        let (failed, warnings) = (count(CheckStatus::Failed), count(CheckStatus::Warning));
        if failed + warnings == 0 {
            return "Nothing needs attention.".to_owned();
        }
        let noun = |count: usize| if count == 1 { "check" } else { "checks" };
        match (failed, warnings) {
            (0, 1) => "1 check needs attention.".to_owned(),
            (0, warnings) => format!("{warnings} checks need attention."),
            (failed, 0) => format!("{failed} {} failed.", noun(failed)),
            (failed, warnings) => format!(
                "{failed} {} failed, {warnings} more need attention.",
                noun(failed)
            ),
        }
    }
}
