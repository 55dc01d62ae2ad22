//! Where `init` writes: found, and found to be free, before anything is asked.

use std::path::{Path, PathBuf};

use crate::{
    cli::{context::Context, exit::ExitStatus},
    config::{
        self,
        read::sources::{config_file_candidates, find_config_file},
    },
};

use super::args::InitArgs;

/// A configuration that is not there yet.
pub(super) struct ConfigTarget {
    pub(super) file: PathBuf,
    pub(super) directories: TargetDirectories,
    /// Whether commands find the file without `--config`.
    pub(super) is_found: bool,
}

/// Where the audit log and the store will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TargetDirectories {
    /// The defaults, which belong to the system.
    System,
    /// In the user's state directory (XDG Base Directory Specification).
    State(PathBuf),
    /// Beside the file.
    Beside,
}

/// Why nothing can be written there.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigTargetError {
    #[error("there is no place for a configuration; name one with --config")]
    NoPlace,
    #[error(
        "{0} exists already, and init never overwrites one; edit it, or write another one: --config FILE"
    )]
    Exists(String),
    #[error("{0} exists already, beside where the configuration would be; {1}")]
    SecretExists(String, &'static str),
    #[error("{0} cannot be written by you; name another place with --config")]
    NotWritable(String),
}

impl ConfigTargetError {
    pub(super) const fn exit(&self) -> ExitStatus {
        match self {
            Self::NoPlace => ExitStatus::WrongUsage,
            Self::Exists(_) | Self::SecretExists(..) | Self::NotWritable(_) => ExitStatus::Failed,
        }
    }
}

impl ConfigTarget {
    pub(super) fn find(args: &InitArgs, context: &Context) -> Result<Self, ConfigTargetError> {
        let file = path(context).ok_or(ConfigTargetError::NoPlace)?;
        if file.exists() {
            return Err(ConfigTargetError::Exists(file.display().to_string()));
        }
        let directory = directory_of(&file);
        if !config::can_be_written(&std::path::absolute(directory).unwrap_or_default()) {
            return Err(ConfigTargetError::NotWritable(
                directory.display().to_string(),
            ));
        }
        let secret = directory.join(secret_name(&args.tenant));
        if args.client_secret_file.is_none() && secret.exists() {
            return Err(ConfigTargetError::SecretExists(
                secret.display().to_string(),
                "move it away, or give this tenant another name: --tenant NAME",
            ));
        }
        let key = directory.join(STORE_KEY);
        if args.user_client_id.is_some() && key.exists() {
            return Err(ConfigTargetError::SecretExists(
                key.display().to_string(),
                "move it away: it may be the key of another configuration's logins",
            ));
        }
        let environment = context.config_context().environment;
        let defaults = config_file_candidates(None, &environment);
        let directories = if file.starts_with("/etc") {
            TargetDirectories::System
        } else if defaults.contains(&file) && !is_root() {
            let own = config::own_state_directory(|name| context.env_var(name));
            own.map_or(TargetDirectories::Beside, TargetDirectories::State)
        } else {
            TargetDirectories::Beside
        };
        // What is found today, if anything, is found before or instead of it.
        let other = find_config_file(None, &environment).ok();
        let is_before = |other: &PathBuf| {
            let at = |wanted: &PathBuf| defaults.iter().position(|it| it == wanted);
            at(&file) < at(other)
        };
        let is_found = defaults.contains(&file) && other.as_ref().is_none_or(is_before);
        Ok(Self {
            file,
            directories,
            is_found,
        })
    }

    pub(super) fn directory(&self) -> &Path {
        directory_of(&self.file)
    }
}

/// The key that logins are sealed with.
pub(super) const STORE_KEY: &str = "store.key";

/// The file of a tenant's client secret.
pub(super) fn secret_name(tenant: &str) -> String {
    format!("{tenant}.secret")
}

/// The given path; for root that of the system; otherwise the first path that is searched.
fn path(context: &Context) -> Option<PathBuf> {
    let mut candidates = context.config_file_candidates();
    if is_root() {
        return candidates.pop();
    }
    candidates.into_iter().next()
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
