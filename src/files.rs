//! Private files of ours, and files that are written whole or not at all. Logins are written by `credentials/store/directory.rs`.
//!
//! What is checked is the open file, never its name: a name can be given to another file between a check and its use.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::{
        ffi::OsStringExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid},
    io::Errno,
    process::geteuid,
};

use crate::{random::random_u64, shell_word::shell_word};

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

/// Whether both paths lead to one file, a link or not.
#[must_use]
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

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
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
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
///
/// The directory, opened, in which it was made: [`remove_durably`] takes it back from there, whatever the path leads to by then.
pub(crate) fn create_atomically(
    like: &Path,
    directory: &Path,
    file: &OsStr,
    content: &[u8],
) -> io::Result<File> {
    let like = fs::metadata(like)?;
    let readers = like.permissions().mode() & 0o044;
    let directory_mode = 0o700 | readers | readers >> 2;
    let directory = match DirBuilder::new().mode(directory_mode).create(directory) {
        Ok(()) => {
            let made = File::from(rustix::fs::open(
                directory,
                OFlags::DIRECTORY | SAFE_OPEN_FLAGS,
                Mode::empty(),
            )?);
            copy_owner(&made, &like)?;
            made
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_directory(directory)?,
        Err(error) => return Err(error),
    };
    let (temporary, written) = write_temporary(&directory, file, content, PRIVATE_MODE | readers)?;
    let placed = copy_owner(&written, &like).and_then(|()| {
        // Unlike a rename, a link never replaces anything.
        let flags = AtFlags::empty();
        rustix::fs::linkat(&directory, &temporary, &directory, file, flags).map_err(io::Error::from)
    });
    let removed = rustix::fs::unlinkat(&directory, &temporary, AtFlags::empty());
    placed?;
    removed?;
    directory.sync_all()?;
    Ok(directory)
}

/// Opens the directory of `file` to remove it there, and gives what it is called in it; see [`create_atomically`] about links.
pub(crate) fn open_parent_directory(file: &Path) -> io::Result<(File, &OsStr)> {
    let (directory, name) = split(file)?;
    Ok((open_directory(directory)?, name))
}

/// Removes a file, or a link to one, and makes that durable.
pub(crate) fn remove_durably(directory: &File, name: &OsStr) -> io::Result<()> {
    rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
    directory.sync_all()
}

/// Replaces what `file` holds: a reader, or a crash, finds the old content or the new one. Mode and owner stay, and so does a
/// symbolic link that leads to it.
pub(crate) fn replace_atomically(file: &Path, content: &[u8]) -> io::Result<()> {
    let (directory, name, old) = open_in_directory(file)?;
    let (temporary, written) = write_temporary(&directory, &name, content, PRIVATE_MODE)?;
    let placed = copy_owner(&written, &old)
        .and_then(|()| written.set_permissions(Permissions::from_mode(old.mode() & 0o777)))
        .and_then(|()| {
            rustix::fs::renameat(&directory, &temporary, &directory, &name).map_err(io::Error::from)
        });
    if placed.is_err() {
        // The first error is the one to tell.
        let _ = rustix::fs::unlinkat(&directory, &temporary, AtFlags::empty());
    }
    placed?;
    directory.sync_all()
}

/// Makes the names in a directory durable: until then a crash can undo what was made, renamed or removed in it.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// A hidden file for the content of `name`, durable; the configuration does not read hidden files. Gives its name, which nobody
/// can foretell, and the file itself.
fn write_temporary(
    directory: &File,
    name: &OsStr,
    content: &[u8],
    mode: u32,
) -> io::Result<(String, File)> {
    let temporary = format!(".{}.{:016x}.new", name.to_string_lossy(), random_u64());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | SAFE_OPEN_FLAGS;
    let mut file = File::from(rustix::fs::openat(
        directory,
        &temporary,
        flags,
        Mode::from_raw_mode(mode),
    )?);
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        // The first error is the one to tell.
        let _ = rustix::fs::unlinkat(directory, &temporary, AtFlags::empty());
    }
    written.map(|()| (temporary, file))
}

/// The directory of `file`, what it is called there, and what is known of the file itself. A symbolic link is followed.
fn open_in_directory(file: &Path) -> io::Result<(File, OsString, Metadata)> {
    let (directory, name) = split(file)?;
    let opened = open_directory(directory)?;
    match open_for_metadata(&opened, name) {
        Ok(about) => return Ok((opened, name.to_owned(), about)),
        Err(Errno::LOOP) => {}
        Err(error) => return Err(error.into()),
    }
    let link = SymbolicLink::open(&opened, name)?;
    let target = fs::canonicalize(directory.join(&link.target))?;
    let (directory, name) = split(&target)?;
    let opened = File::open(directory)?;
    let about = open_for_metadata(&opened, name)?;
    link.check(file, &about)?;
    Ok((opened, name.to_owned(), about))
}

/// Opens a directory to write in. Root does not follow a link into a directory that the link's owner does not own: whoever may
/// write beside us would choose where root writes.
fn open_directory(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | SAFE_OPEN_FLAGS;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(directory) => return Ok(directory.into()),
        // Linux says the second of a link that is to be a directory, others the first.
        Err(Errno::LOOP | Errno::NOTDIR) => {}
        Err(error) => return Err(error.into()),
    }
    let link = SymbolicLink::open(CWD, path)?;
    let target = path.parent().unwrap_or(Path::new("")).join(&link.target);
    let directory = File::open(target)?;
    let about = directory.metadata()?;
    if !about.is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    link.check(path, &about)?;
    Ok(directory)
}

fn open_for_metadata(directory: &File, name: &OsStr) -> Result<Metadata, Errno> {
    let file = rustix::fs::openat(directory, name, SAFE_OPEN_FLAGS, Mode::empty())?;
    let about = File::from(file).metadata();
    about.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn split(file: &Path) -> io::Result<(&Path, &OsStr)> {
    let name = file.file_name().ok_or(Errno::ISDIR)?;
    match file.parent() {
        Some(parent) if parent != Path::new("") => Ok((parent, name)),
        _ => Ok((Path::new("."), name)),
    }
}

/// A link as it was at one moment: its owner cannot exchange it between a look at who that is and a look at where it leads.
struct SymbolicLink {
    owner: u32,
    target: PathBuf,
}

impl SymbolicLink {
    fn open(directory: impl std::os::fd::AsFd, name: impl rustix::path::Arg) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = rustix::fs::openat(directory, name, flags, Mode::empty())?;
        let target = rustix::fs::readlinkat(&link, "", Vec::new())?;
        Ok(Self {
            owner: File::from(link).metadata()?.uid(),
            target: OsString::from_vec(target.into_bytes()).into(),
        })
    }

    /// Whether its owner might as well have put what it leads to in its place.
    fn check(&self, path: &Path, led_to: &Metadata) -> io::Result<()> {
        if !geteuid().is_root() || self.owner == 0 || self.owner == led_to.uid() {
            return Ok(());
        }
        let (path, owner) = (shell_word(&path.to_string_lossy()), self.owner);
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "it is reached by a symbolic link of user {owner} to what is not theirs, which root does not follow; if it is right: chown -h root {path}"
            ),
        ))
    }
}

/// Gives a file of ours to the owner of another, if we may.
fn copy_owner(ours: &File, like: &Metadata) -> io::Result<()> {
    let about = ours.metadata()?;
    let is_same = about.uid() == like.uid() && about.gid() == like.gid();
    if is_same || !geteuid().is_root() {
        return Ok(());
    }
    // Somebody has put a directory of theirs in the place of the one that we made.
    if foreign_owner(&about).is_some() {
        return Err(Errno::PERM.into());
    }
    let (user, group) = (Uid::from_raw(like.uid()), Gid::from_raw(like.gid()));
    Ok(rustix::fs::fchown(ours, Some(user), Some(group))?)
}
