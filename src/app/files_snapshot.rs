//! A snapshot of files by their metadata, to notice that one of them changed.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What the metadata of the configuration's files says: enough to notice that one was written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilesSnapshot(Vec<FileState>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct FileState {
    path: PathBuf,
    /// `None` if the file cannot be examined.
    state: Option<FileMetadata>,
}

/// Its content may have changed if this has, or who may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileMetadata {
    inode: u64,
    size_bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    mode: u32,
    owner: (u32, u32),
}

impl FileMetadata {
    fn of(found: &fs::Metadata) -> Self {
        Self {
            inode: found.ino(),
            size_bytes: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            mode: found.mode(),
            owner: (found.uid(), found.gid()),
        }
    }
}

impl FilesSnapshot {
    /// Examines every path, and the entries of those that are directories.
    pub(super) fn take(paths: &[PathBuf]) -> Self {
        let mut seen = Vec::with_capacity(paths.len());
        for path in paths {
            seen.push(file_state(path));
            let Ok(entries) = fs::read_dir(path) else {
                continue;
            };
            let mut within: Vec<_> = entries
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .collect();
            within.sort();
            seen.extend(within.iter().map(|path| file_state(path)));
        }
        Self(seen)
    }
}

fn file_state(path: &Path) -> FileState {
    let state = fs::metadata(path).ok().map(|it| FileMetadata::of(&it));
    FileState {
        path: path.to_owned(),
        state,
    }
}
