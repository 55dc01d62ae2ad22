//! `explain` for strangers who were counted in one line instead of each having its own.

use std::fs;

use ninjaone_proxy::{clock::Timestamp, names::RequestId};

use super::explain::explain_from;

#[test]
fn a_stranger_that_was_only_counted_is_found_in_the_line_that_counts_it() {
    let directory = tempfile::tempdir().unwrap();
    let counted = |seq: u32, first: &str, last: &str| {
        format!(
            r#"{{"v":1,"seq":{seq},"at":"{last}","type":"refused","boot":"b","count":4711,"reasons":{{"unauthenticated":4700,"bad-request":11}},"peers":["10.0.0.1","10.0.0.2"],"first":"{first}","last":"{last}"}}"#
        )
    };
    let id = RequestId::new(1_795_000_000_500, 7);
    let at = |ms: i64| Timestamp::from_unix_micros((1_795_000_000_000 + ms) * 1000).to_string();
    let lines = [
        counted(1, &at(-900), &at(-100)),
        counted(2, &at(100), &at(900)),
        counted(3, &at(1_100), &at(1_900)),
    ];
    let file = directory.path().join("audit-000000000001.jsonl");
    fs::write(file, lines.join("\n") + "\n").unwrap();

    let told = explain_from(directory.path(), &[id.as_str()], false);

    assert_eq!(told.code, 5, "{}{}", told.out, told.err);
    for chunk in [
        "one of 4711",
        "line 2 of the log",
        "unauthenticated 4700",
        "10.0.0.2",
    ] {
        assert!(told.out.contains(chunk), "{chunk} in:\n{}", told.out);
    }
    let other = RequestId::new(1_795_000_001_000, 7);
    let told = explain_from(directory.path(), &[other.as_str()], false);
    assert_eq!(told.code, 1, "{}", told.out);
}
