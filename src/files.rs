//! Private files of ours, and files that are written whole or not at all. Logins are written by `credentials/store/directory.rs`.
//!
//! What is checked is the open file, never its name: a name can be given to another file between a check and its use.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, process::geteuid};

/// For the owner alone.
pub const PRIVATE_MODE: u32 = 0o600;

/// The permissions of everybody but the owner.
pub const ACCESSIBLE_BY_OTHERS: u32 = 0o077;

/// How a file of ours is opened: a symbolic link is not followed, and a pipe does not make us wait for its other end.
pub const SAFE_OPEN_FLAGS: OFlags = OFlags::NOFOLLOW
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

const PERMISSION_BITS: u32 = 0o7777;

/// The owner, if it is not the user who runs this program.
#[must_use]
pub fn foreign_owner(about: &Metadata) -> Option<u32> {
    (about.uid() != geteuid().as_raw()).then(|| about.uid())
}

/// The mode (at most `0o7777`), if it has one of the `forbidden` bits.
#[must_use]
pub fn forbidden_mode(about: &Metadata, forbidden: u32) -> Option<u32> {
    let mode = about.mode() & PERMISSION_BITS;
    (mode & forbidden != 0).then_some(mode)
}

/// Writes a file that must not exist, and makes its bytes durable, but not yet its name. A file that could not be written
/// whole is removed again.
///
/// # Errors
/// The file exists, or could not be made or written.
pub fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(path);
    }
    written
}

/// Makes `file`, which must not exist, in `directory`, which is made if need be: whole, durable, or not at all.
///
/// Whoever may read `like` may read them, and nobody but their owner may write. They belong to whom `like` belongs to, if we
/// may give them away: `sudo` must not make files that the service cannot read. For files without secrets.
pub(crate) fn create_atomically(
    like: &Path,
    directory: &Path,
    file: &Path,
    content: &[u8],
) -> io::Result<()> {
    let readers = fs::metadata(like)?.permissions().mode() & 0o044;
    let directory_mode = 0o700 | readers | readers >> 2;
    match DirBuilder::new().mode(directory_mode).create(directory) {
        Ok(()) => copy_owner(directory, like)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let temporary = write_temporary(file, content, PRIVATE_MODE | readers)?;
    let placed = copy_owner(&temporary, like)
        // Unlike a rename, a link never replaces anything.
        .and_then(|()| fs::hard_link(&temporary, file));
    let removed = fs::remove_file(&temporary);
    placed.and(removed)?;
    sync_parent_directory(file)
}

/// Replaces what `file` holds: a reader, or a crash, finds the old content or the new one. Mode and owner stay, and so does a
/// symbolic link that leads to it.
pub(crate) fn replace_atomically(file: &Path, content: &[u8]) -> io::Result<()> {
    let file = &fs::canonicalize(file)?;
    let mode = fs::metadata(file)?.permissions().mode() & 0o777;
    let temporary = write_temporary(file, content, mode)?;
    let placed = copy_owner(&temporary, file).and_then(|()| fs::rename(&temporary, file));
    if placed.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    placed?;
    sync_parent_directory(file)
}

/// Makes the names in the directory of `path` durable.
pub(crate) fn sync_parent_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

/// Makes the names in a directory durable: until then a crash can undo what was made, renamed or removed in it.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// A hidden file beside `file`, durable; the configuration does not read hidden files.
fn write_temporary(file: &Path, content: &[u8], mode: u32) -> io::Result<PathBuf> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let temporary = file.with_file_name(format!(".{name}.{}.new", std::process::id()));
    write_new(&temporary, content, mode).map(|()| temporary)
}

fn copy_owner(path: &Path, like: &Path) -> io::Result<()> {
    let (ours, wanted) = (fs::metadata(path)?, fs::metadata(like)?);
    let is_same = ours.uid() == wanted.uid() && ours.gid() == wanted.gid();
    if is_same || !geteuid().is_root() {
        return Ok(());
    }
    std::os::unix::fs::chown(path, Some(wanted.uid()), Some(wanted.gid()))
}
