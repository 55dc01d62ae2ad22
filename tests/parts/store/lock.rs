//! One writer at a time, among processes and among the tasks of one process.

use std::time::Duration;

use ninjaone_proxy::credentials::store::{LoginStore, error::StoreError};
use tokio::task::JoinSet;

use super::{
    child::{Child, ROUNDS, Task, count_once},
    world::{StoreDirectory, error_of, generation, locked, slot},
};

#[test]
fn processes_never_hold_the_lock_at_once_and_no_write_is_lost() {
    for processes in [2, 8] {
        let directory = StoreDirectory::new();
        let started: Vec<_> = (0..processes)
            .map(|_| Child::new(Task::Count, directory.path()).start())
            .collect();
        for child in started {
            assert!(child.end());
        }
        assert_eq!(generation(&directory.store()), processes * ROUNDS);
    }
}

#[tokio::test]
async fn tasks_never_hold_the_lock_at_once_and_no_write_is_lost() {
    for memory in [true, false] {
        let directory = StoreDirectory::new();
        let store = if memory {
            LoginStore::memory()
        } else {
            directory.store()
        };
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (store, path) = (store.clone(), directory.path().to_owned());
            tasks.spawn(async move {
                for _ in 0..4 {
                    count_once(&store, &path).await;
                }
            });
        }
        tasks.join_all().await;
        assert_eq!(generation(&store), 32);
    }
}

#[test]
fn a_reader_without_the_lock_sees_whole_logins_while_another_process_writes() {
    for task in [Task::WriteForever, Task::ForgetForever] {
        let directory = StoreDirectory::new();
        let store = directory.store();
        let mut child = Child::new(task, directory.path()).start();
        for _ in 0..30 {
            child.hear().unwrap();
            for _ in 0..40 {
                generation(&store);
            }
        }
        child.kill();
    }
}

#[tokio::test]
async fn who_waits_too_long_is_told_so_and_a_lock_ends_with_its_process() {
    let directory = StoreDirectory::with_login(1);
    let store = directory.store();
    let mut child = Child::new(Task::Hold, directory.path()).start();
    assert_eq!(child.hear().unwrap(), "holds");
    assert!(store.try_lock(&slot()).unwrap().is_none());
    let error = error_of(store.lock(&slot(), Duration::from_millis(50)).await);
    let path = directory.file("lock");
    assert_eq!(
        error,
        StoreError::Busy {
            path,
            waited_ms: 50
        }
    );
    assert_eq!(generation(&store), 1, "reading needs no lock");

    child.kill();
    let lock = store.lock(&slot(), Duration::from_secs(5)).await;
    assert!(lock.is_ok());
}

#[tokio::test]
async fn a_lock_is_free_when_it_is_dropped_and_moves_between_threads() {
    let directory = StoreDirectory::new();
    for store in [LoginStore::memory(), directory.store()] {
        let lock = locked(&store);
        assert!(store.try_lock(&slot()).unwrap().is_none());
        let written = tokio::task::spawn_blocking(move || {
            lock.write(&super::world::kept(1)).unwrap();
        });
        written.await.unwrap();
        drop(locked(&store));
    }
}

#[test]
fn a_lock_file_that_was_removed_does_not_let_two_in_for_long() {
    let directory = StoreDirectory::with_login(1);
    let first = locked(&directory.store());
    directory.remove("lock");
    // Whoever removes the file breaks the lock of the present holder; the next ones exclude each other again.
    let second = locked(&directory.store());
    assert!(directory.store().try_lock(&slot()).unwrap().is_none());
    drop((first, second));
}
