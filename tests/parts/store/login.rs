//! A login is written, read, replaced and erased.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use ninjaone_proxy::{
    clock::{Moment, Reading, Timestamp},
    credentials::store::{
        LoginStore,
        error::StoreError,
        stored_login::{LoginEnd, RenewalMarker, Slot, StoredAccessToken},
    },
    names::IdentityKind,
    secret::Secret,
};

use super::world::{
    KINDS, StoreDirectory, error_of, generation, kept, locked, seal_keys, slot, write,
};

#[test]
fn what_is_written_is_read_by_everybody() {
    let directory = StoreDirectory::new();
    for store in [directory.store(), LoginStore::memory()] {
        assert_eq!(generation(&store), 0);
        write(&store, 1);
        assert_eq!(generation(&store), 1);

        let mut more = kept(2);
        more.renewal_marker = Some(RenewalMarker::now());
        more.ended = Some(LoginEnd {
            at: Timestamp::now(),
            reason: "invalid_token".to_owned(),
        });
        more.refresh_token = Some(Secret::new("quotes \" and \\ and \u{7f} é".to_owned()));
        locked(&store).write(&more).unwrap();
        let read = store.clone().read(&slot()).unwrap().unwrap();
        assert!(read.login == more);

        more.refresh_token = None;
        more.access_token = None;
        more.scopes.clear();
        let lock = locked(&store);
        lock.write(&more).unwrap();
        assert!(lock.read().unwrap().unwrap().login == more);
    }
    assert!(
        directory
            .read()
            .unwrap()
            .unwrap()
            .login
            .renewal_marker
            .is_some()
    );
}

#[test]
fn slots_are_apart() {
    let directory = StoreDirectory::with_login(3);
    let store = directory.store();
    let others = [
        ("acme", IdentityKind::Service),
        ("acme.user", IdentityKind::User),
    ];
    for (number, (tenant, identity)) in (10..).zip(others) {
        let tenant = tenant.parse().unwrap();
        let other = Slot { tenant, identity };
        let lock = store.try_lock(&other).unwrap().unwrap();
        assert!(lock.read().unwrap().is_none());
        assert_eq!(lock.slot(), &other);
        lock.write(&kept(number)).unwrap();
    }
    assert_eq!(generation(&store), 3);
}

#[test]
fn a_token_is_dated_in_this_boot_only() {
    let minted = Moment::now();
    let token = Secret::new("CANARY".to_owned());
    let reading = Reading {
        moment: minted,
        at: Timestamp::now(),
    };
    let mut access = StoredAccessToken::dated(token, reading, Duration::from_hours(1));
    let (early, late) = access.moments().unwrap();
    assert!(minted.since(early) < Duration::from_millis(1));
    assert_eq!(late.since(early), Duration::from_hours(1));
    assert_eq!(access.boot.len(), 36, "the kernel said: {}", access.boot);

    access.boot = "another".to_owned();
    assert!(access.moments().is_none());
}

#[test]
fn a_look_tells_whether_something_was_written() {
    let directory = StoreDirectory::new();
    for store in [directory.store(), LoginStore::memory()] {
        let mut before = store.revision(&slot()).unwrap();
        for generation in 1..4 {
            write(&store, generation);
            let after = store.revision(&slot()).unwrap();
            assert_ne!(before, after);
            assert_eq!(after, store.revision(&slot()).unwrap());
            before = after;
        }
        locked(&store).erase().unwrap();
        assert_ne!(before, store.revision(&slot()).unwrap());
    }
}

#[test]
fn nothing_readable_is_on_disk_and_nobody_else_may_look() {
    let directory = StoreDirectory::with_login(2);
    assert_eq!(mode_of(directory.path()), 0o700);
    for item in fs::read_dir(directory.path()).unwrap() {
        let path = item.unwrap().path();
        assert_eq!(mode_of(&path), 0o600, "{}", path.display());
        let bytes = fs::read(&path).unwrap();
        for text in ["CANARY", "client-1", "monitoring"] {
            let mut windows = bytes.windows(text.len());
            assert!(!windows.any(|it| it == text.as_bytes()), "{text}");
        }
    }
    assert!(!directory.file("draft").exists());
}

fn mode_of(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_login_that_is_too_long_is_refused_and_the_old_one_stays() {
    let directory = StoreDirectory::with_login(1);
    let mut long = kept(2);
    long.refresh_token = Some(Secret::new("x".repeat(65_000)));
    let error = locked(&directory.store()).write(&long).unwrap_err();
    assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
    assert_eq!(generation(&directory.store()), 1);

    long.refresh_token = Some(Secret::new("x".repeat(60_000)));
    locked(&directory.store()).write(&long).unwrap();
    assert!(directory.read().unwrap().unwrap().login == long);
}

#[test]
fn a_logout_leaves_no_login_and_the_next_one_can_come() {
    let directory = StoreDirectory::with_login(2);
    for store in [directory.store(), LoginStore::memory()] {
        write(&store, 3);
        for _ in 0..2 {
            locked(&store).erase().unwrap();
            assert_eq!(generation(&store), 0);
        }
        write(&store, 1);
        assert_eq!(generation(&store), 1);
    }
    locked(&directory.store()).erase().unwrap();
    for kind in KINDS {
        let stays = matches!(kind, "seen" | "lock");
        assert_eq!(directory.file(kind).exists(), stays, "{kind}");
    }
}

#[test]
fn a_logout_where_nobody_logged_in_leaves_nothing() {
    let directory = StoreDirectory::new();
    locked(&directory.store()).erase().unwrap();
    assert!(!directory.file("seen").exists());
    assert_eq!(generation(&directory.store()), 0);
}

#[test]
fn a_logout_overwrites_what_it_removes() {
    let directory = StoreDirectory::with_login(1);
    let mut kinds = ["login", "last"].map(|kind| fs::File::open(directory.file(kind)).unwrap());
    locked(&directory.store()).erase().unwrap();
    for file in &mut kinds {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(file, &mut bytes).unwrap();
        assert!(bytes.len() > 100 && bytes.iter().all(|it| *it == 0));
    }
}

#[test]
fn a_login_that_was_put_back_after_a_logout_does_not_count() {
    let directory = StoreDirectory::with_login(2);
    let old = directory.bytes("login");
    locked(&directory.store()).erase().unwrap();
    directory.put("login", &old);
    directory.put("last", &old);
    assert_eq!(generation(&directory.store()), 0);
    write(&directory.store(), 1);
    assert_eq!(generation(&directory.store()), 1);
}

#[test]
fn the_directory_is_made_with_all_above_it() {
    let directory = StoreDirectory::new();
    let deep = directory.around().join("a/b/c");
    let store = LoginStore::open(&deep, seal_keys()).unwrap();
    write(&store, 1);
    assert_eq!(mode_of(&deep), 0o700);

    fs::remove_dir_all(&deep).unwrap();
    let error = error_of(store.read(&slot()));
    assert_eq!(error.name(), "io", "a directory that is gone is no logout");
}
