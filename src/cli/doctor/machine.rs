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
    config::{Bind, Config},
    files::{ACCESSIBLE_BY_OTHERS, PRIVATE_MODE, forbidden_mode, write_new},
};

use super::check::{Check, Name};

/// 2026-11-01, in seconds since 1970: a correct clock is not earlier.
const EARLIEST_UNIX_S: i64 = 1_793_491_200;
/// 2100-01-01, in seconds since 1970: nor later.
const LATEST_UNIX_S: i64 = 4_102_444_800;

pub(super) fn clock() -> Check {
    let now = Timestamp::now();
    let seconds = now.unix_seconds();
    if !(EARLIEST_UNIX_S..LATEST_UNIX_S).contains(&seconds) {
        return Check::failed(
            Name::Clock,
            format!("this machine believes that it is {now}"),
            "Set the clock and let the machine keep time: certificates and the audit log depend on it.",
        );
    }
    if Moment::now().boot_millis() == 0 {
        return Check::failed(
            Name::Clock,
            "the kernel does not count the time since boot (CLOCK_BOOTTIME)",
            "Run on a kernel that does: the life of tokens is measured with it.",
        );
    }
    Check::ok(Name::Clock, format!("it is {now}"))
}

pub(super) fn audit_directory(path: &Path) -> Check {
    let name = Name::AuditDirectory;
    let shown = path.display();
    match writable(path) {
        Ok(()) => match others_rights(path) {
            Some(mode) => Check::warning(
                name,
                format!("{shown} can be written, and others have rights on it (mode {mode:04o})"),
                format!("chmod go= {shown}"),
            ),
            None => Check::ok(name, format!("{shown} can be written")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Check::ok(
            name,
            format!("{shown} is not there yet: the first start makes it"),
        ),
        Err(error) => Check::failed(
            name,
            format!("{shown} cannot be written: {error}"),
            "Let the user who runs the proxy write there, and look at the disk: nothing but reads is served without it.",
        ),
    }
}

pub(super) fn audit_chain(path: &Path) -> Check {
    let name = Name::AuditChain;
    let shown = path.display();
    match verify_newest(path) {
        Ok(report) if report.is_intact() => Check::ok(
            name,
            format!("the newest file is whole, up to line {}", report.head.seq),
        ),
        Ok(report) => {
            let what = report.breaks.first().map_or_else(String::new, |it| {
                format!(": {} line {}: {}", it.at.file, it.at.line, it.error)
            });
            Check::failed(
                name,
                format!("the newest file is broken{what}"),
                format!(
                    "See all of it: ninjaone-proxy audit verify {shown}. Keep a copy before anything else."
                ),
            )
        }
        Err(VerifyError::NoLog { .. }) => Check::skipped(name, "nothing is recorded yet"),
        Err(VerifyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Check::skipped(name, "nothing is recorded yet")
        }
        Err(error) => Check::failed(
            name,
            error.to_string(),
            "Run this as the user who runs the proxy.",
        ),
    }
}

/// Checks mode, owner and write access. The store itself reports problems with its files.
pub(super) fn store_directory(path: &Path) -> Check {
    let name = Name::StoreDirectory;
    let shown = path.display();
    match writable(path) {
        Ok(()) => match others_rights(path) {
            Some(mode) => Check::warning(
                name,
                format!(
                    "{shown} can be written and made durable, and others have rights on it (mode {mode:04o})"
                ),
                format!("chmod go= {shown}"),
            ),
            None => Check::ok(
                name,
                format!("{shown} is private, can be written and made durable"),
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Check::ok(
            name,
            format!("{shown} is not there yet: the first start or login makes it"),
        ),
        Err(error) => Check::failed(
            name,
            format!("{shown} cannot be written: {error}"),
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

fn others_rights(directory: &Path) -> Option<u32> {
    forbidden_mode(&fs::metadata(directory).ok()?, ACCESSIBLE_BY_OTHERS)
}

pub(super) fn proxy(snapshot: Option<&StatusSnapshot>) -> Check {
    let name = Name::Proxy;
    let Some(it) = snapshot else {
        return Check::skipped(name, "none is running at the admin address");
    };
    let running = format!("running, pid {}, {}", it.pid, it.health.as_str());
    match (it.health, it.degraded.as_slice()) {
        (Health::Healthy, _) => Check::ok(name, running),
        (Health::NotNow, []) => Check::warning(name, running, "Look again in a minute."),
        (_, troubles) => Check::warning(
            name,
            format!("{running}: {}", troubles.join(" ")),
            "See `ninjaone-proxy status`.",
        ),
    }
}

/// Checks that each address is free, or used by the running proxy.
pub(super) fn ports(config: &Config, running: Option<&StatusSnapshot>) -> Check {
    let name = Name::Ports;
    let mut wanted: Vec<SocketAddr> = Vec::new();
    let binds = config
        .listen
        .http
        .iter()
        .chain(config.listen.https.iter().map(|it| &it.bind));
    let binds = binds
        .chain(&config.admin.listen)
        .chain(&config.admin.probes);
    for bind in binds {
        if let Bind::Address(address) = bind {
            wanted.push(*address);
        }
    }
    if running.is_some() {
        return Check::ok(name, "held by the running proxy");
    }
    let taken: Vec<String> = wanted
        .iter()
        .filter_map(|it| Some(format!("{it}: {}", TcpListener::bind(it).err()?)))
        .collect();
    if taken.is_empty() {
        return Check::ok(name, format!("{} free", wanted.len()));
    }
    Check::failed(
        name,
        taken.join("; "),
        "See who listens there (`ss -ltnp`), or choose others in `[listen]` and `[admin]`.",
    )
}
