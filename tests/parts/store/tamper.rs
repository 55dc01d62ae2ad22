//! Bytes changed, cut or put back: always noticed, each under its own name, and never taken for a logout.

use std::fs;

use ninjaone_proxy::credentials::store::{LoginStore, error::StoreError, stored_login::Slot};

use super::world::{StoreDirectory, error_of, generation, kept, locked, seal_keys, slot, write};

const FORMAT_BYTE: usize = 8;
const KEY_ID_BYTES: std::ops::Range<usize> = 11..19;

#[test]
fn a_file_that_is_cut_at_any_byte_is_noticed() {
    let directory = StoreDirectory::with_login(1);
    directory.remove("last");
    for kind in ["login", "seen"] {
        let whole = directory.bytes(kind);
        for length in 0..whole.len() {
            directory.put(kind, &whole[..length]);
            let error = error_of(directory.read());
            assert_eq!(
                error,
                StoreError::Tampered(directory.file(kind)),
                "{length}"
            );
        }
        let longer = [whole.as_slice(), b"x"].concat();
        directory.put(kind, &longer);
        assert_eq!(
            directory.error(),
            StoreError::Tampered(directory.file(kind))
        );
        directory.put(kind, &whole);
    }
    assert_eq!(generation(&directory.store()), 1);
}

#[test]
fn a_bit_that_is_flipped_in_any_byte_is_noticed() {
    let directory = StoreDirectory::with_login(1);
    directory.remove("last");
    for kind in ["login", "seen"] {
        let whole = directory.bytes(kind);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            directory.put(kind, &bytes);
            let name = match at {
                FORMAT_BYTE => "tampered",
                it if KEY_ID_BYTES.contains(&it) => "wrong-key",
                _ => "tampered",
            };
            assert_eq!(error_of(directory.read()).name(), name, "{kind} {at}");
        }
        directory.put(kind, &whole);
    }
    assert_eq!(generation(&directory.store()), 1);
}

#[test]
fn a_newer_format_is_not_guessed_at() {
    let directory = StoreDirectory::with_login(1);
    let mut bytes = directory.bytes("login");
    bytes[FORMAT_BYTE] = 2;
    directory.put("login", &bytes);
    directory.remove("last");
    let path = directory.file("login");
    assert_eq!(
        directory.error(),
        StoreError::NewerFormat { path, version: 2 }
    );
}

#[test]
fn a_file_that_is_far_too_long_is_not_read() {
    let directory = StoreDirectory::with_login(1);
    directory.remove("last");
    let file = fs::File::options()
        .write(true)
        .open(directory.file("login"));
    file.unwrap().set_len(1 << 40).unwrap();
    assert_eq!(directory.error().name(), "too-long");
}

#[test]
fn a_file_in_the_place_of_another_is_noticed() {
    let directory = StoreDirectory::with_login(1);
    let (login, seen) = (directory.bytes("login"), directory.bytes("seen"));
    directory.remove("last");
    directory.put("login", &seen);
    assert_eq!(directory.error().name(), "tampered");
    directory.put("login", &login);
    directory.put("seen", &login);
    assert_eq!(directory.error().name(), "tampered");

    let other = Slot {
        tenant: "rival".parse().unwrap(),
        ..slot()
    };
    for (kind, bytes) in [("login", login), ("seen", seen)] {
        directory.put(kind, &bytes);
        let path = directory.path().join(format!("{other}.{kind}"));
        fs::rename(directory.file(kind), path).unwrap();
    }
    assert_eq!(error_of(directory.store().read(&other)).name(), "tampered");
}

#[test]
fn a_damaged_login_is_read_from_its_copy_with_a_note_and_made_good_by_the_next_write() {
    let damages = [
        (None, "missing"),
        (Some(vec![]), "tampered"),
        (Some(vec![7; 70_000]), "too-long"),
    ];
    for (bytes, name) in damages {
        let directory = StoreDirectory::with_login(2);
        match bytes {
            None => directory.remove("login"),
            Some(bytes) => directory.put("login", &bytes),
        }
        let found = directory.read().unwrap().unwrap();
        assert!(found.login == kept(2));
        assert_eq!(found.damage.unwrap().name(), name);
        write(&directory.store(), 3);
        assert_eq!(generation(&directory.store()), 3);
    }
}

#[test]
fn a_copy_that_is_older_than_the_mark_is_not_used() {
    let directory = StoreDirectory::with_login(1);
    let old = directory.bytes("last");
    write(&directory.store(), 2);
    directory.put("last", &old);
    directory.remove("login");
    assert_eq!(
        directory.error(),
        StoreError::Missing(directory.file("login"))
    );
}

#[test]
fn a_login_that_is_gone_is_not_a_logout() {
    let directory = StoreDirectory::with_login(1);
    directory.remove("login");
    directory.remove("last");
    assert_eq!(
        directory.error(),
        StoreError::Missing(directory.file("login"))
    );
}

#[test]
fn a_mark_that_is_gone_is_noticed() {
    for left in ["login", "last"] {
        let directory = StoreDirectory::with_login(1);
        directory.remove("seen");
        directory.remove(if left == "login" { "last" } else { "login" });
        assert_eq!(
            directory.error(),
            StoreError::HighWaterMarkMissing(directory.file("seen"))
        );
    }
}

#[test]
fn an_older_login_that_was_put_back_is_noticed_however_it_came_there() {
    let directory = StoreDirectory::with_login(1);
    let (old_login, old_seen) = (directory.bytes("login"), directory.bytes("seen"));
    // The same generation: only its mark was set since.
    write(&directory.store(), 1);
    let (newer_login, newer_seen) = (directory.bytes("login"), directory.bytes("seen"));
    directory.put("login", &old_login);
    let path = directory.file("login");
    let rolled_back = StoreError::RolledBack {
        path,
        found: 1,
        seen: 2,
    };
    assert_eq!(directory.error(), rolled_back);
    directory.put("last", &old_login);
    assert_eq!(directory.error(), rolled_back);

    directory.put("login", &newer_login);
    assert_eq!(generation(&directory.store()), 1);
    // As a crash between the two leaves it: the login is newer than the mark.
    directory.put("seen", &old_seen);
    assert_eq!(generation(&directory.store()), 1);
    directory.put("seen", &newer_seen);
    write(&directory.store(), 2);
    assert_eq!(generation(&directory.store()), 2);
}

#[test]
fn a_new_login_starts_over_whatever_is_there_and_older_files_stay_noticed() {
    let directory = StoreDirectory::with_login(3);
    let old = directory.bytes("login");
    write(&directory.store(), 4);
    directory.put("login", &old);
    assert_eq!(directory.error().name(), "rolled-back");
    locked(&directory.store()).overwrite(&kept(1)).unwrap();
    assert_eq!(generation(&directory.store()), 1);
    directory.put("login", &old);
    assert_eq!(directory.error().name(), "rolled-back");

    for kind in ["login", "last", "seen"] {
        directory.put(kind, b"garbage");
    }
    assert_eq!(directory.error().name(), "tampered");
    locked(&directory.store()).overwrite(&kept(1)).unwrap();
    assert_eq!(generation(&directory.store()), 1);
}

#[test]
fn a_logout_works_on_what_cannot_be_read() {
    let directory = StoreDirectory::with_login(3);
    for kind in ["login", "last", "seen"] {
        directory.put(kind, b"garbage");
    }
    locked(&directory.store()).erase().unwrap();
    assert_eq!(generation(&directory.store()), 0);
}

#[test]
fn errors_say_what_to_do_and_hold_no_secret() {
    let directory = StoreDirectory::with_login(1);
    directory.remove("last");
    directory.put("login", b"CANARY");
    let texts = [
        directory.error(),
        error_of(LoginStore::open("/proc/x".as_ref(), seal_keys())),
    ];
    for error in texts {
        let (said, debug) = (error.to_string(), format!("{error:?}"));
        assert!(!said.contains("CANARY") && !debug.contains("CANARY"));
        assert!(said.contains('/') && said.contains(':'), "{said}");
    }
}
