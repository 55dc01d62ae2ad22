//! The disk fails at every step, one after the other: the failure is reported, and the old or the new login is there.
//!
//! `strace` makes the system calls fail that touch the store, in a child process.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use super::{
    child::{Child, Task, is_long},
    world::{KINDS, StoreDirectory, generation, kept, locked, slot, write},
};

/// Each with the ways in which it can fail. `?` because not every architecture has both names.
const FAILURES: [(&str, &[&str]); 10] = [
    ("openat", &["EIO", "EROFS", "ENOSPC", "EMFILE"]),
    ("write", &["EIO", "ENOSPC", "EDQUOT"]),
    ("fsync", &["EIO", "ENOSPC", "EROFS"]),
    ("?rename,?renameat,renameat2", &["EIO", "EROFS", "ENOSPC"]),
    ("?unlink,unlinkat", &["EIO", "EROFS"]),
    ("?chmod,fchmod,fchmodat", &["EIO", "EROFS"]),
    ("?mkdir,mkdirat", &["ENOSPC", "EROFS"]),
    ("read", &["EIO"]),
    ("?fstat,?newfstatat,statx", &["EIO"]),
    ("flock", &["ENOLCK"]),
];

/// More than any task makes of one kind.
const CALLS_MAX: usize = 60;

/// Fewer would mean that the calls have other names here, and that little was tried.
const CALLS_MIN: usize = 40;

/// What a child said while the `at`-th of the calls failed; none if it makes fewer.
fn run(
    task: Task,
    directory: &StoreDirectory,
    calls: &str,
    error: &str,
    at: usize,
) -> Option<String> {
    let log = directory.around().join("strace.log");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&log);
    strace.args(["-e", &format!("trace={calls}")]);
    strace.args(["-e", &format!("inject={calls}:error={error}:when={at}")]);
    for path in paths(directory) {
        strace.arg("-P").arg(path);
    }
    let said = Child::under(strace, task, directory.path()).output();
    let log = fs::read_to_string(&log).expect("strace is installed and may trace");
    log.contains("(INJECTED)").then_some(said)
}

fn paths(directory: &StoreDirectory) -> Vec<std::path::PathBuf> {
    let around = fs::canonicalize(directory.around()).unwrap();
    let files = KINDS.map(|kind| directory.file(kind));
    [around, directory.path().to_owned()]
        .into_iter()
        .chain(files)
        .collect()
}

/// Lets every call of every kind fail once, in one of its ways by turns; with `NJP_LONG=1` in all of them.
///
/// `check` looks at what the child said and left. Gives how many calls failed.
fn fail_each_call(
    task: Task,
    prepare: impl Fn() -> StoreDirectory,
    check: impl Fn(&StoreDirectory, &str, &str),
) -> usize {
    let mut failed = 0;
    for (calls, errors) in FAILURES {
        for at in 1..CALLS_MAX {
            let ways = if is_long() {
                0..errors.len()
            } else {
                at % errors.len()..at % errors.len() + 1
            };
            let before = failed;
            for error in &errors[ways] {
                let directory = prepare();
                if let Some(said) = run(task, &directory, calls, error, at) {
                    failed += 1;
                    check(
                        &directory,
                        &said,
                        &format!("{task:?} {calls} {error} {at}: {said}"),
                    );
                }
            }
            if failed == before {
                break;
            }
            assert!(at + 1 < CALLS_MAX, "{calls} does not end");
        }
    }
    failed
}

/// Not told is what does no harm: what another process left is removed by the next write, too, the look for the lock's
/// file is repeated, and closing a lock lets go of it as well as unlocking does.
fn was_told(said: &str, case: &str) {
    let harmless = ["unlink", "statx", "flock ENOLCK 2"];
    let harmless = harmless.iter().any(|it| case.contains(it));
    assert!(harmless || said.starts_with("error "), "{case}");
}

#[test]
fn a_failing_disk_loses_no_login_and_is_told() {
    let failed = fail_each_call(
        Task::Write,
        || StoreDirectory::with_login(1),
        |directory, said, case| {
            was_told(said, case);
            let now = generation(&directory.store());
            let stored = said.contains("stored 2");
            assert!(now == 2 || now == 1 && !stored, "{case}");
            write(&directory.store(), now + 1);
            assert_eq!(generation(&directory.store()), now + 1, "{case}");
        },
    );
    assert!(failed > CALLS_MIN, "{failed}");
}

#[test]
fn a_failing_disk_spoils_no_first_login() {
    let failed = fail_each_call(Task::Write, StoreDirectory::new, |directory, said, case| {
        was_told(said, case);
        let now = generation(&directory.store());
        assert!(now == 1 || now == 0 && !said.contains("stored"), "{case}");
        write(&directory.store(), 1);
        assert_eq!(generation(&directory.store()), 1, "{case}");
    });
    assert!(failed > CALLS_MIN, "{failed}");
}

#[test]
fn a_failing_disk_makes_no_half_logout() {
    let prepare = || StoreDirectory::with_login(1);
    let failed = fail_each_call(Task::Forget, prepare, |directory, said, case| {
        let now = generation(&directory.store());
        assert!(now == 0 || !said.contains("forgot"), "{case}");
        locked(&directory.store()).erase().unwrap();
        assert_eq!(generation(&directory.store()), 0, "{case}");
        let left: BTreeSet<_> = names(directory.path());
        let expected = ["lock", "seen"].map(|kind| format!("{}.{kind}", slot()));
        assert_eq!(left, BTreeSet::from(expected), "{case}");
        locked(&directory.store()).write(&kept(1)).unwrap();
    });
    assert!(failed > CALLS_MIN, "{failed}");
}

fn names(directory: &Path) -> BTreeSet<String> {
    let items = fs::read_dir(directory).unwrap();
    let name = |item: std::io::Result<fs::DirEntry>| item.unwrap().file_name();
    items.map(|it| name(it).into_string().unwrap()).collect()
}
