//! Keys and passphrases: a wrong one is told apart from damage, and an old one can be replaced.

use std::fs;

use ninjaone_proxy::credentials::store::{
    LoginStore,
    error::StoreError,
    seal_key::{SEAL_KEYS_MAX, SealKey, SealKeyError, SealKeys},
};

use super::world::{StoreDirectory, error_of, generation, kept, key, locked, slot, write};

fn store(directory: &StoreDirectory, first: SealKey, older: Vec<SealKey>) -> LoginStore {
    LoginStore::open(directory.path(), SealKeys::new(first, older).unwrap()).unwrap()
}

fn passphrase(text: &str) -> SealKey {
    SealKey::from_passphrase(text.as_bytes()).unwrap()
}

#[test]
fn a_key_can_be_written_in_four_ways() {
    let raw: Vec<u8> = (100..132).collect();
    let hex = "6465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283";
    let ways: [Vec<u8>; 6] = [
        raw,
        hex.into(),
        format!(" {}\r\n", hex.to_uppercase()).into(),
        b"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=\n".into(),
        b"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM".into(),
        b"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1-f4CBgoM".into(),
    ];
    let directory = StoreDirectory::new();
    for (generation, way) in (1..).zip(ways) {
        let store = store(&directory, SealKey::from_bytes(&way).unwrap(), Vec::new());
        write(&store, generation);
        assert_eq!(super::world::generation(&store), generation);
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let not_keys: [&[u8]; 7] = [
        b"",
        b"secret",
        &[200; 31],
        &[200; 33],
        b"0123456789abcdef0123456789abcdef",
        &[b'g'; 64],
        b"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOE",
    ];
    for bytes in not_keys {
        let error = SealKey::from_bytes(bytes).err();
        assert_eq!(error, Some(SealKeyError::InvalidKey), "{bytes:?}");
    }
    for text in ["  too short \n".to_owned(), "x".repeat(1025)] {
        let error = SealKey::from_passphrase(text.as_bytes()).err();
        assert_eq!(error, Some(SealKeyError::PassphraseLength));
    }
    let older = |count| std::iter::repeat_with(|| key('b')).take(count).collect();
    assert!(SealKeys::new(key('a'), older(SEAL_KEYS_MAX - 1)).is_ok());
    let error = SealKeys::new(key('a'), older(SEAL_KEYS_MAX)).err();
    assert_eq!(error, Some(SealKeyError::TooManyKeys));
}

#[test]
fn a_wrong_key_is_named_and_writes_over_nothing() {
    let directory = StoreDirectory::with_login(1);
    let wrong = store(&directory, key('b'), Vec::new());
    let error = error_of(wrong.read(&slot()));
    let StoreError::WrongKey { key_id, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(key_id.len(), 16);
    assert_eq!(locked(&wrong).write(&kept(2)).unwrap_err(), error);
    assert_eq!(generation(&directory.store()), 1);
}

#[test]
fn a_key_is_replaced_in_three_steps() {
    let directory = StoreDirectory::with_login(1);
    // Both open, the new one seals from the next write on.
    let both = store(&directory, key('b'), vec![key('a')]);
    assert_eq!(generation(&both), 1);
    write(&both, 2);
    assert!(!locked(&both).reseal().unwrap());
    let only_new = store(&directory, key('b'), Vec::new());
    assert_eq!(generation(&only_new), 2);

    // A slot that nobody writes is sealed again on request.
    let next = store(&directory, key('c'), vec![key('b')]);
    assert!(locked(&next).reseal().unwrap());
    assert!(!locked(&next).reseal().unwrap());
    let only_next = store(&directory, key('c'), Vec::new());
    assert_eq!(generation(&only_next), 2);
    assert_eq!(error_of(only_new.read(&slot())).name(), "wrong-key");
    for kind in ["login", "last", "seen"] {
        assert_eq!(
            directory.bytes(kind)[11..19],
            directory.bytes("login")[11..19]
        );
    }
}

#[test]
fn what_says_that_nothing_is_kept_is_sealed_again_too() {
    let directory = StoreDirectory::with_login(1);
    locked(&directory.store()).erase().unwrap();
    let both = store(&directory, key('b'), vec![key('a')]);
    assert!(locked(&both).reseal().unwrap());
    assert_eq!(generation(&store(&directory, key('b'), Vec::new())), 0);
    assert!(!locked(&StoreDirectory::new().store()).reseal().unwrap());
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_no_other_does() {
    let directory = StoreDirectory::new();
    let words = "correct horse battery staple";
    write(&store(&directory, passphrase(words), Vec::new()), 1);
    let salt = |kind| directory.bytes(kind)[19..35].to_vec();
    assert!(salt("login") != [0; 16] && salt("login") == salt("seen"));

    let other_process = store(&directory, passphrase(&format!("{words}\n")), Vec::new());
    let before = salt("login");
    assert_eq!(generation(&other_process), 1);
    write(&other_process, 2);
    assert_eq!(salt("login"), before, "derived once for the whole store");

    let wrong = store(&directory, passphrase("incorrect horse"), Vec::new());
    let error = error_of(wrong.read(&slot()));
    assert_eq!(error, StoreError::WrongPassphrase(directory.file("seen")));
    assert_eq!(error_of(directory.read()).name(), "passphrase-wrong");

    let mut bytes = directory.bytes("login");
    *bytes.last_mut().unwrap() ^= 1;
    directory.put("login", &bytes);
    fs::remove_file(directory.file("last")).unwrap();
    assert_eq!(error_of(other_process.read(&slot())).name(), "tampered");
}

#[test]
fn a_passphrase_can_be_replaced_by_a_key() {
    let directory = StoreDirectory::new();
    write(
        &store(&directory, passphrase("correct horse"), Vec::new()),
        1,
    );
    let both = store(&directory, key('b'), vec![passphrase("correct horse")]);
    assert!(locked(&both).reseal().unwrap());
    assert_eq!(generation(&store(&directory, key('b'), Vec::new())), 1);
}
