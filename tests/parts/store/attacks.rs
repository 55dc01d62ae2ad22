//! A directory that somebody else prepared: permissions, links, pipes, owners.

use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::Path,
    process::Command,
};

use ninjaone_proxy::credentials::store::{LoginStore, error::StoreError};

use super::{
    child::{Child, Task},
    world::{StoreDirectory, error_of, generation, kept, locked, seal_keys, slot, write},
};

const SOMEBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A new login cures what was done to the files.
fn is_cured_by_a_login(directory: &StoreDirectory) {
    locked(&directory.store()).overwrite(&kept(1)).unwrap();
    assert_eq!(generation(&directory.store()), 1);
    write(&directory.store(), 2);
    assert_eq!(generation(&directory.store()), 2);
}

#[test]
fn a_umask_changes_nothing() {
    for umask in ["000", "077", "777"] {
        let directory = StoreDirectory::new();
        let said = Child::new(Task::Write, directory.path())
            .env("STORE_TEST_UMASK", umask)
            .output();
        assert_eq!(said, "stored 1");
        for path in ["login", "last", "seen", "lock"].map(|kind| directory.file(kind)) {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{}", path.display());
        }
        let mode = fs::metadata(directory.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        assert_eq!(generation(&directory.store()), 1);
    }
}

#[test]
fn a_file_that_others_can_use_is_refused() {
    for kind in ["login", "seen"] {
        for mode in [0o666, 0o640, 0o604, 0o610] {
            let directory = StoreDirectory::with_login(1);
            set_mode(&directory.file(kind), mode);
            let path = directory.file(kind);
            assert_eq!(directory.error(), StoreError::NotPrivate { path, mode });
            is_cured_by_a_login(&directory);
        }
    }
}

#[test]
fn a_file_that_waits_in_the_place_of_the_first_login_is_refused() {
    let directory = StoreDirectory::new();
    drop(directory.store());
    directory.make("login", 0o666);
    assert_eq!(directory.error().name(), "not-private");
    is_cured_by_a_login(&directory);
}

#[test]
fn a_file_that_waits_in_the_place_of_the_draft_is_not_used() {
    let directory = StoreDirectory::with_login(1);
    let elsewhere = directory.around().join("elsewhere");
    fs::write(&elsewhere, "untouched").unwrap();
    let prepare: [&dyn Fn(); 3] = [
        &|| directory.make("draft", 0o666),
        &|| symlink(&elsewhere, directory.file("draft")).unwrap(),
        &|| fs::hard_link(&elsewhere, directory.file("draft")).unwrap(),
    ];
    for (generation, prepare) in (2..).zip(prepare) {
        let lock = locked(&directory.store());
        prepare();
        lock.write(&kept(generation)).unwrap();
        assert_eq!(super::world::generation(&directory.store()), generation);
    }
    assert_eq!(fs::read(elsewhere).unwrap(), b"untouched");
}

#[test]
fn a_symbolic_link_is_not_followed() {
    for kind in ["login", "seen"] {
        let directory = StoreDirectory::with_login(1);
        let target = directory.around().join("target");
        fs::rename(directory.file(kind), &target).unwrap();
        symlink(&target, directory.file(kind)).unwrap();
        let before = fs::read(&target).unwrap();
        assert_eq!(directory.error(), StoreError::Symlink(directory.file(kind)));
        is_cured_by_a_login(&directory);
        assert_eq!(fs::read(&target).unwrap(), before);
    }
}

#[test]
fn a_logout_touches_nothing_behind_a_link() {
    let directory = StoreDirectory::with_login(1);
    let target = directory.around().join("target");
    fs::write(&target, "untouched").unwrap();
    directory.remove("login");
    directory.remove("last");
    symlink(&target, directory.file("login")).unwrap();
    fs::hard_link(&target, directory.file("last")).unwrap();
    locked(&directory.store()).erase().unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"untouched");
    assert!(!directory.file("login").is_symlink() && !directory.file("last").exists());
}

#[test]
fn a_lock_file_that_others_can_use_is_refused() {
    let directory = StoreDirectory::with_login(1);
    set_mode(&directory.file("lock"), 0o666);
    let error = error_of(directory.store().try_lock(&slot()));
    assert_eq!(error.name(), "not-private");

    directory.remove("lock");
    symlink("/etc/passwd", directory.file("lock")).unwrap();
    let error = error_of(directory.store().try_lock(&slot()));
    assert_eq!(error, StoreError::Symlink(directory.file("lock")));
}

#[test]
fn a_pipe_or_a_directory_is_no_file_and_is_not_waited_for() {
    for kind in ["login", "seen"] {
        let directory = StoreDirectory::with_login(1);
        directory.remove(kind);
        let made = Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(directory.file(kind))
            .status();
        assert!(made.unwrap().success());
        assert_eq!(
            directory.error(),
            StoreError::NotAFile(directory.file(kind))
        );
        is_cured_by_a_login(&directory);

        directory.remove(kind);
        fs::create_dir(directory.file(kind)).unwrap();
        assert_eq!(
            directory.error(),
            StoreError::NotAFile(directory.file(kind))
        );
    }
}

#[test]
fn a_second_name_of_a_file_is_refused() {
    for kind in ["login", "seen"] {
        let directory = StoreDirectory::with_login(1);
        fs::hard_link(directory.file(kind), directory.around().join("second")).unwrap();
        let path = directory.file(kind);
        assert_eq!(directory.error(), StoreError::HardLinked { path, links: 2 });
        is_cured_by_a_login(&directory);
    }
}

#[test]
fn a_file_or_directory_of_somebody_else_is_refused() {
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: a foreign owner, because only root can give files away"
        );
        return;
    }
    let wrong_owner = |path| StoreError::WrongOwner {
        path,
        owner: SOMEBODY,
        ours: 0,
    };
    for kind in ["login", "seen"] {
        let directory = StoreDirectory::with_login(1);
        chown(directory.file(kind), Some(SOMEBODY), None).unwrap();
        assert_eq!(directory.error(), wrong_owner(directory.file(kind)));
        is_cured_by_a_login(&directory);
    }
    let directory = StoreDirectory::with_login(1);
    chown(directory.path(), Some(SOMEBODY), None).unwrap();
    let error = error_of(LoginStore::open(directory.path(), seal_keys()));
    assert_eq!(error, wrong_owner(directory.path().to_owned()));
}

#[test]
fn a_directory_into_which_others_may_write_is_refused() {
    let directory = StoreDirectory::with_login(1);
    let store = directory.store();
    for mode in [0o777, 0o1777, 0o720, 0o702] {
        set_mode(directory.path(), mode);
        let path = directory.path().to_owned();
        let expected = StoreError::NotPrivate { path, mode };
        assert_eq!(
            error_of(LoginStore::open(directory.path(), seal_keys())),
            expected
        );
        assert_eq!(error_of(store.read(&slot())), expected);
        assert_eq!(error_of(store.try_lock(&slot())), expected);
    }
    set_mode(directory.path(), 0o755);
    assert_eq!(generation(&directory.store()), 1);
}

#[test]
fn a_directory_behind_a_symbolic_link_is_refused() {
    let directory = StoreDirectory::with_login(1);
    let link = directory.around().join("link");
    symlink(directory.path(), &link).unwrap();
    let dangling = directory.around().join("dangling");
    symlink(directory.around().join("nowhere"), &dangling).unwrap();
    for (link, given) in [
        (&link, link.clone()),
        (&link, link.join("")),
        (&link, link.join(".")),
        (&dangling, dangling.clone()),
    ] {
        let error = error_of(LoginStore::open(&given, seal_keys()));
        assert_eq!(error, StoreError::Symlink(link.clone()));
    }
    let file = directory.file("login");
    let error = error_of(LoginStore::open(&file, seal_keys()));
    assert_eq!(error, StoreError::NotADirectory(file));
}
