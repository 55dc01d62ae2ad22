//! What each exit code means and what to do about it: for `help CODE` and docs/reference/errors.md.

use super::exit::ExitStatus;

/// One exit code, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExitGuide {
    pub(super) number: u8,
    /// One or more sentences, like the other.
    pub(super) meaning: &'static str,
    pub(super) remedy: &'static str,
}

const ALL: [ExitStatus; 9] = [
    ExitStatus::Done,
    ExitStatus::Failed,
    ExitStatus::WrongUsage,
    ExitStatus::LoginNeeded,
    ExitStatus::Refused,
    ExitStatus::Degraded,
    ExitStatus::AuditBroken,
    ExitStatus::TryAgainLater,
    ExitStatus::ConfigurationWrong,
];

/// Every exit code, in ascending order.
pub(super) fn exit_guides() -> [ExitGuide; 9] {
    ALL.map(exit_guide)
}

fn exit_guide(status: ExitStatus) -> ExitGuide {
    let (meaning, remedy) = match status {
        ExitStatus::Done => ("Done, allowed or healthy.", "Nothing."),
        ExitStatus::Failed => (
            "It failed, or there is no such caller, request or operation. After a shutdown: requests were cut off.",
            "Read the error: it names the cause and what to do.",
        ),
        ExitStatus::WrongUsage => (
            "The command line is wrong.",
            "See how the command is written: run 'ninjaone-proxy help COMMAND'.",
        ),
        ExitStatus::LoginNeeded => (
            "Somebody must log in (status, doctor).",
            "Log in: run 'ninjaone-proxy login TENANT'.",
        ),
        ExitStatus::Refused => (
            "The policy refuses the request (explain).",
            "The output says what would allow it.",
        ),
        ExitStatus::Degraded => (
            "The proxy works, but something needs attention (status, doctor).",
            "The output says what. For more, run 'ninjaone-proxy doctor'.",
        ),
        ExitStatus::AuditBroken => (
            "The audit log does not verify (audit verify).",
            "Keep a copy of the log before anything else. The output names the first line that does not fit.",
        ),
        ExitStatus::TryAgainLater => (
            "It is too early to say, or something is busy; later it may work.",
            "Run the command again later.",
        ),
        ExitStatus::ConfigurationWrong => (
            "The configuration is wrong. A restart does not help, and service managers must not try.",
            "See file, line and column: run 'ninjaone-proxy config check'.",
        ),
    };
    ExitGuide {
        number: u8::from(status),
        meaning,
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_explained_once() {
        let source = include_str!("exit.rs");
        let body = source.split("pub enum ExitStatus {").nth(1).unwrap_or("");
        let body = body.split("\n}").next().unwrap_or("");
        let numbers: Vec<u8> = body
            .lines()
            .filter_map(|it| it.split_once(" = ")?.1.strip_suffix(',')?.parse().ok())
            .collect();
        assert_eq!(exit_guides().map(|it| it.number).to_vec(), numbers);
    }
}
