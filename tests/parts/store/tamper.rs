//! Bytes are changed, cut, put back: always noticed, each with its own name, and never taken for a logout.

use std::fs;

use ninjaone_proxy::credentials::store::{LoginStore, error::StoreError, stored_login::Slot};

use super::world::{Place, error_of, generation, kept, locked, seal_keys, slot, write};

const FORMAT_BYTE: usize = 8;
const KEY_ID_BYTES: std::ops::Range<usize> = 11..19;

#[test]
fn a_file_that_is_cut_at_any_byte_is_noticed() {
    let place = Place::with_login(1);
    place.remove("last");
    for kind in ["login", "seen"] {
        let whole = place.bytes(kind);
        for length in 0..whole.len() {
            place.put(kind, &whole[..length]);
            let error = error_of(place.read());
            assert_eq!(error, StoreError::Tampered(place.file(kind)), "{length}");
        }
        let longer = [whole.as_slice(), b"x"].concat();
        place.put(kind, &longer);
        assert_eq!(place.error(), StoreError::Tampered(place.file(kind)));
        place.put(kind, &whole);
    }
    assert_eq!(generation(&place.store()), 1);
}

#[test]
fn a_bit_that_is_flipped_in_any_byte_is_noticed() {
    let place = Place::with_login(1);
    place.remove("last");
    for kind in ["login", "seen"] {
        let whole = place.bytes(kind);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            place.put(kind, &bytes);
            let name = match at {
                FORMAT_BYTE => "tampered",
                it if KEY_ID_BYTES.contains(&it) => "wrong-key",
                _ => "tampered",
            };
            assert_eq!(error_of(place.read()).name(), name, "{kind} {at}");
        }
        place.put(kind, &whole);
    }
    assert_eq!(generation(&place.store()), 1);
}

#[test]
fn a_newer_format_is_not_guessed_at() {
    let place = Place::with_login(1);
    let mut bytes = place.bytes("login");
    bytes[FORMAT_BYTE] = 2;
    place.put("login", &bytes);
    place.remove("last");
    let path = place.file("login");
    assert_eq!(place.error(), StoreError::NewerFormat { path, version: 2 });
}

#[test]
fn a_file_that_is_far_too_long_is_not_read() {
    let place = Place::with_login(1);
    place.remove("last");
    let file = fs::File::options().write(true).open(place.file("login"));
    file.unwrap().set_len(1 << 40).unwrap();
    assert_eq!(place.error().name(), "too-long");
}

#[test]
fn a_file_in_the_place_of_another_is_noticed() {
    let place = Place::with_login(1);
    let (login, seen) = (place.bytes("login"), place.bytes("seen"));
    place.remove("last");
    place.put("login", &seen);
    assert_eq!(place.error().name(), "tampered");
    place.put("login", &login);
    place.put("seen", &login);
    assert_eq!(place.error().name(), "tampered");

    let other = Slot {
        tenant: "rival".parse().unwrap(),
        ..slot()
    };
    for (kind, bytes) in [("login", login), ("seen", seen)] {
        place.put(kind, &bytes);
        let path = place.path().join(format!("{other}.{kind}"));
        fs::rename(place.file(kind), path).unwrap();
    }
    assert_eq!(error_of(place.store().read(&other)).name(), "tampered");
}

#[test]
fn a_damaged_login_is_read_from_its_copy_with_a_note_and_made_good_by_the_next_write() {
    let damages = [
        (None, "missing"),
        (Some(vec![]), "tampered"),
        (Some(vec![7; 70_000]), "too-long"),
    ];
    for (bytes, name) in damages {
        let place = Place::with_login(2);
        match bytes {
            None => place.remove("login"),
            Some(bytes) => place.put("login", &bytes),
        }
        let found = place.read().unwrap().unwrap();
        assert!(found.login == kept(2));
        assert_eq!(found.damage.unwrap().name(), name);
        write(&place.store(), 3);
        assert_eq!(generation(&place.store()), 3);
    }
}

#[test]
fn a_copy_that_is_older_than_the_mark_is_not_used() {
    let place = Place::with_login(1);
    let old = place.bytes("last");
    write(&place.store(), 2);
    place.put("last", &old);
    place.remove("login");
    assert_eq!(place.error(), StoreError::Missing(place.file("login")));
}

#[test]
fn a_login_that_is_gone_is_not_a_logout() {
    let place = Place::with_login(1);
    place.remove("login");
    place.remove("last");
    assert_eq!(place.error(), StoreError::Missing(place.file("login")));
}

#[test]
fn a_mark_that_is_gone_is_noticed() {
    for left in ["login", "last"] {
        let place = Place::with_login(1);
        place.remove("seen");
        place.remove(if left == "login" { "last" } else { "login" });
        assert_eq!(
            place.error(),
            StoreError::HighWaterMarkMissing(place.file("seen"))
        );
    }
}

#[test]
fn an_older_login_that_was_put_back_is_noticed_however_it_came_there() {
    let place = Place::with_login(1);
    let (old_login, old_seen) = (place.bytes("login"), place.bytes("seen"));
    // The same generation: only its mark was set since.
    write(&place.store(), 1);
    let (newer_login, newer_seen) = (place.bytes("login"), place.bytes("seen"));
    place.put("login", &old_login);
    let path = place.file("login");
    let rolled_back = StoreError::RolledBack {
        path,
        found: 1,
        seen: 2,
    };
    assert_eq!(place.error(), rolled_back);
    place.put("last", &old_login);
    assert_eq!(place.error(), rolled_back);

    place.put("login", &newer_login);
    assert_eq!(generation(&place.store()), 1);
    // As a crash between the two leaves it: the login is newer than the mark.
    place.put("seen", &old_seen);
    assert_eq!(generation(&place.store()), 1);
    place.put("seen", &newer_seen);
    write(&place.store(), 2);
    assert_eq!(generation(&place.store()), 2);
}

#[test]
fn a_new_login_starts_over_whatever_is_there_and_older_files_stay_noticed() {
    let place = Place::with_login(3);
    let old = place.bytes("login");
    write(&place.store(), 4);
    place.put("login", &old);
    assert_eq!(place.error().name(), "rolled-back");
    locked(&place.store()).overwrite(&kept(1)).unwrap();
    assert_eq!(generation(&place.store()), 1);
    place.put("login", &old);
    assert_eq!(place.error().name(), "rolled-back");

    for kind in ["login", "last", "seen"] {
        place.put(kind, b"garbage");
    }
    assert_eq!(place.error().name(), "tampered");
    locked(&place.store()).overwrite(&kept(1)).unwrap();
    assert_eq!(generation(&place.store()), 1);
}

#[test]
fn a_logout_works_on_what_cannot_be_read() {
    let place = Place::with_login(3);
    for kind in ["login", "last", "seen"] {
        place.put(kind, b"garbage");
    }
    locked(&place.store()).erase().unwrap();
    assert_eq!(generation(&place.store()), 0);
}

#[test]
fn errors_say_what_to_do_and_hold_no_secret() {
    let place = Place::with_login(1);
    place.remove("last");
    place.put("login", b"CANARY");
    let texts = [
        place.error(),
        error_of(LoginStore::open("/proc/x".as_ref(), seal_keys())),
    ];
    for error in texts {
        let (said, debug) = (error.to_string(), format!("{error:?}"));
        assert!(!said.contains("CANARY") && !debug.contains("CANARY"));
        assert!(said.contains('/') && said.contains(':'), "{said}");
    }
}
