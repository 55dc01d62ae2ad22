//! Measures the room that is left for the log: what its files take, and what the file system has left.

use std::{fs, path::Path, time::Duration};

use rustix::fs::statvfs;

use crate::{
    audit::{
        log_file::list_log_files,
        log_space::{DiskSpace, LogSpace, SpaceLevel, SpaceLimits},
    },
    clock::Moment,
};

/// How often the file system is asked. What we write ourselves is taken off at once.
const DISK_INTERVAL: Duration = Duration::from_secs(1);

/// How often all files are looked at while there is plenty of room. Somebody may have removed old ones.
const FILES_INTERVAL: Duration = Duration::from_mins(1);

/// The room as it was last measured, less what was written since.
pub(super) struct SpaceMeter {
    space: LogSpace,
    disk_asked: Moment,
    files_seen: Moment,
}

impl SpaceMeter {
    pub(super) fn new(directory: &Path, limits: SpaceLimits) -> Self {
        let now = Moment::now();
        let space = LogSpace {
            limits,
            used_bytes: files_bytes(directory).unwrap_or_default(),
            disk: disk_space(directory),
        };
        Self {
            space,
            disk_asked: now,
            files_seen: now,
        }
    }

    pub(super) fn write(&mut self, bytes: u64) {
        self.space.write(bytes);
    }

    /// The room that is left. Where it is short, all of it is measured each second, so that more of it is noticed.
    pub(super) fn measure(&mut self, directory: &Path) -> LogSpace {
        let now = Moment::now();
        if now.since(self.disk_asked) < DISK_INTERVAL {
            return self.space;
        }
        self.disk_asked = now;
        // A directory that is away for a moment keeps what was known of it.
        if let Some(disk) = disk_space(directory) {
            self.space.disk = Some(disk);
        }
        let is_short = self.space.level() != SpaceLevel::Plenty;
        if (is_short || now.since(self.files_seen) >= FILES_INTERVAL)
            && let Some(used) = files_bytes(directory)
        {
            self.files_seen = now;
            self.space.used_bytes = used;
        }
        self.space
    }
}

/// What all files of the log take; none if they cannot be listed.
fn files_bytes(directory: &Path) -> Option<u64> {
    let files = list_log_files(directory).ok()?;
    let sizes = files
        .iter()
        .filter_map(|it| fs::symlink_metadata(&it.path).ok());
    Some(sizes.map(|it| it.len()).sum())
}

/// What an ordinary user may still write; none where the file system does not say.
fn disk_space(directory: &Path) -> Option<DiskSpace> {
    let it = statvfs(directory).ok()?;
    (it.f_blocks > 0).then(|| DiskSpace {
        free_bytes: it.f_bavail.saturating_mul(it.f_frsize),
        total_bytes: it.f_blocks.saturating_mul(it.f_frsize),
    })
}
