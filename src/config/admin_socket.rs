//! Where the admin socket is if the configuration does not say, and where the commands look for it.

use std::path::{Path, PathBuf};

use super::{
    check::directories,
    read::{load, sources::Sources},
};

/// The file's name in each of the directories.
const FILE: &str = "admin.sock";

/// The directory of the unit and of the image (`RuntimeDirectory=`).
const SYSTEM_DIRECTORY: &str = "/run/ninjaone-proxy";

const PROGRAM: &str = "ninjaone-proxy";

/// In `$RUNTIME_DIRECTORY`, else in the store's directory, else in `$XDG_RUNTIME_DIR/ninjaone-proxy`; `None` where there is
/// none of them.
pub(crate) fn default_path<'a>(
    variable: impl Fn(&str) -> Option<&'a str>,
    store: Option<&Path>,
) -> Option<PathBuf> {
    let runtime = set(&variable, "RUNTIME_DIRECTORY")
        // If the unit has several directories, systemd separates them with colons.
        .and_then(|it| it.split(':').next())
        .map(PathBuf::from);
    let directory = runtime
        .or_else(|| store.map(Path::to_owned))
        .or_else(|| user_directory(&variable));
    directory.map(|it| it.join(FILE))
}

/// Where a command looks that was not told, the most likely first.
pub(crate) fn well_known_paths<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Vec<PathBuf> {
    let system = PathBuf::from(SYSTEM_DIRECTORY);
    let directories = [Some(system), user_directory(&variable)];
    let paths = directories.into_iter().flatten().map(|it| it.join(FILE));
    paths.collect()
}

/// Where the socket of a proxy with this configuration may be, the most likely first. Its secrets are not read, and whether its
/// store could be written is not known here, so there are several.
pub(crate) fn configured_paths(sources: &Sources) -> Vec<PathBuf> {
    let settings = load::read(sources).settings;
    let variable = |name: &str| sources.env_var(name);
    match settings.admin.socket.as_deref() {
        Some("") => Vec::new(),
        Some(path) => vec![sources.caller_directory().join(path)],
        None => {
            let store = settings
                .store
                .path
                .map(|it| sources.caller_directory().join(it));
            let stores = store
                .into_iter()
                .chain(directories::default_stores(variable));
            let sockets = stores.map(|it| it.join(FILE));
            sockets.chain(default_path(variable, None)).collect()
        }
    }
}

fn user_directory<'a>(variable: &impl Fn(&str) -> Option<&'a str>) -> Option<PathBuf> {
    let directory = set(variable, "XDG_RUNTIME_DIR").map(PathBuf::from);
    let directory = directory.filter(|it| it.is_absolute() && it.is_dir());
    directory.map(|it| it.join(PROGRAM))
}

fn set<'a>(variable: &impl Fn(&str) -> Option<&'a str>, name: &str) -> Option<&'a str> {
    variable(name).filter(|it| !it.is_empty())
}
