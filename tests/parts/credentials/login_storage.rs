//! A user's login on a disk that cannot be written.

use std::{fs, path::PathBuf, time::Duration};

use ninjaone_proxy::credentials::{
    login::renewal_error::RenewalError,
    store::{
        LoginStore,
        seal_key::{SealKey, SealKeys},
    },
    token::event::TokenEventKind,
};

use super::{
    login::{login, refresh_token, renewer, rotating, usual, with_access, write},
    server::{LONG, Server, USUAL},
};

/// A store on disk that can be put out of order.
struct Disk {
    store: LoginStore,
    directory: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = SealKeys::new(SealKey::from_bytes(&[7; 32]).unwrap(), Vec::new()).unwrap();
        let store = LoginStore::open(directory.path(), keys).unwrap();
        Self { store, directory }
    }

    /// Something stands where new records are drafted.
    fn refuse_writes(&self) {
        fs::create_dir(self.draft()).unwrap();
    }

    fn take_writes(&self) {
        fs::remove_dir(self.draft()).unwrap();
    }

    fn draft(&self) -> PathBuf {
        self.directory.path().join("acme.user.draft")
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_used_shown_and_stored_as_soon_as_it_can_be() {
    let server = Server::start(rotating).await;
    let all = u32::try_from(server.turns.available_permits()).unwrap();
    server.turns.acquire_many(all).await.unwrap().forget();
    server.turns.add_permits(1);
    let disk = Disk::new();
    write(&disk.store, &login(&server, Some("canary-refresh-1")));
    let mut kept = usual(&server, &disk.store);
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);
    while server.calls() < 2 {
        tokio::task::yield_now().await;
    }

    disk.refuse_writes();
    server.turns.add_permits(10);

    assert_eq!(kept.next().await.kind, TokenEventKind::Minted);
    let event = kept.next().await;
    assert_eq!(event.kind, TokenEventKind::PersistFailed);
    assert!(event.store_fault.is_some());
    let token = kept.cell.wait_for_token(LONG).await.ok().unwrap();
    assert_eq!(token.authorization(), "Bearer canary-access-2");
    let state = kept.cell.snapshot().login.unwrap();
    assert!(state.unsaved_since.is_some() && state.store_fault.is_some());

    disk.take_writes();

    assert_eq!(kept.next().await.kind, TokenEventKind::Persisted);
    assert_eq!(refresh_token(&disk.store), "canary-refresh-2");
    let state = kept.cell.snapshot().login.unwrap();
    assert!(state.unsaved_since.is_none() && state.store_fault.is_none());
}

#[tokio::test]
async fn while_the_token_is_good_nothing_is_risked_with_a_store_that_fails() {
    let server = Server::start(rotating).await;
    let disk = Disk::new();
    let login = login(&server, Some("canary-refresh-1"));
    write(&disk.store, &with_access(login, "canary-kept", LONG * 100));
    let keepalive = Duration::from_secs(1);
    let mut kept = renewer(&server, &disk.store, USUAL, keepalive);
    assert_eq!(kept.next().await.kind, TokenEventKind::Adopted);

    disk.refuse_writes();

    assert_eq!(kept.refused().await, RenewalError::Store);
    assert!(kept.cell.current().is_some());
    // The host may be asked for its paths: that uses up nothing.
    let seen = server.seen.lock().unwrap().clone();
    assert!(seen.iter().all(|it| it.starts_with("GET ")), "{seen:?}");
    disk.take_writes();
    assert_eq!(kept.next().await.kind, TokenEventKind::Renewed);
}
