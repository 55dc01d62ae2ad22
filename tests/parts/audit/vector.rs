//! Frozen bytes: tomorrow's program must verify today's logs.

use std::{fs, iter, path::Path};

use ninjaone_proxy::{
    audit::{
        chain::{Chain, Head},
        entry::{AuditEntry, AuditEvent},
    },
    clock::Timestamp,
    ninjaone::operation::RiskClass,
};

use tempfile::tempdir;

use super::world::{CLOSE_MAX, answered, lines, open, subject, verdict};

const HEAD: &str = "3:29343706d3aeddefcc166ed8b611b7e043ebee796ff7d64abc4d96cdc16d951f";

fn directory() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/audit-chain"
    ))
}

#[test]
fn three_entries_become_these_three_lines() {
    let at = |micros: i64| Timestamp::from_unix_micros(1_763_388_131_123_456 + micros);
    let subject = subject(7, RiskClass::Write);
    let entries = [
        AuditEntry::Event {
            at: at(0),
            event: AuditEvent::Start {
                version: "0.1.0",
                config: "f00d".into(),
            },
        },
        AuditEntry::Intent {
            at: at(1000),
            facts: subject.clone(),
        },
        AuditEntry::Outcome {
            at: at(413_345),
            facts: subject,
            details: answered(),
        },
    ];
    let mut chain = Chain::resume(Head::START);
    let (mut bytes, mut buffer) = (Vec::new(), Vec::new());
    for entry in &entries {
        let linked = chain.link(&mut buffer, "boot-1", iter::once(entry));
        bytes.extend_from_slice(linked.bytes());
        let head = linked.head();
        chain.advance(head);
    }
    let frozen = fs::read_to_string(directory().join("audit-000000000001.jsonl")).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), frozen);
    assert_eq!(chain.head().to_string(), HEAD);
}

#[test]
fn a_log_of_an_earlier_day_is_continued_in_a_new_file() {
    let temp_dir = tempdir().unwrap();
    let name = "audit-000000000001.jsonl";
    let frozen = fs::read(directory().join(name)).unwrap();
    fs::write(temp_dir.path().join(name), &frozen).unwrap();
    assert!(open(temp_dir.path()).close_within("test", CLOSE_MAX));

    assert_eq!(fs::read(temp_dir.path().join(name)).unwrap(), frozen);
    let line = &lines(temp_dir.path())[3];
    assert_eq!(
        (&line["type"], &line["why"]),
        (&"rotate".into(), &"day".into())
    );
    assert_eq!(line["from"], name);
    let report = verdict(temp_dir.path());
    assert!(report.is_intact() && report.files == 2, "{report:?}");
}

#[test]
fn the_frozen_lines_verify() {
    let report = verdict(directory());
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.head.to_string(), HEAD);
}
