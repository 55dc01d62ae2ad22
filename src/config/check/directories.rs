//! Where the audit log and the store are if the configuration does not say.
//!
//! An ordinary user who tries the program on a terminal cannot write the defaults, which belong to the system: both are then
//! in the user's state directory (XDG Base Directory Specification). A service never goes there: its chain and its logins
//! must not be split by where it happens to be started. The directory that was used once is found again without a terminal.

use std::{
    fs,
    io::IsTerminal,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::config::{PathOrigin, read::key_path::KeyPath, settings::Settings};

use super::Checker;

/// Where systemd puts the store (`StateDirectory=`).
const DEFAULT_STORE_PATH: &str = "/var/lib/ninjaone-proxy";

/// What lies here configures a service; `init` takes it for that too.
const SYSTEM_CONFIGURATIONS: &str = "/etc";

const PROGRAM: &str = "ninjaone-proxy";
const AUDIT: &str = "audit";
const STORE: &str = "store";

/// Set by systemd for what it starts (systemd.exec(5)).
const SERVICE_VARIABLES: [&str; 2] = ["INVOCATION_ID", "JOURNAL_STREAM"];
/// The same, for the directories of a unit.
const SERVICE_DIRECTORIES: [&str; 2] = ["LOGS_DIRECTORY", "STATE_DIRECTORY"];

/// The directories of settings that are missing.
pub(super) struct DefaultDirectories {
    pub(super) audit: (PathBuf, PathOrigin),
    pub(super) store: (PathBuf, PathOrigin),
}

impl Checker<'_> {
    pub(super) fn default_directories(&self, settings: &Settings) -> DefaultDirectories {
        let audit = PathBuf::from(&settings.audit.path);
        let (store, origin) = match self.state_directory() {
            Some(state) => (PathBuf::from(state), PathOrigin::StateDirectory),
            None => (DEFAULT_STORE_PATH.into(), PathOrigin::Default),
        };
        let store = behind_link_of_root(store);
        let is_audit_missing = !self
            .provenance
            .contains(&KeyPath::from_keys(&["audit", "path"]));
        let is_store_missing = settings.store.path.is_none() && settings.store.seal.is_some();
        let is_writable = (!is_audit_missing || can_be_written(&audit))
            && (!is_store_missing || can_be_written(&store));
        match self.user_state_directory() {
            Some(own) if !is_writable => DefaultDirectories {
                audit: (own.join(AUDIT), PathOrigin::UserState),
                store: (own.join(STORE), PathOrigin::UserState),
            },
            _ => DefaultDirectories {
                audit: (audit, PathOrigin::Default),
                store: (store, origin),
            },
        }
    }

    /// If a unit has several directories, systemd separates them with colons.
    fn state_directory(&self) -> Option<&str> {
        let first = self.variable("STATE_DIRECTORY")?.split(':').next()?;
        Some(first).filter(|it| !it.is_empty())
    }

    /// None for root, under systemd, for a configuration of the system's, and without a terminal where the directory was never
    /// used.
    fn user_state_directory(&self) -> Option<PathBuf> {
        // Whoever types `login` for a service must not log in beside it.
        let is_of_system = self.sources.file.starts_with(SYSTEM_CONFIGURATIONS);
        if self.is_under_systemd() || is_of_system || rustix::process::geteuid().is_root() {
            return None;
        }
        let own = own_state_directory(|name| self.variable(name))?;
        let is_for_us = own.join(AUDIT).is_dir() || (is_on_terminal() && can_be_written(&own));
        is_for_us.then_some(own)
    }

    /// A shell in a terminal window inherits such variables from the window's service; then another process is named.
    fn is_under_systemd(&self) -> bool {
        let is_set = |name: &&str| self.variable(name).is_some();
        let is_ours = || {
            let started = self.variable("SYSTEMD_EXEC_PID");
            started.is_none_or(|it| it == std::process::id().to_string())
        };
        SERVICE_DIRECTORIES.iter().any(&is_set)
            || (SERVICE_VARIABLES.iter().any(is_set) && is_ours())
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.sources.env_var(name).filter(|it| !it.is_empty())
    }
}

/// In the user's state directory, which may not be there.
pub(crate) fn own_state_directory<'a>(
    variable: impl Fn(&str) -> Option<&'a str>,
) -> Option<PathBuf> {
    let base = variable("XDG_STATE_HOME").map(PathBuf::from);
    // A relative path there is invalid, and is to be ignored.
    let base = base.filter(|it| it.is_absolute()).or_else(|| {
        let home = PathBuf::from(variable("HOME")?);
        home.is_absolute().then(|| home.join(".local/state"))
    })?;
    Some(base.join(PROGRAM))
}

/// Every place where the store may be if the configuration does not say.
pub(in crate::config) fn default_stores<'a>(
    variable: impl Fn(&str) -> Option<&'a str>,
) -> impl Iterator<Item = PathBuf> {
    let own = own_state_directory(variable).map(|it| it.join(STORE));
    own.into_iter()
        .chain([behind_link_of_root(PathBuf::from(DEFAULT_STORE_PATH))])
}

fn is_on_terminal() -> bool {
    std::io::stdin().is_terminal()
        || std::io::stdout().is_terminal()
        || std::io::stderr().is_terminal()
}

/// With `DynamicUser=`, systemd's `/var/lib/NAME` is a link to `/var/lib/private/NAME` (systemd.exec(5)). The store follows no
/// link; one that root made is as good as a path that root wrote.
fn behind_link_of_root(directory: PathBuf) -> PathBuf {
    let is_link_of_root =
        fs::symlink_metadata(&directory).is_ok_and(|it| it.is_symlink() && it.uid() == 0);
    let real = is_link_of_root.then(|| fs::canonicalize(&directory).ok());
    real.flatten().unwrap_or(directory)
}

/// Whether this user can write the directory, or make it. Changes nothing.
pub(crate) fn can_be_written(directory: &Path) -> bool {
    let there = directory.ancestors().find(|it| it.exists());
    there.is_some_and(|it| {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        it.is_dir() && accessat(CWD, it, access, AtFlags::EACCESS).is_ok()
    })
}
