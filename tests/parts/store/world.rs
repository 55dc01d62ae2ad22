//! What the tests of the store share: a directory, a key, a login, and the other process.

use std::{
    fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use ninjaone_proxy::{
    clock::{Moment, Reading, Timestamp},
    credentials::store::{
        FoundLogin, LoginStore,
        error::StoreError,
        seal_key::{SealKey, SealKeys},
        stored_login::{Slot, StoredAccessToken, StoredLogin},
    },
    names::IdentityKind,
    secret::Secret,
};
use tempfile::TempDir;

/// All files that a slot can have.
pub(crate) const KINDS: [&str; 5] = ["login", "last", "seen", "lock", "draft"];

/// A directory for a store, which is made by the store itself.
pub(crate) struct StoreDirectory {
    around: TempDir,
    path: PathBuf,
}

impl StoreDirectory {
    pub(crate) fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        let path = around.path().join("store");
        Self { around, path }
    }

    /// With a login of this generation in it, and one of each generation before.
    pub(crate) fn with_login(generation: u64) -> Self {
        let directory = Self::new();
        let store = directory.store();
        for generation in 1..=generation {
            write(&store, generation);
        }
        directory
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that the store's directory is in.
    pub(crate) fn around(&self) -> &Path {
        self.around.path()
    }

    pub(crate) fn store(&self) -> LoginStore {
        open(&self.path)
    }

    /// One of the files of `slot()`.
    pub(crate) fn file(&self, kind: &str) -> PathBuf {
        self.path.join(format!("{}.{kind}", slot()))
    }

    pub(crate) fn bytes(&self, kind: &str) -> Vec<u8> {
        fs::read(self.file(kind)).unwrap()
    }

    /// Puts bytes in place of a file, with the rights that the store asks for.
    pub(crate) fn put(&self, kind: &str, bytes: &[u8]) {
        fs::write(self.file(kind), bytes).unwrap();
        fs::set_permissions(self.file(kind), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn remove(&self, kind: &str) {
        fs::remove_file(self.file(kind)).unwrap();
    }

    /// Makes an empty file with these rights.
    pub(crate) fn make(&self, kind: &str, mode: u32) {
        let file = fs::File::options()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(self.file(kind))
            .unwrap();
        file.set_permissions(fs::Permissions::from_mode(mode))
            .unwrap();
    }

    pub(crate) fn read(&self) -> Result<Option<FoundLogin>, StoreError> {
        self.store().read(&slot())
    }

    /// The error that a reader and a writer get alike.
    pub(crate) fn error(&self) -> StoreError {
        let error = error_of(self.read());
        let lock = locked(&self.store());
        assert_eq!(error_of(lock.read()), error);
        assert_eq!(lock.write(&kept(99)).unwrap_err(), error);
        drop(lock);
        assert_eq!(
            error_of(self.read()),
            error,
            "a refused write changes nothing"
        );
        error
    }
}

pub(crate) fn open(directory: &Path) -> LoginStore {
    LoginStore::open(directory, seal_keys()).unwrap()
}

pub(crate) fn slot() -> Slot {
    Slot {
        tenant: "acme".parse().unwrap(),
        identity: IdentityKind::User,
    }
}

pub(crate) fn key(digit: char) -> SealKey {
    let hex = format!("0123456789abcdef{}", digit.to_string().repeat(48));
    SealKey::from_bytes(hex.as_bytes()).unwrap()
}

pub(crate) fn seal_keys() -> SealKeys {
    SealKeys::new(key('a'), Vec::new()).unwrap()
}

/// A login whose every field tells its generation.
pub(crate) fn kept(generation: u64) -> StoredLogin {
    let moment = Moment::from_boot_millis(generation * 1000);
    let at = Timestamp::from_unix_micros(1_763_388_131_123_456);
    StoredLogin {
        generation,
        client_id: "client-1".to_owned(),
        host: "eu.ninjarmm.com".to_owned(),
        scopes: ["monitoring", "offline_access"].map(Box::from).into(),
        logged_in_at: at,
        refreshed_at: at.plus(std::time::Duration::from_secs(generation)),
        refresh_token: Some(Secret::new(format!("CANARY-refresh-{generation}"))),
        access_token: Some(StoredAccessToken::dated(
            Secret::new(format!("CANARY-access-{generation}")),
            Reading { moment, at },
            std::time::Duration::from_hours(1),
        )),
        renewal_marker: None,
        ended: None,
    }
}

pub(crate) fn locked(store: &LoginStore) -> ninjaone_proxy::credentials::store::SlotLock {
    store
        .try_lock(&slot())
        .unwrap()
        .expect("nobody has the lock")
}

pub(crate) fn write(store: &LoginStore, generation: u64) {
    locked(store).write(&kept(generation)).unwrap();
}

/// The generation that is kept, read without the lock; 0 where nothing is.
pub(crate) fn generation(store: &LoginStore) -> u64 {
    store.read(&slot()).unwrap().map_or(0, |found| {
        assert_eq!(found.damage, None);
        assert!(
            found.login == kept(found.login.generation),
            "a whole record"
        );
        found.login.generation
    })
}

/// Neither a login nor a store has a `Debug`, so `unwrap_err` is not to be had.
pub(crate) fn error_of<T>(result: Result<T, StoreError>) -> StoreError {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error,
    }
}
