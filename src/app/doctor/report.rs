//! The report of all checks, as text and as JSON, and what it comes to.

use std::fmt::Write;

use serde_json::{Value, json};

use super::check::{CheckName, CheckStatus, DoctorCheck};

pub(crate) struct DoctorReport(pub(crate) Vec<DoctorCheck>);

/// What a report comes to; the command's exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DoctorVerdict {
    Healthy,
    Failed,
    LoginNeeded,
    /// It works, but something needs attention.
    Attention,
    ConfigurationWrong,
}

impl DoctorVerdict {
    const ALL: [Self; 5] = [
        Self::Healthy,
        Self::Failed,
        Self::LoginNeeded,
        Self::Attention,
        Self::ConfigurationWrong,
    ];

    /// The exit code of the command.
    #[must_use]
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Failed => 1,
            Self::LoginNeeded => 4,
            Self::Attention => 6,
            Self::ConfigurationWrong => 78,
        }
    }

    /// The verdict with this exit code.
    #[must_use]
    pub(crate) fn from_exit_code(code: u64) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| u64::from(it.exit_code()) == code)
    }
}

impl DoctorReport {
    #[must_use]
    pub(crate) fn verdict(&self) -> DoctorVerdict {
        let failed = |is_such: fn(&DoctorCheck) -> bool| {
            let mut failures = self.0.iter().filter(|it| it.status == CheckStatus::Failed);
            failures.any(is_such)
        };
        if failed(|it| it.name == CheckName::Configuration) {
            DoctorVerdict::ConfigurationWrong
        } else if failed(|it| !it.is_login_needed) {
            DoctorVerdict::Failed
        } else if failed(|_| true) {
            DoctorVerdict::LoginNeeded
        } else if self.0.iter().any(DoctorCheck::needs_attention) {
            DoctorVerdict::Attention
        } else {
            DoctorVerdict::Healthy
        }
    }

    /// `doctor/1`: `{"schema","healthy","checks"}`
    #[must_use]
    pub(crate) fn document(&self) -> Value {
        json!({
            "schema": "doctor/1",
            "healthy": self.verdict() == DoctorVerdict::Healthy,
            "checks": self.0.iter().map(DoctorCheck::json).collect::<Vec<_>>(),
        })
    }

    /// One line per check, then the remedies. With `is_brief` only what needs attention.
    #[must_use]
    pub(crate) fn text(&self, is_brief: bool) -> String {
        let shown = || {
            let all = self.0.iter();
            all.filter(move |it| !is_brief || it.needs_attention())
        };
        let width = shown().map(|it| it.title().len()).max().unwrap_or_default();
        let mut text = String::new();
        // Writing to a String cannot fail, here and below.
        for check in shown() {
            let verdict = match check.status {
                CheckStatus::Failed => "FAILED",
                other => other.as_str(),
            };
            let _ = writeln!(
                text,
                "{:<width$}  {verdict:<7}  {}",
                check.title(),
                check.observed
            );
        }
        let remedies = || shown().filter_map(|it| Some((it, it.remedy.as_ref()?)));
        if remedies().next().is_some() {
            text.push_str("\nWhat to do\n");
        }
        for (check, remedy) in remedies() {
            let _ = writeln!(text, "  {}: {remedy}", check.title());
        }
        if !is_brief {
            let _ = writeln!(text, "\n{}", self.summary());
        }
        text
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
