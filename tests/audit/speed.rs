//! How fast it is. Says numbers; run with `--ignored --nocapture` and optimised.

use std::{fs, io::Write, iter, time::Duration};

use ninjaone_proxy::{
    audit::{
        chain::{Chain, Hash, Head},
        entry::Entry,
        verify::verify,
    },
    clock::{Moment, Timestamp},
    ninjaone::operation::Class,
};
use tempfile::tempdir;

use crate::world::{answered, open, subject};

const LINES: u32 = 200_000;

fn say(what: &str, took: Duration, of: u32) {
    let each = took / of;
    let _ = writeln!(std::io::stderr(), "{what}: {each:?} each, {of} in {took:?}");
}

#[test]
#[ignore = "a measurement"]
fn lines_are_linked_and_verified() {
    let entry = Entry::Outcome {
        at: Timestamp::now(),
        subject: subject(7, Class::Read),
        ending: answered(),
    };
    let mut chain = Chain::resume(Head::START);
    let (mut buffer, mut log, mut linked_count) = (Vec::new(), Vec::new(), 0);
    let started = Moment::now();
    let mut linking = Duration::ZERO;
    while linked_count < LINES {
        let before = Moment::now();
        let linked = chain.link(&mut buffer, "boot-1", iter::repeat_n(&entry, 100));
        linking += Moment::now().since(before);
        log.extend_from_slice(linked.bytes());
        linked_count += u32::try_from(linked.count()).unwrap();
        let head = linked.head();
        chain.follow(head);
    }
    say("link", linking, linked_count);
    let line = log.split(|byte| *byte == b'\n').next().unwrap();
    let before = Moment::now();
    for _ in 0..LINES {
        std::hint::black_box(Hash::of(std::hint::black_box(line)));
    }
    say("of that, hash", Moment::now().since(before), LINES);
    say("link and copy", Moment::now().since(started), linked_count);

    let place = tempdir().unwrap();
    fs::write(place.path().join("audit-000000000001.jsonl"), &log).unwrap();
    let started = Moment::now();
    let report = verify(place.path(), &[]).unwrap();
    say("verify", Moment::now().since(started), linked_count);
    assert!(report.is_whole());
}

#[test]
#[ignore = "a measurement"]
fn entries_are_handed_over() {
    let place = tempdir().unwrap();
    let ledger = open(place.path());
    let mut handing = Duration::ZERO;
    let mut count = 0;
    for round in 0..20 {
        let ready: Vec<_> = (0..2000).map(|_| subject(round, Class::Read)).collect();
        let before = Moment::now();
        for subject in ready {
            ledger.reserve(subject).unwrap().close(answered());
            count += 1;
        }
        handing += Moment::now().since(before);
    }
    say("reserve and close", handing, count);
    assert!(ledger.close("test"));
}

#[test]
#[ignore = "a measurement"]
fn intents_are_written_32_at_a_time() {
    let place = tempdir().unwrap();
    let ledger = open(place.path());
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let started = Moment::now();
    local.block_on(&runtime, async {
        let writers: Vec<_> = (0..32)
            .map(|_| {
                let ledger = ledger.clone();
                tokio::task::spawn_local(async move {
                    for number in 0..200 {
                        let entry = ledger.write_intent(subject(number, Class::Write)).await;
                        entry.unwrap().close(answered());
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
    say("intent and outcome", Moment::now().since(started), 32 * 200);
}
