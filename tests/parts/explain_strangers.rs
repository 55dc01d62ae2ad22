//! `explain` for strangers who were counted in one line instead of each having its own.

use std::{fs, io::Write, thread, time::Duration};

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

/// While the answer of a caller's request is on its way, the request has no line, as strangers who were counted have none.
#[test]
fn a_request_that_ends_a_moment_later_is_not_taken_for_one_of_the_strangers_of_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let now = Timestamp::now();
    let id = RequestId::new(u64::try_from(now.unix_micros() / 1000).unwrap(), 7);
    let at = |ms: i64| Timestamp::from_unix_micros(now.unix_micros() + ms * 1000).to_string();
    let (first, last) = (at(-400), at(400));
    let counted = format!(
        r#"{{"v":1,"seq":1,"at":"{last}","type":"refused","boot":"b","count":12,"reasons":{{"unauthenticated":12}},"peers":[],"first":"{first}","last":"{last}"}}"#
    );
    let outcome = format!(
        r#"{{"v":1,"seq":2,"at":"{last}","type":"outcome","request":"{id}","boot":"b","caller":"reports","auth":"key","tenant":"acme","identity":"service","method":"GET","path":"/v2/users","operation":"getUsers","class":"read","decision":"allowed","status":200,"source":"ninjaone","attempts":1}}"#
    );
    let path = directory.path().join("audit-000000000001.jsonl");
    let mut file = fs::File::create(path).unwrap();
    writeln!(file, "{counted}").unwrap();

    let told = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            writeln!(file, "{outcome}").unwrap();
        });
        explain_from(directory.path(), &[id.as_str()], false)
    });

    assert!(!told.out.contains("one of 12"), "{}", told.out);
    assert!(
        told.out.contains("answered with status 200"),
        "{}{}",
        told.out,
        told.err
    );
}

/// Whoever asks again and again would else have a large log read each time.
#[test]
fn only_what_has_come_since_is_looked_at_again_in_whichever_file_it_is() {
    let now = Timestamp::now();
    let id = RequestId::new(u64::try_from(now.unix_micros() / 1000).unwrap(), 7);
    let outcome = |caller: &str| {
        format!(
            r#"{{"v":1,"seq":2,"at":"{now}","type":"outcome","request":"{id}","boot":"b","caller":"{caller}","auth":"key","tenant":"acme","identity":"service","method":"GET","path":"/v2/users","operation":"getUsers","class":"read","decision":"allowed","status":200,"source":"ninjaone","attempts":1}}"#
        )
    };
    for (late_in, is_seen) in [
        ("audit-000000000001.jsonl", false),
        ("audit-000000000002.jsonl", true),
        ("audit-000000000003.jsonl", true),
    ] {
        let directory = tempfile::tempdir().unwrap();
        for name in ["audit-000000000001.jsonl", "audit-000000000002.jsonl"] {
            fs::write(directory.path().join(name), "{}\n").unwrap();
        }
        let told = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                let path = directory.path().join(late_in);
                let mut late = fs::File::options();
                let mut late = late.create(true).append(true).open(path).unwrap();
                writeln!(late, "{}", outcome("reports")).unwrap();
            });
            explain_from(directory.path(), &[id.as_str()], false)
        });
        let has_outcome = told.out.contains("answered with status 200");
        assert_eq!(has_outcome, is_seen, "{late_in}: {}{}", told.out, told.err);
    }
}
