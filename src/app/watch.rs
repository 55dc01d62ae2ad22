//! Notices that a file of the configuration has changed: by looking, several times a second. That works on every file
//! system, through the symbolic links of a Kubernetes volume too, and costs a few system calls.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often to look. A change is acted upon when it was the same at two looks, so within twice this.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// What files look like from outside: enough to tell that one was written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look(Vec<Seen>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    state: Option<(u64, u64, i64, i64)>,
}

impl Look {
    /// Looks at every path, and at what is in those that are directories.
    #[must_use]
    pub fn at(paths: &[PathBuf]) -> Self {
        let mut seen = Vec::with_capacity(paths.len());
        for path in paths {
            seen.push(look(path));
            let Ok(entries) = fs::read_dir(path) else {
                continue;
            };
            let mut within: Vec<_> = entries
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .collect();
            within.sort();
            seen.extend(within.iter().map(|path| look(path)));
        }
        Self(seen)
    }
}

fn look(path: &Path) -> Seen {
    let state = fs::metadata(path)
        .ok()
        .map(|it| (it.ino(), it.size(), it.mtime(), it.mtime_nsec()));
    Seen {
        path: path.to_owned(),
        state,
    }
}
