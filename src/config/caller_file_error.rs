//! Why a caller was not created, changed or found. The texts are for the operator.

use std::{io, path::PathBuf};

use crate::names::CallerName;

use super::read::diagnostics::ConfigurationError;

/// Why a caller was not created or changed.
#[derive(Debug, thiserror::Error)]
pub enum CallerFileError {
    #[error("caller {name} already exists, at {location}")]
    AlreadyExists { name: CallerName, location: String },
    #[error("there is no caller {0}")]
    UnknownCaller(String, Option<String>),
    #[error("caller {name} is defined at {location}, which this command does not edit")]
    DefinedElsewhere { name: String, location: String },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// The caller may be in what could not be read.
    #[error("a part of the configuration cannot be read, so nothing was changed:\n{0}")]
    Unreadable(ConfigurationError),
    /// The caller may be, or is, where that is.
    #[error("{}", broken_text(.name, *.is_there, .error))]
    NotToml {
        name: String,
        /// Whether something of it is there.
        is_there: bool,
        error: ConfigurationError,
    },
    /// A new key would be as dead as the others.
    #[error(
        "the keys of caller {name} expired on {expires}, and a new key would have expired too, so nothing was changed"
    )]
    Expired { name: String, expires: String },
    #[error("{0} has just changed or is not valid TOML")]
    NotReadable(PathBuf),
    #[error("this would make the configuration invalid, so nothing was changed:\n{0}")]
    InvalidConfiguration(ConfigurationError),
    #[error("caller {0} has no key whose digest starts with that")]
    UnknownKey(String),
    #[error("several keys start with that prefix: give more digits")]
    AmbiguousKeyPrefix,
    #[error("this is the only key of caller {0}: rotate first, or revoke the whole caller")]
    LastKey(String),
    #[error("the system provided no random bytes")]
    NoRandomness,
}

fn broken_text(name: &str, is_there: bool, error: &ConfigurationError) -> String {
    if is_there {
        format!("the file of caller {name} is not TOML, so nothing was changed:\n{error}")
    } else {
        format!("no caller {name} was found, but a part of the configuration is not TOML:\n{error}")
    }
}
