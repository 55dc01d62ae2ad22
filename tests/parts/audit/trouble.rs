//! Files vanish, shrink or are replaced: no write is sent meanwhile, and then the log continues.

use std::{fs, io::Write, path::Path, time::Duration};

use ninjaone_proxy::{
    audit::{
        ledger::{Ledger, LedgerWriteError},
        verify::{IntegrityError, verify},
    },
    ninjaone::operation::RiskClass,
};
use tempfile::tempdir;
use tokio::time::{Instant, timeout};

use super::world::{
    CLOSE_MAX, answered, lines, log_files, open, options, request, subject, types, until, verdict,
};

/// Detection and recovery take a second each at most, and a busy machine some more.
const SOON: Duration = Duration::from_secs(3);

pub(crate) async fn trouble_is_noticed_by_itself(ledger: &Ledger) {
    let noticed = until("trouble is noticed", || ledger.snapshot().failures > 0);
    timeout(SOON, noticed)
        .await
        .expect("noticed within a second");
}

pub(crate) async fn is_well_again(ledger: &Ledger) {
    let well = until("the log goes on", || {
        let snapshot = ledger.snapshot();
        snapshot.failures > 0 && snapshot.failure.is_none()
    });
    timeout(SOON, well).await.expect("goes on within a second");
    let entry = ledger.write_intent(subject(99, RiskClass::Write)).await;
    entry.expect("changes are served again").close(answered());
}

/// The last file starts by naming the one before, and a gap says what happened.
fn says_what_happened(directory: &Path, why: &str) {
    let newest = log_files(directory).pop().unwrap();
    let text = fs::read_to_string(newest).unwrap();
    let first = text.lines().next().unwrap();
    assert!(first.contains("\"type\":\"rotate\""), "{first}");
    assert!(first.contains(&format!("\"why\":\"{why}\"")), "{first}");
    assert!(text.contains("\"type\":\"gap\""), "{text}");
}

#[tokio::test]
async fn an_intent_is_refused_when_the_file_was_deleted_and_the_next_file_says_so() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    fs::remove_file(log_files(temp_dir.path()).remove(0)).unwrap();

    let refused = ledger.write_intent(subject(1, RiskClass::Write)).await;
    assert_eq!(refused.err(), Some(LedgerWriteError));
    is_well_again(&ledger).await;
    assert!(ledger.close_within("test", CLOSE_MAX));
    says_what_happened(temp_dir.path(), "deleted");
    assert!(!verdict(temp_dir.path()).is_intact());
}

#[tokio::test]
async fn a_deleted_file_is_noticed_without_a_request() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    fs::remove_file(log_files(temp_dir.path()).remove(0)).unwrap();
    trouble_is_noticed_by_itself(&ledger).await;
    is_well_again(&ledger).await;
}

#[tokio::test]
async fn a_file_that_was_cut_is_noticed_and_left_alone() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    let path = log_files(temp_dir.path()).remove(0);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    trouble_is_noticed_by_itself(&ledger).await;
    is_well_again(&ledger).await;
    assert!(ledger.close_within("test", CLOSE_MAX));
    assert_eq!(fs::read(path).unwrap(), b"");
    says_what_happened(temp_dir.path(), "shrunk");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_noticed() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    let path = log_files(temp_dir.path()).remove(0);
    let text = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, text).unwrap();
    trouble_is_noticed_by_itself(&ledger).await;
    is_well_again(&ledger).await;
    assert!(ledger.close_within("test", CLOSE_MAX));
    says_what_happened(temp_dir.path(), "replaced");
    // The copy held all that was written, so the chain is whole.
    assert!(verdict(temp_dir.path()).is_intact());
}

#[tokio::test]
async fn a_file_to_which_somebody_else_wrote_is_noticed() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    let path = log_files(temp_dir.path()).remove(0);
    let mut file = fs::File::options().append(true).open(path).unwrap();
    file.write_all(b"{\"forged\":true}\n").unwrap();
    trouble_is_noticed_by_itself(&ledger).await;
    is_well_again(&ledger).await;
    assert!(ledger.close_within("test", CLOSE_MAX));
    let report = verdict(temp_dir.path());
    assert_eq!(report.breaks_total, 1, "{report:?}");
}

#[tokio::test]
async fn a_directory_that_vanished_is_made_again_and_stays_locked() {
    let temp_dir = tempdir().unwrap();
    let directory = temp_dir.path().join("audit");
    let ledger = open(&directory);
    fs::remove_dir_all(&directory).unwrap();
    trouble_is_noticed_by_itself(&ledger).await;
    is_well_again(&ledger).await;
    assert!(Ledger::open(options(&directory)).is_err());
    assert!(ledger.close_within("test", CLOSE_MAX));
    let report = verify(&directory, &[]).unwrap();
    let first_missing = IntegrityError::Missing { first: 1, last: 1 };
    assert_eq!(report.breaks[0].error, first_missing);
}

#[tokio::test]
async fn while_the_log_is_broken_changes_are_refused_and_reads_are_kept() {
    let temp_dir = tempdir().unwrap();
    let directory = temp_dir.path().join("audit");
    let mut options = options(&directory);
    options.serve_reads_unrecorded = true;
    let ledger = Ledger::open(options).unwrap();
    // A file where the directory should be: it can neither be used nor made again.
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "in the way").unwrap();
    trouble_is_noticed_by_itself(&ledger).await;

    let started = Instant::now();
    for number in 0..50 {
        let refused = ledger.write_intent(subject(number, RiskClass::Write)).await;
        assert_eq!(refused.err(), Some(LedgerWriteError));
        ledger
            .reserve(subject(number, RiskClass::Read))
            .unwrap()
            .close(answered());
    }
    assert!(
        started.elapsed() < SOON,
        "refused at once, not after a wait"
    );
    let broken = ledger.snapshot().failure.unwrap();
    assert!(
        broken.reason.contains("deleted") || broken.reason.contains("cannot"),
        "{broken:?}"
    );

    fs::remove_file(&directory).unwrap();
    is_well_again(&ledger).await;
    assert!(ledger.close_within("test", CLOSE_MAX));
    let outcomes = types(&directory).into_iter().filter(|it| it == "outcome");
    assert_eq!(
        outcomes.count(),
        51,
        "every read served meanwhile, and the change after"
    );
}

#[tokio::test]
async fn reads_are_refused_too_where_nothing_may_go_unrecorded() {
    let temp_dir = tempdir().unwrap();
    let directory = temp_dir.path().join("audit");
    let ledger = open(&directory);
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "in the way").unwrap();
    trouble_is_noticed_by_itself(&ledger).await;
    assert!(ledger.reserve(subject(1, RiskClass::Read)).is_err());
}

#[tokio::test]
async fn what_was_written_to_a_file_that_is_deleted_before_it_is_synced_is_written_again() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    let entry = ledger
        .write_intent(subject(1, RiskClass::Write))
        .await
        .unwrap();
    let path = log_files(temp_dir.path()).remove(0);
    entry.close(answered());
    ledger
        .reserve(subject(2, RiskClass::Read))
        .unwrap()
        .close(answered());
    let written = || fs::read_to_string(&path).unwrap().lines().count() == 4;
    until("both are in the file", written).await;
    fs::remove_file(&path).unwrap();

    trouble_is_noticed_by_itself(&ledger).await;
    is_well_again(&ledger).await;
    assert!(ledger.close_within("test", CLOSE_MAX));
    let lines = lines(temp_dir.path());
    let its =
        |it: &&serde_json::Value| it["type"] == "outcome" && it["request"] == request(1).as_str();
    assert_eq!(lines.iter().filter(its).count(), 1, "{lines:?}");
    let gap = lines.iter().find(|it| it["type"] == "gap").unwrap();
    assert_eq!(gap["lost"], 1, "the read is counted");
}
