//! The store's directory: checks each file after opening it, never by name, and replaces files whole.
//!
//! Another file can get the same name between a check and its use; an open descriptor stays the same file. So the store
//! keeps its directory open and works by descriptor. It reports each step that fails, and leaves the directory's sync to its
//! caller, who writes several files in an order that survives a crash. `crate::files`, which works by path, does not fit.

use std::{
    fs::{self, DirBuilder, File, Metadata, Permissions, TryLockError},
    io::{ErrorKind, Read, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, fchmod, fsync, open, openat, renameat, unlinkat},
    io::Errno,
    process::geteuid,
};

use crate::files::{
    ACCESSIBLE_BY_OTHERS, SAFE_OPEN_FLAGS, forbidden_mode, foreign_owner, sync_directory,
};

use super::error::{FileOperation, StoreError};

/// Longest file that is read, in bytes.
pub(super) const FILE_BYTES_MAX: usize = 64 * 1024;

/// How often locking is tried if the lock file vanishes meanwhile.
const LOCK_ATTEMPTS_MAX: usize = 4;

const DIRECTORY_MODE: u32 = 0o700;
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The open directory.
pub(super) struct StoreDirectory {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl StoreDirectory {
    /// Creates the directory and its parents if they are missing. It is private to us whatever the umask is.
    pub(super) fn create(path: &Path) -> Result<(), StoreError> {
        if exists(path)? {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(path)
            .map_err(|error| StoreError::io(FileOperation::Create, path, error))?;
        fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
            .map_err(|error| StoreError::io(FileOperation::Protect, path, error))?;
        let Some(parent) = path.parent().filter(|it| !it.as_os_str().is_empty()) else {
            return Ok(());
        };
        sync_directory(parent).map_err(|error| StoreError::io(FileOperation::Sync, parent, error))
    }

    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = open(path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP | Errno::NOTDIR if path.is_symlink() => StoreError::Symlink(path.into()),
            Errno::NOTDIR => StoreError::NotADirectory(path.into()),
            errno => StoreError::io(FileOperation::Open, path, errno),
        })?;
        let file = File::from(opened);
        let about = file
            .metadata()
            .map_err(|error| StoreError::io(FileOperation::Inspect, path, error))?;
        if about.uid() != 0 {
            check_owner(path, &about)?;
        }
        check_mode(path, &about, WRITABLE_BY_OTHERS)?;
        Ok(Self {
            descriptor: file.into(),
            path: path.to_owned(),
        })
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether anything has this name.
    pub(super) fn exists(&self, name: &str) -> Result<bool, StoreError> {
        exists(&self.path_of(name))
    }

    /// The bytes of a private file of ours; none if it does not exist.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_up_to(name, FILE_BYTES_MAX)
    }

    /// The same, of a file that may have `longest` bytes.
    pub(super) fn read_up_to(
        &self,
        name: &str,
        longest: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path_of(name);
        let Some(file) = self.open_private(name, OFlags::RDONLY)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(longest as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| StoreError::io(FileOperation::Read, &path, error))?;
        if bytes.len() > longest {
            return Err(StoreError::TooLong { path, longest });
        }
        Ok(Some(bytes))
    }

    /// Replaces a file by renaming `draft` to it: a reader sees the old or the new bytes, nothing else. Durable after
    /// [`StoreDirectory::sync`].
    pub(super) fn replace(&self, name: &str, draft: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let replaced = self.write_draft(draft, bytes).and_then(|()| {
            renameat(&self.descriptor, draft, &self.descriptor, name)
                .map_err(|errno| StoreError::io(FileOperation::Rename, &self.path_of(name), errno))
        });
        if replaced.is_err() {
            // Best effort: the next write removes it first.
            let _ = self.remove(draft);
        }
        replaced
    }

    fn write_draft(&self, draft: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path_of(draft);
        let failed = |step| move |error: std::io::Error| (step, error);
        self.remove(draft)?;
        let flags = SAFE_OPEN_FLAGS | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let opened = openat(&self.descriptor, draft, flags, OWNER_ONLY)
            .map_err(|errno| StoreError::io(FileOperation::Create, &path, errno))?;
        let write = || {
            // A umask may have removed our own permissions.
            fchmod(&opened, OWNER_ONLY).map_err(|errno| (FileOperation::Protect, errno.into()))?;
            let mut file = File::from(opened);
            file.write_all(bytes)
                .map_err(failed(FileOperation::Write))?;
            file.sync_all().map_err(failed(FileOperation::Sync))
        };
        write().map_err(|(step, error)| StoreError::io(step, &path, error))
    }

    /// Makes renames and removals durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        fsync(&self.descriptor)
            .map_err(|errno| StoreError::io(FileOperation::Sync, &self.path, errno))
    }

    /// Removes a name, whatever it refers to. Succeeds if there is none.
    pub(super) fn remove(&self, name: &str) -> Result<(), StoreError> {
        match unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(StoreError::io(
                FileOperation::Remove,
                &self.path_of(name),
                errno,
            )),
        }
    }

    /// Overwrites and removes a file. Renames it to `draft` first, so that nobody reads it half overwritten.
    pub(super) fn wipe(&self, name: &str, draft: &str) -> Result<(), StoreError> {
        match renameat(&self.descriptor, name, &self.descriptor, draft) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => {
                return Err(StoreError::io(
                    FileOperation::Rename,
                    &self.path_of(name),
                    errno,
                ));
            }
        }
        let overwritten = self.overwrite(draft);
        self.remove(draft).and(overwritten)
    }

    /// Overwrites a private file of ours. Skips anything else, which may be somebody else's file under another name.
    fn overwrite(&self, name: &str) -> Result<(), StoreError> {
        let Ok(Some(mut file)) = self.open_private(name, OFlags::WRONLY) else {
            return Ok(());
        };
        let zeros = |file: &mut File| {
            let length = file.metadata()?.len().min(FILE_BYTES_MAX as u64);
            std::io::copy(&mut std::io::repeat(0).take(length), file)?;
            file.sync_all()
        };
        zeros(&mut file)
            .map_err(|error| StoreError::io(FileOperation::Write, &self.path_of(name), error))
    }

    /// Locks the lock file; none if somebody else holds the lock. Closing the file unlocks it.
    pub(super) fn lock(&self, name: &str) -> Result<Option<File>, StoreError> {
        let path = self.path_of(name);
        for _ in 0..LOCK_ATTEMPTS_MAX {
            let Some(file) = self.open_lock(name)? else {
                continue;
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::io(FileOperation::Lock, &path, error));
                }
            }
            // If somebody has removed it meanwhile, another process can lock a new file of the same name.
            let ours = file
                .metadata()
                .map_err(|error| StoreError::io(FileOperation::Inspect, &path, error))?;
            let named = fs::symlink_metadata(&path);
            if named.is_ok_and(|it| (it.dev(), it.ino()) == (ours.dev(), ours.ino())) {
                return Ok(Some(file));
            }
        }
        Err(StoreError::io(
            FileOperation::Lock,
            &path,
            ErrorKind::NotFound,
        ))
    }

    /// None if it was removed between two system calls.
    fn open_lock(&self, name: &str) -> Result<Option<File>, StoreError> {
        let path = self.path_of(name);
        let flags = SAFE_OPEN_FLAGS | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        match openat(&self.descriptor, name, flags, OWNER_ONLY) {
            Ok(made) => {
                fchmod(&made, OWNER_ONLY)
                    .map_err(|errno| StoreError::io(FileOperation::Protect, &path, errno))?;
                Ok(Some(File::from(made)))
            }
            Err(Errno::EXIST) => self.open_private(name, OFlags::RDWR),
            Err(errno) => Err(StoreError::io(FileOperation::Create, &path, errno)),
        }
    }

    /// None if it does not exist.
    fn open_private(&self, name: &str, access: OFlags) -> Result<Option<File>, StoreError> {
        let path = self.path_of(name);
        let file = match openat(
            &self.descriptor,
            name,
            access | SAFE_OPEN_FLAGS,
            Mode::empty(),
        ) {
            Ok(opened) => File::from(opened),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(StoreError::Symlink(path)),
            // A socket, a device that is not there, a pipe without a reader, a directory.
            Err(Errno::NXIO | Errno::NODEV | Errno::ISDIR) => {
                return Err(StoreError::NotAFile(path));
            }
            Err(errno) => return Err(StoreError::io(FileOperation::Open, &path, errno)),
        };
        let about = file
            .metadata()
            .map_err(|error| StoreError::io(FileOperation::Inspect, &path, error))?;
        if !about.is_file() {
            return Err(StoreError::NotAFile(path));
        }
        check_owner(&path, &about)?;
        check_mode(&path, &about, ACCESSIBLE_BY_OTHERS)?;
        // A file without a name was replaced after it was opened, and is still whole.
        if about.nlink() > 1 {
            let links = about.nlink();
            return Err(StoreError::HardLinked { path, links });
        }
        Ok(Some(file))
    }
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io(FileOperation::Inspect, path, error)),
    }
}

fn check_owner(path: &Path, about: &Metadata) -> Result<(), StoreError> {
    match foreign_owner(about) {
        None => Ok(()),
        Some(owner) => Err(StoreError::WrongOwner {
            path: path.to_owned(),
            owner,
            ours: geteuid().as_raw(),
        }),
    }
}

fn check_mode(path: &Path, about: &Metadata, forbidden: u32) -> Result<(), StoreError> {
    match forbidden_mode(about, forbidden) {
        None => Ok(()),
        Some(mode) => Err(StoreError::NotPrivate {
            path: path.to_owned(),
            mode,
        }),
    }
}
