//! Whether a path can have been put there by somebody who is neither root, nor us, nor the one whom it is expected to belong to.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use rustix::process::geteuid;

/// Others may write here (chmod(2)).
const WRITABLE_BY_OTHERS: u32 = 0o002;
/// Of a directory in which only the owner of an entry may rename or remove it.
const STICKY: u32 = 0o1000;

/// Whether `owner` alone, besides root and us, can have made this file: nobody else may put anything where it is, or where a
/// directory above it is. `path` has no links.
pub(super) fn only_made_by(owner: u32, path: &Path) -> bool {
    let mut below = path;
    path.ancestors().skip(1).all(|directory| {
        let is_safe = is_safe(directory, below, owner);
        below = directory;
        is_safe
    })
}

/// Whether this file and the directories above it are root's and ours, so that nobody else says what it and those beside it
/// hold. `path` has no links.
pub(super) fn is_ours(path: &Path) -> bool {
    let us = geteuid().as_raw();
    let is_file_ours = fs::symlink_metadata(path).is_ok_and(|it| is_root_or_us(it.uid()));
    let directory = path.parent().map(fs::symlink_metadata);
    let is_closed = matches!(directory, Some(Ok(it)) if it.mode() & WRITABLE_BY_OTHERS == 0);
    is_file_ours && is_closed && only_made_by(us, path)
}

/// Whether nobody but `owner`, root and us can have put `below` into this directory.
fn is_safe(directory: &Path, below: &Path, owner: u32) -> bool {
    let Ok(found) = fs::symlink_metadata(directory) else {
        return false;
    };
    let is_trusted = found.uid() == owner || is_root_or_us(found.uid());
    let is_closed = found.mode() & WRITABLE_BY_OTHERS == 0;
    // Others may put their own there, but nothing of root's or ours.
    let is_protected = found.mode() & STICKY != 0
        && fs::symlink_metadata(below).is_ok_and(|it| is_root_or_us(it.uid()));
    is_trusted && (is_closed || is_protected)
}

fn is_root_or_us(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::{io, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_file_in_a_closed_directory_of_ours_is_ours() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().canonicalize()?.join("config.toml");
        fs::write(&path, "")?;
        assert!(is_ours(&path), "even below /tmp");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777))?;
        assert!(!is_ours(&path));
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777))?;
        assert!(!is_ours(&path), "others may put files beside it");
        Ok(())
    }
}
