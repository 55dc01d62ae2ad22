//! What the ledger writes, and when.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, thread, time::Duration};

use ninjaone_proxy::{
    audit::{
        entry::{AuditEvent, OutcomeDetails},
        entry_queue::QUEUE_ENTRIES_MAX,
        ledger::{Ledger, LedgerWriteError},
        sink::resume::LedgerOpenError,
        verify::RemarkKind,
    },
    ninjaone::operation::RiskClass,
};
use tempfile::tempdir;

use super::world::{
    CLOSE_MAX, answered, lines, log_files, open, options, refused, request, subject, types,
    verdict, write_some,
};

#[tokio::test]
async fn a_read_leaves_one_line_and_a_change_two() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());

    ledger
        .reserve(subject(1, RiskClass::Read))
        .unwrap()
        .close(answered());
    let entry = ledger.write_intent(subject(2, RiskClass::Dangerous)).await;
    entry.unwrap().close(answered());
    assert!(ledger.close_within("test", CLOSE_MAX));

    let expected = ["start", "outcome", "intent", "outcome", "stop"];
    assert_eq!(types(temp_dir.path()), expected);
    assert!(verdict(temp_dir.path()).is_intact());
}

#[tokio::test]
async fn a_line_has_the_members_of_the_contract_in_their_order() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    ledger
        .reserve(subject(1, RiskClass::Read))
        .unwrap()
        .close(OutcomeDetails {
            upstream_status: Some(204),
            ..answered()
        });
    ledger.flush().await.unwrap();

    let line = lines(temp_dir.path()).pop().unwrap();
    let names: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
    let expected = "v seq at type request boot caller auth on_behalf_of reason peer tenant identity method path \
                    operation class scope decision policy status source upstream_status attempts ninjaone_request duration_us bytes_in \
                    bytes_out prev hash";
    assert_eq!(names.join(" "), expected);
}

#[tokio::test]
async fn an_intent_is_on_disk_when_it_has_been_written() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    for number in 0..20 {
        let entry = ledger
            .write_intent(subject(number, RiskClass::Write))
            .await
            .unwrap();
        let last = lines(temp_dir.path()).pop().unwrap();
        assert_eq!(last["type"], "intent");
        assert_eq!(last["request"], request(number).as_str());
        entry.close(answered());
        ledger.flush().await.unwrap();
    }
}

#[test]
fn intents_of_several_runtimes_are_written_side_by_side() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    thread::scope(|scope| {
        for worker in 0..4 {
            let ledger = ledger.clone();
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.enable_all().build().unwrap();
                runtime.block_on(write_some(&ledger, worker * 100..worker * 100 + 100));
            });
        }
    });
    assert!(ledger.close_within("test", CLOSE_MAX));

    let report = verdict(temp_dir.path());
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.lines, 4 * 125 + 2);
    assert_eq!(report.remarks_total, 0);
}

#[tokio::test]
async fn the_chain_goes_on_across_restarts_and_files() {
    let temp_dir = tempdir().unwrap();
    for run in 0..3 {
        let mut options = options(temp_dir.path());
        options.file_bytes_max = 8 * 1024;
        let ledger = Ledger::open(options).unwrap();
        for number in 0..10 {
            write_some(&ledger, run * 100 + number * 4..run * 100 + number * 4 + 4).await;
            ledger.flush().await.unwrap();
        }
        assert!(ledger.close_within("test", CLOSE_MAX));
    }
    let report = verdict(temp_dir.path());
    assert!(report.is_intact(), "{report:?}");
    assert!(report.files > 3, "{report:?}");
    let rotations = types(temp_dir.path())
        .into_iter()
        .filter(|it| it == "rotate");
    assert_eq!(rotations.count() as u64, report.files - 1);
}

#[tokio::test]
async fn an_intent_that_is_not_durable_in_time_is_refused_and_followed_by_its_refusal() {
    let temp_dir = tempdir().unwrap();
    let mut options = options(temp_dir.path());
    options.intent_wait = Duration::ZERO;
    let ledger = Ledger::open(options).unwrap();
    // A writer that is quick enough is in time even for no wait at all: then the next one is late.
    let mut number = 1;
    while let Ok(entry) = ledger.write_intent(subject(number, RiskClass::Write)).await {
        drop(entry);
        number += 1;
    }
    let ending = refused("audit-unavailable");
    ledger.record(subject(number, RiskClass::Write), ending, ());
    ledger.flush().await.unwrap();

    assert!(types(temp_dir.path()).ends_with(&["intent".to_owned(), "outcome".to_owned()]));
    assert_eq!(verdict(temp_dir.path()).remarks_total, 0);
}

#[tokio::test]
async fn an_intent_whose_request_is_dropped_in_the_wait_gets_an_outcome() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    // As above: a quick writer needs more than one try to be too slow.
    let mut number = 1;
    loop {
        let intent = ledger.write_intent(subject(number, RiskClass::Write));
        match tokio::time::timeout(Duration::ZERO, intent).await {
            Ok(entry) => drop(entry),
            Err(_) => break,
        }
        number += 1;
    }
    ledger.flush().await.unwrap();

    assert!(types(temp_dir.path()).ends_with(&["intent".to_owned(), "outcome".to_owned()]));
    assert_eq!(lines(temp_dir.path()).last().unwrap()["error"], "abandoned");
}

#[tokio::test]
async fn an_entry_that_nobody_closes_is_abandoned() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    drop(ledger.reserve(subject(1, RiskClass::Read)).unwrap());
    ledger.flush().await.unwrap();

    let last = lines(temp_dir.path()).pop().unwrap();
    assert_eq!(last["error"], "abandoned");
    assert_eq!(last["status"], 499);
}

#[tokio::test]
async fn refusals_and_events_are_recorded() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    let (of, ending) = (subject(1, RiskClass::Write), refused("policy-denied"));
    let value = ledger.record(of, ending, "refusal");
    assert_eq!(value.into_inner(), "refusal");
    ledger.event(AuditEvent::Caller {
        caller: "powerbi".into(),
        change: "added",
    });
    ledger.flush().await.unwrap();

    let lines = lines(temp_dir.path());
    assert_eq!(lines[1]["decision"], "policy-denied");
    assert_eq!(lines[2]["type"], "caller");
    assert_eq!(lines[2]["caller"], "powerbi");
}

#[test]
fn a_second_writer_is_refused_and_told_of_the_lock() {
    let temp_dir = tempdir().unwrap();
    let _first = open(temp_dir.path());
    let second = Ledger::open(options(temp_dir.path())).err().unwrap();
    assert!(matches!(second, LedgerOpenError::InUse { .. }));
    assert!(second.to_string().contains("audit.lock"), "{second}");
}

#[test]
fn the_log_is_for_its_owner_alone() {
    let temp_dir = tempdir().unwrap();
    let directory = temp_dir.path().join("deep/audit");
    assert!(open(&directory).close_within("test", CLOSE_MAX));
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.clone()), 0o700);
    assert_eq!(mode(log_files(&directory).remove(0)), 0o600);
}

#[test]
fn a_link_is_not_followed() {
    let temp_dir = tempdir().unwrap();
    let elsewhere = temp_dir.path().join("elsewhere");
    let directory = temp_dir.path().join("audit");
    fs::create_dir(&directory).unwrap();
    fs::write(&elsewhere, "").unwrap();
    let link = directory.join("audit-000000000001.jsonl");
    std::os::unix::fs::symlink(&elsewhere, link).unwrap();
    assert!(Ledger::open(options(&directory)).is_err());
    assert_eq!(fs::read(&elsewhere).unwrap(), b"");
}

#[test]
fn half_a_line_is_cut_off_at_the_next_start_and_said() {
    let temp_dir = tempdir().unwrap();
    assert!(open(temp_dir.path()).close_within("test", CLOSE_MAX));
    let path = log_files(temp_dir.path()).remove(0);
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"{\"v\":1,\"se").unwrap();
    assert!(!verdict(temp_dir.path()).is_intact());

    assert!(open(temp_dir.path()).close_within("test", CLOSE_MAX));
    assert!(verdict(temp_dir.path()).is_intact());
    let gap = &lines(temp_dir.path())[2];
    assert_eq!(gap["type"], "gap");
    assert_eq!(gap["why"], "torn tail of 10 bytes removed");
}

#[test]
fn a_log_whose_last_line_was_changed_is_not_continued() {
    let temp_dir = tempdir().unwrap();
    assert!(open(temp_dir.path()).close_within("test", CLOSE_MAX));
    let path = log_files(temp_dir.path()).remove(0);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"why\":\"test\"", "\"why\":\"tset\"")).unwrap();

    let error = Ledger::open(options(temp_dir.path())).err().unwrap();
    assert!(matches!(error, LedgerOpenError::Corrupt { .. }), "{error}");
    assert_ne!(text, fs::read_to_string(&path).unwrap());
}

#[tokio::test]
async fn without_a_place_a_request_is_refused_unless_reads_may_go_unrecorded() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    let held: Vec<_> = (0..QUEUE_ENTRIES_MAX)
        .map(|_| ledger.reserve(subject(1, RiskClass::Read)).unwrap())
        .collect();
    assert_eq!(
        ledger.reserve(subject(2, RiskClass::Read)).err(),
        Some(LedgerWriteError)
    );
    let intent = ledger.write_intent(subject(2, RiskClass::Write)).await;
    assert_eq!(intent.err(), Some(LedgerWriteError));
    // Refusals and events have room of their own.
    ledger.event(AuditEvent::Caller {
        caller: "helpdesk-bot".into(),
        change: "added",
    });
    ledger.flush().await.unwrap();
    assert_eq!(types(temp_dir.path()), ["start", "caller"]);
    assert_eq!(ledger.snapshot().queued, held.len());
}

#[tokio::test]
async fn what_was_lost_for_want_of_a_place_is_counted_in_the_log() {
    let temp_dir = tempdir().unwrap();
    let mut options = options(temp_dir.path());
    options.serve_reads_unrecorded = true;
    let ledger = Ledger::open(options).unwrap();
    let held: Vec<_> = (0..QUEUE_ENTRIES_MAX)
        .map(|_| ledger.reserve(subject(1, RiskClass::Read)).unwrap())
        .collect();
    for _ in 0..3 {
        ledger
            .reserve(subject(2, RiskClass::Read))
            .unwrap()
            .close(answered());
    }
    super::world::until("the loss is on record", || ledger.snapshot().lost == 0).await;
    let gap = lines(temp_dir.path()).pop().unwrap();
    assert_eq!((&gap["type"], &gap["lost"]), (&"gap".into(), &3.into()));
    drop(held);
    assert!(ledger.close_within("test", CLOSE_MAX));
    assert!(verdict(temp_dir.path()).is_intact());
}

#[tokio::test]
async fn an_intent_without_an_outcome_is_remarked_on_but_is_no_break() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    let entry = ledger
        .write_intent(subject(5, RiskClass::Write))
        .await
        .unwrap();
    let report = verdict(temp_dir.path());
    assert!(report.is_intact());
    let remark = &report.remarks[0];
    assert_eq!(remark.kind, RemarkKind::IntentWithoutOutcome);
    assert_eq!((remark.at.line, &*remark.request), (2, request(5).as_str()));
    entry.close(answered());
    ledger
        .reserve(subject(6, RiskClass::Write))
        .unwrap()
        .close(answered());
    ledger.flush().await.unwrap();
    let report = verdict(temp_dir.path());
    assert_eq!(report.remarks[0].kind, RemarkKind::OutcomeWithoutIntent);
}

#[tokio::test]
async fn a_snapshot_says_how_the_log_stands() {
    let temp_dir = tempdir().unwrap();
    let ledger = open(temp_dir.path());
    let entry = ledger
        .write_intent(subject(1, RiskClass::Write))
        .await
        .unwrap();
    let snapshot = ledger.snapshot();
    let report = verdict(temp_dir.path());
    assert_eq!(
        (snapshot.records, snapshot.failures, snapshot.lost),
        (2, 0, 0)
    );
    assert_eq!((snapshot.queued, snapshot.head), (1, report.head));
    assert_eq!(snapshot.path.as_ref(), log_files(temp_dir.path()).first());
    assert_eq!(snapshot.failure, None);
    drop(entry);
}
