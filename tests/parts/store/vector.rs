//! Frozen files of format 1: what was once written can be opened for ever.

use std::{fs, path::Path};

use ninjaone_proxy::credentials::store::{
    LoginStore,
    seal_key::{SealKey, SealKeys},
    stored_login::{LoginEnd, RenewalMarker, StoredLogin},
};

use super::world::{StoreDirectory, kept, locked, slot};

const HEADER_BYTES: usize = 35;
const BOOT: &str = "0b5c6f0e-3f5c-4d0e-9a55-2f8f4b1d6c11";

/// A store whose files are those of `tests/vectors/store/<name>`.
fn frozen(directory: &StoreDirectory, name: &str, key: SealKey) -> LoginStore {
    let store =
        LoginStore::open(directory.path(), SealKeys::new(key, Vec::new()).unwrap()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors/store")
        .join(name);
    for kind in ["login", "last", "seen"] {
        let file = folder.join(format!("{}.{kind}", slot()));
        directory.put(kind, &fs::read(file).unwrap());
    }
    store
}

/// The login in the frozen files. The boot is no longer the one of the machine that reads.
fn expected() -> StoredLogin {
    let mut expected = kept(2);
    if let Some(access) = &mut expected.access_token {
        access.boot = BOOT.into();
    }
    expected.renewal_marker = Some(RenewalMarker {
        at: expected.logged_in_at,
        by: format!("77@{BOOT}"),
        is_response_lost: true,
    });
    expected.ended = Some(LoginEnd {
        at: expected.refreshed_at,
        reason: "invalid_token".to_owned(),
    });
    expected
}

fn opens_and_is_still_written_so(name: &str, key: SealKey) {
    let directory = StoreDirectory::new();
    let store = frozen(&directory, name, key);
    let found = store.read(&slot()).unwrap().unwrap();
    assert_eq!(found.damage, None);
    assert!(found.login == expected());

    let before = ["login", "seen"].map(|kind| directory.bytes(kind));
    locked(&store).write(&expected()).unwrap();
    let after = ["login", "seen"].map(|kind| directory.bytes(kind));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before[..HEADER_BYTES], after[..HEADER_BYTES]);
        assert_eq!(before.len(), after.len());
        assert_ne!(
            before[HEADER_BYTES..],
            after[HEADER_BYTES..],
            "another nonce"
        );
    }
}

#[test]
fn the_files_of_a_given_key_open() {
    let bytes: Vec<u8> = (0..32).collect();
    opens_and_is_still_written_so("given-key", SealKey::from_bytes(&bytes).unwrap());
}

#[test]
fn the_files_of_a_passphrase_open() {
    let key = SealKey::from_passphrase(b"correct horse battery staple").unwrap();
    opens_and_is_still_written_so("passphrase", key);
}
