//! Writes files atomically: after a crash there is the old file or the new one, never part of one.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Creates `file`, which must not exist, in `directory`, which is created if needed. They are readable for whoever can read
/// `like` and writable for their owner only. They get the owner of `like` if this process may change it, so that `sudo` does
/// not create files that the service cannot read. They hold digests, no secrets.
pub(super) fn create_new(
    like: &Path,
    directory: &Path,
    file: &Path,
    content: &[u8],
) -> io::Result<()> {
    let readers = fs::metadata(like)?.permissions().mode() & 0o044;
    let directory_mode = 0o700 | readers | readers >> 2;
    match DirBuilder::new().mode(directory_mode).create(directory) {
        Ok(()) => give_like(directory, like)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let beside = write_beside(file, content, 0o600 | readers)?;
    let placed = give_like(&beside, like)
        // Unlike a rename, a hard link never replaces anything.
        .and_then(|()| fs::hard_link(&beside, file));
    let removed = fs::remove_file(&beside);
    placed.and(removed)?;
    sync_directory(file)
}

/// Replaces the content of `file` atomically; mode and owner stay.
pub(super) fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(file)?.permissions().mode() & 0o777;
    let beside = write_beside(file, content, mode)?;
    let placed = give_like(&beside, file).and_then(|()| fs::rename(&beside, file));
    if placed.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    placed?;
    sync_directory(file)
}

/// Syncs the directory of `file`, so that the new name is durable.
pub(super) fn sync_directory(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Writes and syncs a hidden file beside `file`. It is not read as a caller file.
fn write_beside(file: &Path, content: &[u8], mode: u32) -> io::Result<PathBuf> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)?;
    let written = new.write_all(content).and_then(|()| new.sync_all());
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written.map(|()| beside)
}

fn give_like(path: &Path, like: &Path) -> io::Result<()> {
    let (ours, wanted) = (fs::metadata(path)?, fs::metadata(like)?);
    let is_same = ours.uid() == wanted.uid() && ours.gid() == wanted.gid();
    if is_same || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    std::os::unix::fs::chown(path, Some(wanted.uid()), Some(wanted.gid()))
}
