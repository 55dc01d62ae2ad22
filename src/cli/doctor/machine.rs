//! Checks this machine: clock, audit log, store directory, ports, and the running proxy.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::Path,
};

use crate::{
    admin::{health::Health, status_snapshot::StatusSnapshot},
    audit::verify::{VerifyError, verify_newest},
    clock::{Moment, Timestamp},
    config::{BindAddress, Config},
    files::{ACCESSIBLE_BY_OTHERS, PRIVATE_MODE, forbidden_mode, write_new},
};

use super::check::{CheckName, DoctorCheck};

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
            format!("this machine believes that it is {now}"),
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

pub(super) fn audit_directory(path: &Path) -> DoctorCheck {
    let name = CheckName::AuditDirectory;
    let path_text = path.display();
    match writable(path) {
        Ok(()) => match group_and_other_permissions(path) {
            Some(mode) => DoctorCheck::warning(
                name,
                format!(
                    "{path_text} can be written, and others have rights on it (mode {mode:04o})"
                ),
                format!("chmod go= {path_text}"),
            ),
            None => DoctorCheck::ok(name, format!("{path_text} can be written")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => DoctorCheck::ok(
            name,
            format!("{path_text} is not there yet: the first start makes it"),
        ),
        Err(error) => DoctorCheck::failed(
            name,
            format!("{path_text} cannot be written: {error}"),
            "Let the user who runs the proxy write there, and look at the disk: nothing but reads is served without it.",
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

/// Checks mode, owner and write access. The store itself reports problems with its files.
pub(super) fn store_directory(path: &Path) -> DoctorCheck {
    let name = CheckName::StoreDirectory;
    let path_text = path.display();
    match writable(path) {
        Ok(()) => match group_and_other_permissions(path) {
            Some(mode) => DoctorCheck::warning(
                name,
                format!(
                    "{path_text} can be written and made durable, and others have rights on it (mode {mode:04o})"
                ),
                format!("chmod go= {path_text}"),
            ),
            None => DoctorCheck::ok(
                name,
                format!("{path_text} is private, can be written and made durable"),
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => DoctorCheck::ok(
            name,
            format!("{path_text} is not there yet: the first start or login makes it"),
        ),
        Err(error) => DoctorCheck::failed(
            name,
            format!("{path_text} cannot be written: {error}"),
            "Let the user who runs the proxy write there, and look at the disk: without it a renewed login is lost with the process.",
        ),
    }
}

/// Writes, syncs and removes a file of our own.
fn writable(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".doctor-{}", std::process::id()));
    let written = write_new(&path, b"may be removed\n", PRIVATE_MODE);
    let was_made = !matches!(&written, Err(error) if error.kind() == io::ErrorKind::NotFound);
    if was_made {
        // A failure to remove it shows in the next run; only writing counts here.
        let _ = fs::remove_file(&path);
    }
    written
}

fn group_and_other_permissions(directory: &Path) -> Option<u32> {
    forbidden_mode(&fs::metadata(directory).ok()?, ACCESSIBLE_BY_OTHERS)
}

pub(super) fn proxy(snapshot: Option<&StatusSnapshot>) -> DoctorCheck {
    let name = CheckName::Proxy;
    let Some(it) = snapshot else {
        return DoctorCheck::skipped(name, "none is running at the admin address");
    };
    let running = format!("running, pid {}, {}", it.pid, it.health.as_str());
    match (it.health, it.degraded.as_slice()) {
        (Health::Healthy, _) => DoctorCheck::ok(name, running),
        (Health::NotNow, []) => DoctorCheck::warning(name, running, "Look again in a minute."),
        (_, troubles) => DoctorCheck::warning(
            name,
            format!("{running}: {}", troubles.join(" ")),
            "See `ninjaone-proxy status`.",
        ),
    }
}

/// Checks that each address is free, or used by the running proxy.
pub(super) fn ports(config: &Config, running: Option<&StatusSnapshot>) -> DoctorCheck {
    let name = CheckName::Ports;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let binds = config
        .listen
        .http
        .iter()
        .chain(config.listen.https.iter().map(|it| &it.bind));
    let binds = binds
        .chain(&config.admin.listen)
        .chain(&config.admin.probes);
    for bind in binds {
        if let BindAddress::Address(address) = bind {
            addresses.push(*address);
        }
    }
    if running.is_some() {
        return DoctorCheck::ok(name, "held by the running proxy");
    }
    let taken: Vec<String> = addresses
        .iter()
        .filter_map(|it| Some(format!("{it}: {}", TcpListener::bind(it).err()?)))
        .collect();
    if taken.is_empty() {
        return DoctorCheck::ok(name, format!("{} free", addresses.len()));
    }
    DoctorCheck::failed(
        name,
        taken.join("; "),
        "See who listens there (`ss -ltnp`), or choose others in `[listen]` and `[admin]`.",
    )
}
