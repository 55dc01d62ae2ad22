//! Checks this machine: clock, audit log, store directory, and the running proxy.

use std::{fs, io, path::Path};

use crate::{
    admin::{
        health::Health,
        status_snapshot::StatusSnapshot,
        trouble::{Trouble, TroubleKind},
    },
    audit::verify::{VerifyError, verify_newest},
    clock::{Moment, Timestamp},
    config::{AUDIT_PATH, AuditConfig, Config, PathOrigin, STORE_PATH, StoreConfig},
    files::{ACCESSIBLE_BY_OTHERS, forbidden_mode},
    shell_word::shell_word,
};

use super::{
    check::{CheckName, DoctorCheck},
    directory_trial::DirectoryTrial,
};

/// 2026-11-01, in seconds since 1970: a correct clock is not earlier.
const EARLIEST_UNIX_S: i64 = 1_793_491_200;
/// 2100-01-01, in seconds since 1970: nor later.
const LATEST_UNIX_S: i64 = 4_102_444_800;

pub(super) fn clock() -> DoctorCheck {
    let now = Timestamp::now();
    let seconds = now.unix_seconds();
    if !(EARLIEST_UNIX_S..LATEST_UNIX_S).contains(&seconds) {
        return DoctorCheck::failed(
            CheckName::Clock,
            format!("this machine's clock says {now}"),
            "Set the clock and let the machine keep time: certificates and the audit log depend on it.",
        );
    }
    if Moment::now().boot_millis() == 0 {
        return DoctorCheck::failed(
            CheckName::Clock,
            "the kernel does not count the time since boot (CLOCK_BOOTTIME)",
            "Run on a kernel that does: the life of tokens is measured with it.",
        );
    }
    DoctorCheck::ok(CheckName::Clock, format!("it is {now}"))
}

pub(super) fn audit_directory(audit: &AuditConfig) -> DoctorCheck {
    directory(&DirectoryUse {
        check: CheckName::AuditDirectory,
        path: &audit.path,
        setting: AUDIT_PATH,
        origin: audit.path_origin,
        without_it: "without it only reads are served, and `run` does not start",
    })
}

/// Mode, owner and write access. The store itself reports problems with its files.
pub(super) fn store_directory(store: &StoreConfig) -> DoctorCheck {
    directory(&DirectoryUse {
        check: CheckName::StoreDirectory,
        path: &store.path,
        setting: STORE_PATH,
        origin: store.path_origin,
        without_it: "without it a renewed login is lost when the process ends, and `run` does not start",
    })
}

/// A directory that the program writes to.
struct DirectoryUse<'a> {
    check: CheckName,
    path: &'a Path,
    setting: &'static str,
    origin: PathOrigin,
    without_it: &'static str,
}

fn directory(it: &DirectoryUse<'_>) -> DoctorCheck {
    let (name, path) = (it.check, it.path.display());
    let origin = it.origin.describe(it.setting);
    match DirectoryTrial::run(it.path) {
        Ok(trial) if !trial.was_there() => DoctorCheck::ok(
            name,
            format!("{path} does not exist yet, and can be created ({origin})"),
        ),
        Ok(_) => match group_and_other_permissions(it.path) {
            Some(mode) => DoctorCheck::warning(
                name,
                format!(
                    "{path} can be written and made durable, and others have rights on it (mode {mode:04o}; {origin})"
                ),
                format!("chmod go= {}", shell_word(&it.path.to_string_lossy())),
            ),
            None => DoctorCheck::ok(
                name,
                format!("{path} is private, can be written and made durable ({origin})"),
            ),
        },
        Err(error) => DoctorCheck::failed(
            name,
            format!("{path} cannot be written: {error} ({origin})"),
            directory_remedy(it, &error),
        ),
    }
}

fn directory_remedy(it: &DirectoryUse<'_>, error: &io::Error) -> String {
    let (setting, without_it) = (it.setting, it.without_it);
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
            "Make room on the disk that {} is on: {without_it}.",
            it.path.display()
        ),
        _ => format!(
            "Set `{setting}` to a directory that the user who runs the proxy may write, or let that user write there, and look at the disk: {without_it}."
        ),
    }
}

pub(super) fn audit_chain(path: &Path) -> DoctorCheck {
    let name = CheckName::AuditChain;
    let path_text = path.display();
    match verify_newest(path) {
        Ok(report) if report.is_intact() => DoctorCheck::ok(
            name,
            format!("the newest file is whole, up to line {}", report.head.seq),
        ),
        Ok(report) => {
            let what = report.breaks.first().map_or_else(String::new, |it| {
                format!(": {} line {}: {}", it.at.file, it.at.line, it.error)
            });
            DoctorCheck::failed(
                name,
                format!("the newest file is broken{what}"),
                format!(
                    "See all of it: ninjaone-proxy audit verify {path_text}. Keep a copy before anything else."
                ),
            )
        }
        Err(VerifyError::NoLog { .. }) => DoctorCheck::skipped(name, "nothing is recorded yet"),
        Err(VerifyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            DoctorCheck::skipped(name, "nothing is recorded yet")
        }
        Err(error) => DoctorCheck::failed(
            name,
            error.to_string(),
            "Run this as the user who runs the proxy.",
        ),
    }
}

fn group_and_other_permissions(directory: &Path) -> Option<u32> {
    forbidden_mode(&fs::metadata(directory).ok()?, ACCESSIBLE_BY_OTHERS)
}

/// What the proxy at the admin address says of itself, without what the checks of tenants say.
pub(super) fn proxy(found: &FoundProxy, of_tenants: &[DoctorCheck]) -> DoctorCheck {
    let name = CheckName::Proxy;
    let it = match found {
        FoundProxy::None => {
            return DoctorCheck::skipped(name, "none is running");
        }
        FoundProxy::Another(it) => {
            let file = it.config.file.as_deref().unwrap_or("an unknown file");
            return DoctorCheck::warning(
                name,
                format!(
                    "the one that answers is another: pid {}, boot {}, with the configuration {file}",
                    it.pid, it.boot
                ),
                "Give each proxy its own `admin.listen` and `[listen]`, or name the other configuration with --config.",
            );
        }
        FoundProxy::Closed { why, remedy } => {
            return DoctorCheck::warning(name, format!("one is running, and {why}"), remedy);
        }
        FoundProxy::Own(it) => it,
    };
    let running = format!("running, pid {}, {}", it.pid, it.health.as_str());
    let is_told = |it: &Trouble| is_missing_login(it, of_tenants);
    if !it.troubles.is_empty() && it.troubles.iter().all(is_told) {
        return DoctorCheck::ok(name, running);
    }
    let seen = match it.degraded.as_slice() {
        [] => running.clone(),
        troubles => format!("{running}: {}", sentences(troubles)),
    };
    let see = "See `ninjaone-proxy status`.";
    // The same verdict as that of `status`.
    match it.health {
        Health::Healthy => DoctorCheck::ok(name, running),
        Health::NotNow => DoctorCheck::warning(name, seen, "Look again in a minute."),
        Health::Degraded => DoctorCheck::warning(name, seen, see),
        Health::NeedsLogin => DoctorCheck::login_needed(name, seen, see),
        Health::Down => DoctorCheck::failed(name, seen, see),
    }
}

/// Whether it is a login that the tenant's own check misses as well.
fn is_missing_login(trouble: &Trouble, of_tenants: &[DoctorCheck]) -> bool {
    let is_login = matches!(
        trouble.kind,
        TroubleKind::LoginNeeded | TroubleKind::LoginEnded
    );
    let tenant = trouble.about.split('/').next();
    let is_of_it = |it: &DoctorCheck| it.name == CheckName::Login && it.tenant.as_deref() == tenant;
    let mut checks = of_tenants.iter().filter(|it| is_of_it(it));
    is_login && checks.any(DoctorCheck::needs_attention)
}

/// One after the other, also where one ends with a command and so has no full stop.
fn sentences(troubles: &[String]) -> String {
    let mut text = String::new();
    for trouble in troubles {
        if !text.is_empty() {
            text.push_str(if text.ends_with('.') { " " } else { ". " });
        }
        text.push_str(trouble);
    }
    text
}

/// The proxy that answers at the admin address.
pub(crate) enum FoundProxy {
    None,
    /// It runs with the configuration that is looked at.
    Own(Box<StatusSnapshot>),
    Another(Box<StatusSnapshot>),
    /// One answers that this user may not ask.
    Closed {
        why: String,
        remedy: String,
    },
}

impl FoundProxy {
    /// Tells one's own proxy by its configuration file; one that does not say it, by the fingerprint of its settings.
    pub(crate) fn new(snapshot: StatusSnapshot, config: &Config) -> Self {
        let snapshot = Box::new(snapshot);
        let ours = config.file.as_ref().map(|it| it.display().to_string());
        let is_own = match (&snapshot.config.file, ours) {
            (Some(theirs), Some(ours)) => *theirs == ours || is_same_file(theirs, &ours),
            _ => snapshot.config.fingerprint == config.fingerprint,
        };
        if is_own {
            Self::Own(snapshot)
        } else {
            Self::Another(snapshot)
        }
    }

    pub(super) const fn own(&self) -> Option<&StatusSnapshot> {
        match self {
            Self::Own(snapshot) => Some(snapshot),
            Self::None | Self::Another(_) | Self::Closed { .. } => None,
        }
    }
}

/// A link and what it points to are one configuration.
fn is_same_file(one: &str, other: &str) -> bool {
    let real = |path: &str| fs::canonicalize(path).ok();
    real(one).is_some_and(|it| Some(it) == real(other))
}
