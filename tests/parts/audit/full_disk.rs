//! A full disk: no write is sent, and nothing that happened is forgotten.

use super::{
    trouble::{is_well_again, trouble_is_noticed_by_itself},
    world::{CLOSE_MAX, answered, lines, open, options, refused, request, subject, types, verdict},
};
use crate::small_disk::SmallDisk;
use ninjaone_proxy::{
    audit::ledger::{Ledger, LedgerWriteError},
    ninjaone::operation::RiskClass,
};

#[tokio::test]
async fn a_full_disk_loses_nothing_leaves_no_half_line_and_is_recovered_from() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let mut options = options(&disk.log());
    options.serve_reads_unrecorded = true;
    let ledger = Ledger::open(options).unwrap();
    disk.fill(40 * 1024);

    // Entries that are in flight when the disk fills up, and more than it holds.
    let in_flight: Vec<_> = (0..100)
        .map(|number| ledger.reserve(subject(number, RiskClass::Read)).unwrap())
        .collect();
    for entry in in_flight {
        entry.close(answered());
    }
    trouble_is_noticed_by_itself(&ledger).await;
    let refused = ledger.write_intent(subject(1, RiskClass::Write)).await;
    assert_eq!(refused.err(), Some(LedgerWriteError));
    assert!(verdict(&disk.log()).is_intact(), "no half line stays");

    disk.enlarge();
    is_well_again(&ledger).await;
    assert!(ledger.close_within("test", CLOSE_MAX));
    let report = verdict(&disk.log());
    assert!(report.is_intact(), "{report:?}");
    let outcomes = types(&disk.log()).into_iter().filter(|it| it == "outcome");
    assert_eq!(outcomes.count(), 101);
    let gap = lines(&disk.log())
        .into_iter()
        .find(|it| it["type"] == "gap");
    assert_eq!(gap.unwrap()["lost"], 0);
}

#[tokio::test]
async fn an_intent_that_was_refused_and_is_written_later_is_followed_by_its_refusal() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let ledger = open(&disk.log());
    disk.fill(64 * 1024);
    let mut number = 0;
    while let Ok(entry) = ledger.write_intent(subject(number, RiskClass::Write)).await {
        entry.close(answered());
        number += 1;
    }
    let ending = refused("audit-unavailable");
    ledger.record(subject(number, RiskClass::Write), ending, ());

    disk.enlarge();
    is_well_again(&ledger).await;
    assert!(ledger.close_within("test", CLOSE_MAX));
    let report = verdict(&disk.log());
    assert_eq!((report.breaks_total, report.remarks_total), (0, 0));
    let mut its_lines = lines(&disk.log());
    its_lines.retain(|line| line["request"] == request(number).as_str());
    assert_eq!(its_lines[0]["type"], "intent");
    assert_eq!(its_lines[1]["decision"], "audit-unavailable");
    assert_eq!(its_lines.len(), 2);
}
