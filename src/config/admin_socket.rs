//! Where the admin socket is if the configuration does not say, and where the commands look for it.

use std::path::{Path, PathBuf};

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

fn user_directory<'a>(variable: &impl Fn(&str) -> Option<&'a str>) -> Option<PathBuf> {
    let directory = set(variable, "XDG_RUNTIME_DIR").map(PathBuf::from);
    let directory = directory.filter(|it| it.is_absolute() && it.is_dir());
    directory.map(|it| it.join(PROGRAM))
}

fn set<'a>(variable: &impl Fn(&str) -> Option<&'a str>, name: &str) -> Option<&'a str> {
    variable(name).filter(|it| !it.is_empty())
}
