//! The exit codes of the program: scripts and service managers act on them, so each has one name and one number.

use std::process::ExitCode;

use crate::{admin::health::Health, app::shutdown_deadline::ExitReason};

/// What a command ends with. The numbers are a contract: they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done, allowed, healthy.
    Done = 0,
    /// Failed; also: no such caller, request or operation.
    Failed = 1,
    /// Wrong usage. `clap` ends with the same number.
    WrongUsage = 2,
    /// An identity needs `login` (`status`, `doctor`).
    LoginNeeded = 4,
    /// The policy refuses the request (`explain`).
    Refused = 5,
    /// It works, but something needs attention (`status`, `doctor`).
    Degraded = 6,
    /// The audit log does not verify (`audit verify`).
    AuditBroken = 7,
    /// Try again later: `EX_TEMPFAIL` of `sysexits.h`.
    TryAgainLater = 75,
    /// The configuration is wrong: `EX_CONFIG` of `sysexits.h`. A restart does not help, so a service manager must not try.
    ConfigurationWrong = 78,
}

impl From<ExitStatus> for u8 {
    fn from(status: ExitStatus) -> Self {
        status as Self
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(u8::from(status))
    }
}

/// The exit code of `status`.
impl From<Health> for ExitStatus {
    fn from(health: Health) -> Self {
        match health {
            Health::Healthy => Self::Done,
            Health::Degraded => Self::Degraded,
            Health::NeedsLogin => Self::LoginNeeded,
            Health::NotNow => Self::TryAgainLater,
            Health::Down => Self::Failed,
        }
    }
}

/// The exit code of a process that its shutdown deadline ends.
impl From<ExitReason> for ExitStatus {
    fn from(why: ExitReason) -> Self {
        match why {
            ExitReason::NothingServed => Self::Done,
            ExitReason::DeadlineExceeded => Self::Failed,
        }
    }
}

impl ExitStatus {
    /// Ends the process at once: no destructor runs.
    pub(super) fn end_process(self) -> ! {
        std::process::exit(u8::from(self).into())
    }
}
